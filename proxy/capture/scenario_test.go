package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
)

// read reads a whole file. The error is nil at its end.
func read(t testing.TB, file []byte) ([]*capture.PDU, *capture.Reader, error) {
	t.Helper()
	r, err := capture.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, nil, err
	}
	var pdus []*capture.PDU
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return pdus, r, nil
		}
		if err != nil {
			return pdus, r, err
		}
		pdus = append(pdus, p)
	}
}

// brief writes PDUs as scenarios do.
func brief(pdus []*capture.PDU) []string {
	var out []string
	for _, p := range pdus {
		out = append(out, fmt.Sprintf("%d %d %d %d", p.Frame, p.Connection.Stream, p.Header.Type, p.Header.CallID))
	}
	return out
}

func TestScenarios(t *testing.T) {
	for _, s := range capturetest.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			pdus, r, err := read(t, s.File)
			if err != nil {
				t.Fatal(err)
			}
			if got := brief(pdus); !slices.Equal(got, s.PDUs) {
				t.Errorf("PDUs:\n got %q\nwant %q", got, s.PDUs)
			}
			if got := r.Counts().Connections; got != s.Streams {
				t.Errorf("%d connections, want %d", got, s.Streams)
			}
		})
	}
}
