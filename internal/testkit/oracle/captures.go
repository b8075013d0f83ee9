package oracle

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// FolderVariable names the folder of the captures. Without it, it is
// shared/captures beside the repository.
const FolderVariable = "NSPIPROXY_CAPTURES"

// Folder returns the folder of the captures, given the root of the repository.
// ok is false when it is not there.
func Folder(root string) (folder string, ok bool) {
	folder = os.Getenv(FolderVariable)
	if folder == "" {
		folder = filepath.Join(root, "..", "shared", "captures")
	}
	_, err := os.Stat(filepath.Join(folder, "manifest.json"))
	return folder, err == nil
}

// Capture is one file of the collection.
type Capture struct {
	Path    string   // below the folder
	File    string   // to open
	Table   string   // of what tshark reads, to open; empty: there is no DCE/RPC over TCP in it
	Extra   []string // arguments without which tshark misses PDUs
	NetMon  bool     // not pcap and not pcapng
	Anomaly string   // why the conversation may report errors on it, see Anomalies
}

// Captures lists the collection.
func Captures(folder string) ([]Capture, error) {
	data, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	if err != nil {
		return nil, err
	}
	var entries []struct {
		Path   string  `json:"path"`
		Format string  `json:"format"`
		Oracle *string `json:"oracle"`
		Extra  *string `json:"tshark_args"`
	}
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("manifest.json: %w", err)
	}
	var out []Capture
	for _, e := range entries {
		c := Capture{Path: e.Path, File: filepath.Join(folder, e.Path), Anomaly: Anomalies[e.Path]}
		c.NetMon = !strings.HasPrefix(e.Format, "pcap")
		if e.Oracle != nil {
			c.Table = filepath.Join(folder, *e.Oracle)
		}
		if e.Extra != nil {
			c.Extra = strings.Fields(*e.Extra)
		}
		out = append(out, c)
	}
	return out, nil
}

// Anomalies are the captures whose PDUs break the rules, and how: in these the
// conversation must report errors, in no other may it report any.
var Anomalies = map[string]string{
	"samba/samba-raw_protocol-lite.pcapng":                               "a conformance suite that sends broken PDUs",
	"samba/raw_multiauth_mpx.pcap":                                       "fragments of one request under two security contexts",
	"public/suricata-verify/dcerpc__dcerpc-dce-stub-data-03__input.pcap": "written by hand: a call on a connection that was never bound",
	"public/suricata-verify/dcerpc__dcerpc-dce-stub-data-05__input.pcap": "written by hand: calls on a connection that was never bound",
	"public/suricata-verify/dcerpc__dcerpc-dcepayload-15__input.pcap":    "written by hand: a call on a connection that was never bound",
	"public/suricata-verify/dcerpc__dcerpc-dcepayload-16__input.pcap":    "written by hand: a call on a connection that was never bound",
	"public/suricata-verify/dcerpc__dcerpc-dcepayload-17__input.pcap":    "written by hand: a call on a connection that was never bound",
	"public/suricata-verify/dcerpc__dcerpc-dcepayload-18__input.pcap":    "written by hand: a call on a connection that was never bound",
	"public/suricata-verify/dcerpc__dcerpc-dcepayload-19__input.pcap":    "written by hand: a call on a connection that was never bound",
	"public/suricata-verify/dcerpc__dcerpc-dcepayload-20__input.pcap":    "written by hand: a call on a connection that was never bound",
	"public/suricata-verify/dcerpc-request-http-response__input.pcap":    "written by hand: one call, which HTTP answers",
}
