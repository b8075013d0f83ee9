//go:build lab

package decode

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/internal/testkit/oracle"
	"github.com/nspiproxy/nspiproxy/proxy/capture/listing"
)

// TestEveryCaptureReadsAsTsharkReadsIt compares, field by field, what decode says about each capture of the collection
// with what tshark says about it now.
func TestEveryCaptureReadsAsTsharkReadsIt(t *testing.T) {
	var total oracle.Report
	files := captures.Files(t)
	for _, c := range files {
		report := oracle.Compare(c.Name, tsharkTable(t, c), decodeRows(t, c.Path))
		for _, d := range report.Differences {
			t.Errorf("%s: %s", c.Name, d)
		}
		total.PDUs += report.PDUs
		total.Cells += report.Cells
		total.Known += report.Known
	}
	t.Logf("%d captures, %d PDUs, %d cells compared, %d of them differ as known", len(files), total.PDUs, total.Cells, total.Known)
}

// tsharkTable has tshark read a capture.
func tsharkTable(t *testing.T, c captures.File) *oracle.Table {
	t.Helper()
	args := append([]string{"-n", "-r", c.Path}, c.Extra...)
	args = append(args, "-Y", "dcerpc && tcp && !smb && !smb2",
		"-T", "fields", "-E", "header=y", "-E", "occurrence=a", "-E", "aggregator=,")
	for _, f := range oracle.Fields() {
		args = append(args, "-e", f)
	}
	table, err := oracle.ReadTable(bytes.NewReader(output(t, "tshark", args...)))
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	return table
}

// decodeRows has the program read a capture.
func decodeRows(t *testing.T, file string) []listing.Row {
	t.Helper()
	rows, err := oracle.ReadRows(bytes.NewReader(output(t, lab.Program(t), "decode", "--format", "json", file)))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return rows
}

func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, stderr.Bytes())
	}
	return out
}

// TestScenariosReadAsTsharkReadsThem holds tshark to what the tests of package capture expect: stream numbers above all,
// which the collection of captures has few difficult cases of.
func TestScenariosReadAsTsharkReadsThem(t *testing.T) {
	for _, s := range capturetest.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "scenario.pcap")
			if err := os.WriteFile(file, s.File, 0o600); err != nil {
				t.Fatal(err)
			}
			want := s.PDUs
			if s.Why != "" {
				want = s.Tshark
			}
			pdus, streams := tsharkBrief(t, file, s.Options)
			if !slices.Equal(pdus, want) {
				t.Errorf("PDUs:\ntshark %q\nwant   %q", pdus, want)
			}
			if streams != s.Streams {
				t.Errorf("tshark counts %d streams, want %d", streams, s.Streams)
			}
		})
	}
}

// tsharkBrief lists the PDUs that tshark finds as scenarios do, and counts the TCP streams.
func tsharkBrief(t *testing.T, file string, options []string) (pdus []string, streams int) {
	t.Helper()
	for _, row := range lab.DissectWith(t, options, file, "tcp", "frame.number", "tcp.stream", "dcerpc.pkt_type", "dcerpc.cn_call_id") {
		if row[1] == "" {
			continue // the header was cut
		}
		stream, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatalf("stream %q", row[1])
		}
		streams = max(streams, stream+1)
		if row[2] == "" {
			continue
		}
		calls := strings.Split(row[3], ",")
		for i, ptype := range strings.Split(row[2], ",") {
			pdus = append(pdus, fmt.Sprintf("%s %d %s %s", row[0], stream, ptype, calls[i]))
		}
	}
	return pdus, streams
}
