package oracle

import (
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/capture/listing"
)

func TestJudgeFindsEveryKindOfDifference(t *testing.T) {
	row := func(frame int, call uint32) listing.Row {
		return listing.Row{Frame: frame, Dir: "c", Client: "10.0.0.1:1", Server: "10.0.0.2:135", CallID: call, Drep: "10000000"}
	}
	const header = "frame.number\tdcerpc.cn_call_id\n"
	tests := []struct {
		name  string
		table string
		rows  []listing.Row
		want  []string
	}{
		{"equal", header + "3\t1,2\n4\t3\n", []listing.Row{row(3, 1), row(3, 2), row(4, 3)}, nil},
		{"another value", header + "3\t1\n", []listing.Row{row(3, 7)}, []string{`frame 3: dcerpc.cn_call_id is "7", tshark says "1"`}},
		{"a PDU less", header + "3\t1,2\n", []listing.Row{row(3, 1)}, []string{`frame 3: dcerpc.cn_call_id is "1", tshark says "1,2"`}},
		{"a frame less", header + "3\t1\n4\t2\n", []listing.Row{row(3, 1)}, []string{"frame 4: only tshark has PDUs"}},
		{"a frame more", header + "3\t1\n", []listing.Row{row(3, 1), row(4, 2)}, []string{"frame 4: tshark has no PDUs"}},
		{"another order", header + "3\t1\n4\t2\n", []listing.Row{row(4, 2), row(3, 1)}, []string{"frame 3 comes after frame 4"}},
		{"a column nobody knows", "frame.number\tdns.id\n3\t1\n", []listing.Row{row(3, 1)}, []string{"column dns.id cannot be compared"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table, err := ReadTable(strings.NewReader(tt.table))
			if err != nil {
				t.Fatal(err)
			}
			if got := Compare("x.pcap", table, tt.rows); !slices.Equal(got.Differences, tt.want) {
				t.Errorf("differences %q, want %q", got.Differences, tt.want)
			}
		})
	}
}

func TestKnownDifferencesAreForgivenWhereTheyAreKnown(t *testing.T) {
	for _, d := range KnownDifferences {
		if d.Why == "" {
			t.Errorf("%+v has no reason", d)
		}
		column := d.Column
		if strings.HasSuffix(column, ".") {
			column += "x"
		}
		if !known(d.Capture, d.Frames[0], column) || known("other.pcap", d.Frames[0], column) || known(d.Capture, 0, column) || known(d.Capture, d.Frames[0], "tcp.stream") {
			t.Errorf("%+v is forgiven elsewhere, or not at all", d)
		}
	}
}

func TestTablesThatAreNoneAreRefused(t *testing.T) {
	for _, text := range []string{"", "ip.src\tip.dst\n", "frame.number\tip.src\n1\n", "frame.number\nx\n"} {
		if _, err := ReadTable(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken for a table", text)
		}
	}
	if _, err := ReadRows(strings.NewReader(`{"frame":1}{"unheard_of":1}`)); err == nil {
		t.Error("a field that rows do not have is accepted")
	}
}
