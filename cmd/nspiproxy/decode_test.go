package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/capture/oracle"
)

// collection returns the captures, or skips the test where they are absent.
func collection(t *testing.T) []oracle.Capture {
	t.Helper()
	folder, ok := oracle.Folder(filepath.Join("..", ".."))
	if !ok {
		t.Skipf("no captures in %s: set %s to their folder", folder, oracle.FolderVariable)
	}
	captures, err := oracle.Captures(folder)
	if err != nil {
		t.Fatal(err)
	}
	return captures
}

// run runs the decode command and returns what it prints.
func run(t *testing.T, args ...string) (out, notes string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := newDecodeCommand()
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(args)
	err = cmd.Execute()
	return stdout.String(), stderr.String(), err
}

func TestEveryCaptureReadsAsInTheStoredTables(t *testing.T) {
	var total oracle.Report
	captures := collection(t)
	for _, c := range captures {
		if c.Table == "" || c.NetMon {
			continue
		}
		out, _, err := run(t, "--format", "json", c.File)
		if err != nil {
			t.Errorf("%s: %v", c.Path, err)
			continue
		}
		report := compareStored(t, c, out)
		for _, d := range report.Differences {
			t.Errorf("%s: %s", c.Path, d)
		}
		total.PDUs += report.PDUs
		total.Cells += report.Cells
		total.Known += report.Known
	}
	t.Logf("%d captures, %d PDUs, %d cells compared, %d of them differ as known", len(captures), total.PDUs, total.Cells, total.Known)
}

func compareStored(t *testing.T, c oracle.Capture, out string) oracle.Report {
	t.Helper()
	rows, err := oracle.ReadRows(bytes.NewBufferString(out))
	if err != nil {
		t.Fatalf("%s: %v", c.Path, err)
	}
	file, err := os.Open(c.Table)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table, err := oracle.ReadTable(file)
	if err != nil {
		t.Fatalf("%s: %v", c.Table, err)
	}
	return oracle.Compare(c.Path, table, rows)
}
