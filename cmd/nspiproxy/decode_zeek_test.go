package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/proxy/capture/listing"
)

// zeekLog reads the fields of a stored Zeek log.
func zeekLog(t *testing.T, folder, name string, fields ...string) [][]string {
	t.Helper()
	file, err := os.Open(filepath.Join(folder, "expected-zeek", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var columns []int
	var rows [][]string
	for s := bufio.NewScanner(file); s.Scan(); {
		cells := strings.Split(s.Text(), "\t")
		if cells[0] == "#fields" {
			for _, f := range fields {
				columns = append(columns, slices.Index(cells, f)-1)
			}
		}
		if strings.HasPrefix(cells[0], "#") {
			continue
		}
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = cells[c]
		}
		rows = append(rows, row)
	}
	return rows
}

// zeekOperations are Zeek's names of what is called in its MAPI capture.
var zeekOperations = map[string]map[uint16]string{
	"e1af8308-5d1f-11c9-91a4-08002b14a0fa": {2: "epmapper ept_lookup", 3: "epmapper ept_map"},
	"f5cc5a18-4264-101a-8c59-08002b2f8426": {0: "nspi NspiBind"},
	"a4f1db00-ca47-1067-b31f-00dd010662da": {
		0: "exchange_mapi EcDoConnect", 2: "exchange_mapi EcDoRpc", 4: "exchange_mapi EcRRegisterPushNotification",
	},
}

const mapiCapture = "public/zeek/dce-rpc__mapi.pcap"

// TestMAPICaptureReadsAsInZeeksBaseline compares the calls whose bind was
// captured, in the order of their answers.
func TestMAPICaptureReadsAsInZeeksBaseline(t *testing.T) {
	folder := captures.Folder(t)
	var got, want []string
	for _, r := range decodeCapture(t, filepath.Join(folder, mapiCapture)) {
		if r.Type == "response" && r.Flags == "0x03" && r.Interface != "" {
			got = append(got, fmt.Sprintf("%s %s %s", r.Client, r.Server, zeekOperations[r.Interface][*r.Opnum]))
		}
	}
	log := zeekLog(t, folder, "Baseline__dce-rpc.mapi__dce_rpc.log", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "endpoint", "operation", "rtt")
	for i, c := range log {
		if i > 0 && slices.Equal(c, log[i-1]) {
			continue // Zeek repeats the last record of a connection at its end
		}
		want = append(want, fmt.Sprintf("%s:%s %s:%s %s %s", c[0], c[1], c[2], c[3], c[4], c[5]))
	}
	if !slices.Equal(got, want) {
		t.Errorf("calls:\n%s\nZeek:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMAPICaptureNamesTheUsersThatZeekNames(t *testing.T) {
	folder := captures.Folder(t)
	var got, want []string
	for _, r := range decodeCapture(t, filepath.Join(folder, mapiCapture)) {
		if r.NTLM != nil && r.NTLM.Message == 3 {
			got = append(got, fmt.Sprintf(`%s %s\%s at %s`, r.Client, r.NTLM.Domain, r.NTLM.User, r.NTLM.Workstation))
		}
	}
	for _, c := range zeekLog(t, folder, "Baseline__dce-rpc.mapi__ntlm.log", "id.orig_h", "id.orig_p", "domainname", "username", "hostname") {
		want = append(want, fmt.Sprintf(`%s:%s %s\%s at %s`, c[0], c[1], listing.Text(c[2]), listing.Text(c[3]), listing.Text(c[4])))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("users %q, Zeek has %q", got, want)
	}
}

func TestSecondaryAddressesReadAsInZeeksBaseline(t *testing.T) {
	folder := captures.Folder(t)
	var got strings.Builder
	for _, r := range decodeCapture(t, filepath.Join(folder, "public/zeek/dce-rpc__bind-ack-no-inband-null.pcap")) {
		if r.Type == "bind_ack" {
			fmt.Fprintf(&got, "sec_addr is: %s\n", string(r.SecAddr))
		}
	}
	baseline, err := os.ReadFile(filepath.Join(folder, "expected-zeek", "Baseline__dce-rpc.no-inband-null__out"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(baseline), "\n"+got.String()) || got.Len() == 0 {
		t.Errorf("addresses\n%s\nZeek:\n%s", &got, baseline)
	}
}
