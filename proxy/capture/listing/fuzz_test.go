package listing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/proxy/capture/listing"
)

// FuzzListing lists what a client and a server say, whatever that is, in all
// formats: each stays what it is, and nothing but printable text comes out.
func FuzzListing(f *testing.F) {
	f.Add(capturetest.Bind(1), capturetest.BindAck(1))
	f.Add(bytes.Join([][]byte{capturetest.Bind(1), capturetest.Request(2, 0, 60)}, nil), bytes.Join([][]byte{capturetest.BindAck(1), capturetest.Response(2, 44)}, nil))
	f.Add(capturetest.PDU(16, 1, []byte("\x00\x00\x00\x00\x0a\x02\x00\x00\x00\x00\x00\x00NTLMSSP\x00")), capturetest.PDU(13, 1, make([]byte, 8)))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		client, server = client[:min(len(client), 30000)], server[:min(len(server), 30000)]
		c := capturetest.NewTalk()
		file := ethernet(c.SYN(), c.SYNACK(), c.Client(client), c.Server(server), c.Client(client))
		for _, format := range listing.Formats() {
			checkFormat(t, format, listAll(t, format, file))
		}
	})
}

// listAll prints what a file holds.
func listAll(t *testing.T, format string, file []byte) string {
	t.Helper()
	r, err := capture.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	w, err := listing.NewWriter(format, &out)
	if err != nil {
		t.Fatal(err)
	}
	var l listing.Lister
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(l.Row(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func checkFormat(t *testing.T, format, out string) {
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		cells := strings.Split(line, "\t")
		switch {
		case format == "tsv" && len(cells) != len(listing.Columns()):
			t.Fatalf("%d columns in %q", len(cells), line)
		case format == "json" && !json.Valid([]byte(line)):
			t.Fatalf("not JSON: %q", line)
		}
		for _, r := range strings.Join(cells, "") {
			if !unicode.IsPrint(r) {
				t.Fatalf("%U in %q", r, line)
			}
		}
	}
}
