package captures

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
)

// FolderVariable names, in the environment, the folder of the collection.
const FolderVariable = "NSPIPROXY_CAPTURES"

// Folder returns the folder of the collection: the one that the environment names, or shared/captures beside the
// module's. It skips the test where that has no manifest.json.
func Folder(t testing.TB) string {
	t.Helper()
	folder := os.Getenv(FolderVariable)
	if folder == "" {
		folder = filepath.Join(module.Path(t), "..", "shared", "captures")
	}
	if _, err := os.Stat(filepath.Join(folder, "manifest.json")); err != nil {
		t.Skipf("no captures in %s: set %s to their folder", folder, FolderVariable)
	}
	return folder
}

// File is one capture of the collection.
type File struct {
	Name    string   // its path below the folder of the collection
	Path    string   // to open
	Table   string   // what tshark reads in it, to open; empty: there is no DCE/RPC over TCP in it
	Extra   []string // arguments without which tshark misses PDUs
	Anomaly string   // how its PDUs break the rules, empty if they do not: see anomalies
}

// Files lists the captures that package capture reads, in the order of the manifest. It skips the test where the
// collection is absent.
func Files(t testing.TB) []File {
	t.Helper()
	folder := Folder(t)
	data, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var entries []struct {
		Path   string  `json:"path"`
		Format string  `json:"format"`
		Oracle *string `json:"oracle"`
		Extra  *string `json:"tshark_args"`
	}
	if err := json.Unmarshal(data, &entries); err != nil {
		t.Fatalf("manifest.json: %v", err)
	}
	var files []File
	for _, e := range entries {
		if !strings.HasPrefix(e.Format, "pcap") {
			continue // of another program; a conversion to pcap lies beside it
		}
		f := File{Name: e.Path, Path: filepath.Join(folder, e.Path), Anomaly: anomalies[e.Path]}
		if e.Oracle != nil {
			f.Table = filepath.Join(folder, *e.Oracle)
		}
		if e.Extra != nil {
			f.Extra = strings.Fields(*e.Extra)
		}
		files = append(files, f)
	}
	return files
}

// Named returns one capture of the collection. It fails the test if the manifest does not list it.
func Named(t testing.TB, name string) File {
	t.Helper()
	for _, f := range Files(t) {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("manifest.json lists no capture %s", name)
	return File{}
}

// anomalies are the captures whose PDUs break the rules, and how: in these a conversation must report errors, in no
// other may it report any.
var anomalies = map[string]string{
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
