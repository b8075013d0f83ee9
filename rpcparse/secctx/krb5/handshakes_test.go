package krb5_test

import (
	"bytes"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// Domains of the captures with keytabs, and accounts in them.
const (
	labDomain  = "S-1-5-21-701861470-3846868569-1266537611"
	labAlice   = labDomain + "-1103"
	labAdmin   = labDomain + "-500"
	capDomain  = "S-1-5-21-3370354198-835445779-1647139645"
	acmeDomain = "S-1-5-21-2766944803-1727830039-3061062233"
	scapyWin10 = "S-1-5-21-1924137214-3718646274-40215721-1105"
)

// opened tells what the handshakes of a capture are with its keytab: the
// encryption type of the key of the context, and how many handshakes there are
// for each user. The paths are below [captures.Folder].
var opened = []struct {
	file, keytab string
	etype        int32
	users        map[string]int
	malformed    int // tokens that the client broke on purpose
}{
	{"public/scapy/dcerpc_privacy_krb.pcapng", "public/scapy/dcerpc_privacy_krb.keytab", 18, map[string]int{scapyWin10: 1}, 0},
	{"public/wireshark-wiki-samples/win2k19-joined.pcap", "public/wireshark-wiki-samples/acme.keytab", 18, map[string]int{acmeDomain + "-1105": 2, acmeDomain + "-1103": 1}, 0},
	{"samba/drsuapi_krb5_seal_getnc.pcap", "samba/lab-test.dc1.keytab", 18, map[string]int{labAdmin: 1}, 0},
	{"samba/impacket_nspi_krbspnego_connect.pcap", "samba/lab-test.dc1.keytab", 18, map[string]int{labAlice: 1}, 0},
	{"samba/nspi_krb_seal_krb5.pcap", "samba/lab-test.dc1.keytab", 18, map[string]int{labAlice: 1}, 0},
	{"samba/nspi_krb_seal_spnego.pcap", "samba/lab-test.dc1.keytab", 18, map[string]int{labAlice: 1}, 0},
	{"samba/nspi_krb_sign_krb5_rc4.pcap", "samba/lab-test.dc1.keytab", 23, map[string]int{labAlice: 1}, 0},
	{"samba/nspi_ndr64_refused.pcap", "samba/lab-test.dc1.keytab", 18, map[string]int{labAlice: 1}, 0},
	{"samba/raw_spnego_integrity.pcap", "samba/lab-test.all.keytab", 18, map[string]int{labAdmin: 3}, 0},
	{"samba/rpcclient_krb5_sign.pcap", "samba/lab-test.all.keytab", 18, map[string]int{labAlice: 1}, 0},
	{"samba/rpcclient_spnegokrb5_seal.pcap", "samba/lab-test.all.keytab", 18, map[string]int{labAlice: 1}, 0},
	{"samba/samba-raw_protocol-lite.pcapng", "samba/cap-test.keytab", 18, map[string]int{capDomain + "-500": 32}, 9},
	{"samba/samr_krb5_connect.pcap", "samba/lab-test.all.keytab", 18, map[string]int{labAlice: 1}, 0},
	{"samba/samr_krb5_seal_aes128.pcap", "samba/lab-test.all.keytab", 17, map[string]int{labAlice: 1}, 0},
	{"samba/samr_krb5_seal_bigendian.pcap", "samba/lab-test.all.keytab", 18, map[string]int{labAlice: 1}, 0},
	{"samba/samr_krb5_seal_rc4.pcap", "samba/lab-test.all.keytab", 23, map[string]int{labAlice: 1}, 0},
	{"samba/samr_krb5_sign_aes256.pcap", "samba/lab-test.all.keytab", 18, map[string]int{labAlice: 1}, 0},
	{"samba/samr_spnego_krb5_sign_aes256.pcap", "samba/lab-test.all.keytab", 18, map[string]int{labAlice: 1}, 0},
}

// foreign are captures whose keys nobody has published, and how many
// handshakes they have.
var foreign = map[string]int{
	"public/suricata-verify/dcerpc__dce-gap-handling__input.pcap":                                          1,
	"public/suricata-verify/dcerpc__dcerpc-dce-iface-01__20171220_smb_psexec_mimikatz_ticket_dump-s2.pcap": 1,
	"public/suricata-verify/truncate-applayer-test-01__input.pcap":                                         1,
	"public/wireshark-wiki-samples/dcerpc-and-msrpc-based-protocols__dcerpc_witness.pcapng":                4,
	"public/zeek/dce-rpc__cs_window7-join_stream092.pcap":                                                  1,
	"public/zeek/dce-rpc__kerberos135_auth.pcapng":                                                         1,
}

func TestHandshakesOfRealPeersOpen(t *testing.T) {
	for _, tc := range opened {
		t.Run(filepath.Base(tc.file), func(t *testing.T) {
			kt := captures.Keytab(t, tc.keytab)
			users, malformed := make(map[string]int), 0
			for _, h := range handshakes(t, captures.Named(t, tc.file)) {
				in, o := krb5.OpenAPReq(h.request, kt.Service(""))
				if o.Result == krb5.Malformed {
					malformed++
					continue
				}
				if in == nil || in.PACErr != nil {
					t.Errorf("frame %d: %s, %v", h.frame, o, in)
					continue
				}
				users[in.PAC.SID]++
				h.finish(t, in, tc.etype)
			}
			if !maps.Equal(users, tc.users) || malformed != tc.malformed {
				t.Errorf("users %v and %d malformed, want %v and %d", users, malformed, tc.users, tc.malformed)
			}
		})
	}
}

// finish checks the legs that follow, as far as the capture has them.
func (h *handshake) finish(t *testing.T, in *krb5.Initiated, etype int32) {
	if h.reply == nil {
		return
	}
	e, err := in.OpenAPRep(h.reply)
	if err != nil {
		t.Errorf("frame %d: %v", h.frame, err)
		return
	}
	if k := e.Keys(); k.Key.Etype != etype || !k.AcceptorSubkey {
		t.Errorf("frame %d: %s", h.frame, k)
	}
	if h.third == nil {
		return
	}
	if err := e.CheckThirdLeg(h.third); err != nil {
		t.Errorf("frame %d: %v", h.frame, err)
	}
}

func TestHandshakesWithoutTheirKeySaySo(t *testing.T) {
	all := allKeytabs(t)
	for file, want := range foreign {
		found := handshakes(t, captures.Named(t, file))
		if len(found) != want {
			t.Errorf("%s: %d handshakes, want %d", file, len(found), want)
		}
		for _, h := range found {
			if _, o := krb5.OpenAPReq(h.request, all.Service("")); o.Result != krb5.NoKeyForPrincipal {
				t.Errorf("%s frame %d: %s", file, h.frame, o)
			}
		}
	}
	for _, tc := range opened {
		for _, h := range handshakes(t, captures.Named(t, tc.file)) {
			if _, o := krb5.OpenAPReq(h.request, nil); o.Result != krb5.NoKeyForPrincipal && o.Result != krb5.Malformed {
				t.Errorf("%s frame %d without a keytab: %s", tc.file, h.frame, o)
			}
		}
	}
}

func TestNoCaptureWithKerberosIsForgotten(t *testing.T) {
	for _, file := range captures.Files(t) {
		listed := foreign[file.Name] > 0
		for _, tc := range opened {
			listed = listed || tc.file == file.Name
		}
		if n := len(handshakes(t, file)); (n > 0) != listed {
			t.Errorf("%s has %d handshakes, listed: %t", file.Name, n, listed)
		}
	}
}

// handshake is one exchange of AP-REQ and AP-REPs in a capture.
type handshake struct {
	frame                 int
	request, reply, third []byte
}

// handshakes finds the Kerberos handshakes of a capture.
func handshakes(t *testing.T, file captures.File) (found []*handshake) {
	type context struct {
		connection *capture.Connection
		id         uint32
	}
	current := make(map[context]*handshake)
	for p := range file.PDUs(t) {
		v, body, ok := captures.Verifier(p)
		if !ok || body != 0 {
			continue
		}
		mech, message, ok := spnego.Unwrap(v.Token)
		if !ok || mech != spnego.MechKerberos {
			continue
		}
		message = bytes.Clone(message)
		at := context{p.Connection, v.ContextID}
		switch h := current[at]; {
		case message[0] == 0x6e:
			current[at] = &handshake{frame: p.Frame, request: message}
			found = append(found, current[at])
		case h == nil || message[0] != 0x6f:
		case p.Dir == rpcparse.ServerToClient:
			h.reply = message
		default:
			h.third = message
		}
	}
	return found
}

// allKeytabs joins every keytab that any capture has.
func allKeytabs(t *testing.T) *krb5.Keytab {
	var files []string
	for _, tc := range opened {
		files = append(files, tc.keytab)
	}
	slices.Sort(files)
	var all []*krb5.Keytab
	for _, file := range slices.Compact(files) {
		all = append(all, captures.Keytab(t, file))
	}
	return krb5.Join(all...)
}
