package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
	"github.com/nspiproxy/nspiproxy/internal/testkit/oracle"
	"github.com/nspiproxy/nspiproxy/proxy/capture/listing"
)

// runDecode runs the decode command and returns what it prints.
func runDecode(t *testing.T, args ...string) (out, notes string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := newDecodeCommand()
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(args)
	err = cmd.Execute()
	return stdout.String(), stderr.String(), err
}

// captureFile writes a capture.
func captureFile(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.pcap")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDecodeKeepsWhatItHasReadOfABrokenFile(t *testing.T) {
	c := capturetest.NewTalk()
	data := capturetest.Pcap(capturetest.LinkEthernet, c.SYN(), c.SYNACK(), c.Client(capturetest.Bind(1)), c.Server(capturetest.BindAck(1)))
	file := captureFile(t, data[:len(data)-3])
	for _, format := range listing.Formats() {
		out, notes, err := runDecode(t, "--format", format, file)
		if err == nil || err.Error() != file+": frame 4: the file ends inside this frame" {
			t.Errorf("%s: error %v", format, err)
		}
		if !strings.Contains(out, "association_requested") || !strings.Contains(notes, "frame 4") {
			t.Errorf("%s: output %q, notes %q", format, out, notes)
		}
	}
}

func TestDecodeRefusesWhatItCannotRead(t *testing.T) {
	for _, tt := range []struct {
		args []string
		text string
	}{
		{[]string{captureFile(t, []byte("hello, world"))}, "neither pcap nor pcapng"},
		{[]string{filepath.Join(t.TempDir(), "absent.pcap")}, "absent.pcap"},
		{[]string{"--format", "xml", captureFile(t, nil)}, `format "xml" is none of text, tsv, json`},
		{nil, "FILE is missing"},
	} {
		if _, _, err := runDecode(t, tt.args...); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%q: error %v, want %q", tt.args, err, tt.text)
		}
	}
}

func TestDecodeTellsOfGaps(t *testing.T) {
	c := capturetest.NewTalk()
	frames := []capturetest.Frame{c.SYN(), c.SYNACK(), c.Client(capturetest.Bind(1)), c.Server(capturetest.BindAck(1))}
	c.Lose(100)
	frames = append(frames, c.Client(capturetest.Request(2, 3, 8)))
	out, notes, err := runDecode(t, captureFile(t, capturetest.Pcap(capturetest.LinkEthernet, frames...)))
	if err != nil || notes != "frame 5: stream 0: 10.0.0.1:50000: 100 bytes were not captured\n" {
		t.Errorf("error %v, notes %q", err, notes)
	}
	if !strings.Contains(out, "100 bytes before this one belong to no whole PDU; nspi NspiQueryRows") {
		t.Errorf("output %s", out)
	}
}

func TestDecodeSaysWhenThereIsNothing(t *testing.T) {
	c := capturetest.NewTalk()
	out, notes, err := runDecode(t, captureFile(t, capturetest.Pcap(capturetest.LinkEthernet, c.SYN(), c.SYNACK())))
	if err != nil || out != "" || notes != "no DCE/RPC in 2 frames with 1 TCP connections\n" {
		t.Errorf("output %q, notes %q, error %v", out, notes, err)
	}
}

// mixed is a capture with frames that cannot be read, and with others than TCP.
func mixed() []byte {
	c := capturetest.NewTalk()
	frames := []capturetest.Frame{c.SYN(), c.SYNACK(), c.Client(capturetest.Bind(1))}
	macsec := append(make([]byte, 12), 0x88, 0xe5, 0x0c, 0, 0, 0, 0, 1)
	arp := append(make([]byte, 12), 0x08, 0x06, 0, 1)
	frames = append(frames, capturetest.Whole(macsec, arp, macsec, arp, []byte("cut off"))...)
	return capturetest.Pcap(capturetest.LinkEthernet, frames...)
}

func TestDecodeSaysHowManyFramesItLeftOutAndWhy(t *testing.T) {
	out, notes, err := runDecode(t, captureFile(t, mixed()))
	const want = "left out 3 frames of 8 that cannot be read: 2 of EtherType 0x88e5 (MACsec, encrypted), 1 of a header that is malformed or cut off\n"
	if err != nil || !strings.Contains(out, "bind") || notes != want {
		t.Errorf("output %q, notes %q, error %v", out, notes, err)
	}
	_, notes, err = runDecode(t, "--format", "json", captureFile(t, mixed()))
	const object = `{"frames":8,"connections":1,"pdus":1,"gaps":0,"left_out":[{"kind":"EtherType 0x88e5 (MACsec, encrypted)","frames":2},` +
		`{"kind":"a header that is malformed or cut off","frames":1}],"others":[{"kind":"ARP","frames":2}]}` + "\n"
	if err != nil || notes != object {
		t.Errorf("notes %s, error %v", notes, err)
	}
}

func TestDecodeSaysWhatThereIsInsteadOfTCP(t *testing.T) {
	arp := append(make([]byte, 12), 0x08, 0x06, 0, 1)
	_, notes, err := runDecode(t, captureFile(t, capturetest.Pcap(capturetest.LinkEthernet, capturetest.Whole(arp)...)))
	if err != nil || notes != "no DCE/RPC in 1 frames with 0 TCP connections\n1 frame of 1 of other protocols than TCP: 1 of ARP\n" {
		t.Errorf("notes %q, error %v", notes, err)
	}
}

// decodeCapture returns the rows of a capture of the collection.
func decodeCapture(t *testing.T, file string) []listing.Row {
	t.Helper()
	out, _, err := runDecode(t, "--format", "json", file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := oracle.ReadRows(strings.NewReader(out))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return rows
}

func TestEveryCaptureReadsAsInTheStoredTables(t *testing.T) {
	var total oracle.Report
	tables := 0
	files := captures.Files(t)
	for _, c := range files {
		rows := decodeCapture(t, c.Path)
		table := &oracle.Table{} // nothing
		if c.Table != "" {
			tables++
			table = storedTable(t, c.Table)
		}
		report := oracle.Compare(c.Name, table, rows)
		for _, d := range report.Differences {
			t.Errorf("%s: %s", c.Name, d)
		}
		total.PDUs += report.PDUs
		total.Cells += report.Cells
		total.Known += report.Known
	}
	t.Logf("%d captures, %d tables, %d PDUs, %d cells compared, %d differ as known", len(files), tables, total.PDUs, total.Cells, total.Known)
}

func storedTable(t *testing.T, name string) *oracle.Table {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table, err := oracle.ReadTable(file)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return table
}

func TestLegitimateTrafficHasNoErrors(t *testing.T) {
	for _, c := range captures.Files(t) {
		wrong := ""
		for _, r := range decodeCapture(t, c.Path) {
			if r.Error != nil {
				wrong = fmt.Sprintf("frame %d: %s: %s", r.Frame, r.Error.Name, r.Error.Detail)
			}
		}
		if (wrong == "") != (c.Anomaly == "") {
			t.Errorf("%s (%s): error %q", c.Name, c.Anomaly, wrong)
		}
	}
}

func TestTSVAndJSONSayTheSame(t *testing.T) {
	for _, c := range captures.Files(t) {
		out, _, err := runDecode(t, "--format", "tsv", c.Path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		rows := decodeCapture(t, c.Path)
		if len(lines) != len(rows)+1 {
			t.Errorf("%s: %d lines, %d objects", c.Name, len(lines), len(rows))
			continue
		}
		for i := range rows {
			compareTSV(t, c.Name, strings.Split(lines[i+1], "\t"), &rows[i])
		}
	}
}

// compareTSV compares a line with an object by the names of columns and keys.
func compareTSV(t *testing.T, capture string, cells []string, r *listing.Row) {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	object := json.NewDecoder(bytes.NewReader(data))
	object.UseNumber()
	var values map[string]any
	if err := object.Decode(&values); err != nil {
		t.Fatal(err)
	}
	for i, column := range listing.Columns() {
		want := ""
		if v, ok := values[column]; ok {
			want = fmt.Sprint(v)
		}
		if column == "ctx_id" && len(r.Contexts) > 0 {
			continue // a list there
		}
		if cells[i] != want {
			t.Errorf("%s: frame %d: %s is %q in tsv, %q in json", capture, r.Frame, column, cells[i], want)
		}
	}
}
