package oracle

import (
	"slices"
	"strings"
)

// Difference is one place where this program and tshark differ, and why.
type Difference struct {
	Capture string // path in the collection
	Frames  []int
	Column  string // or its beginning; empty: one of the two has no PDU there
	Why     string
}

const conformance = "samba/samba-raw_protocol-lite.pcapng"

// KnownDifferences are all there are between this program and tshark 4.0.17.
var KnownDifferences = []Difference{
	{conformance, []int{2606, 2618, 2630}, "ntlmssp.",
		"an NTLM token where auth_type is Kerberos or none: tshark goes by auth_type, rows show what the token is"},
	{conformance, []int{2942, 2946, 2948}, "ntlmssp.",
		"SPNEGO at level packet: tshark does not look into the token, rows show the NTLM message"},
	{"public/zeek/dce-rpc__ntlm-empty-av-sequence.pcap", []int{5}, "ntlmssp.challenge.target_name",
		"the target information is no list of AV pairs: the CHALLENGE is not read any further"},
	{"public/zeek/dce-rpc__ntlm-unterminated-av-sequence.pcap", []int{5}, "ntlmssp.challenge.target_name",
		"the list of AV pairs has no end: the CHALLENGE is not read any further"},
	{"public/suricata-verify/dcerpc-request-http-response__input.pcap", []int{3}, "",
		"a call to port 8080, answered by HTTP: to tshark the port decides, to rows the first bytes"},
}

func known(capture string, frame int, column string) bool {
	return slices.ContainsFunc(KnownDifferences, func(d Difference) bool {
		return d.Capture == capture && slices.Contains(d.Frames, frame) &&
			(column == "") == (d.Column == "") && strings.HasPrefix(column, d.Column)
	})
}
