package captures

import (
	"errors"
	"io"
	"iter"
	"net/netip"
	"os"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// Conversation is one TCP connection with DCE/RPC on it.
type Conversation struct {
	Name    string // the capture's, see [File]
	Stream  int    // as Wireshark counts them
	Client  netip.AddrPort
	Server  netip.AddrPort
	PDUs    []*capture.PDU // of both directions, in the order in which they were complete
	Keys    secctx.Keys    // never nil; empty where nothing is known
	Anomaly string         // how PDUs of the capture break the rules, empty if they do not
}

// Whole reports whether the conversation can be followed without guesses: it begins with the bind, no PDU of it is
// missing, and each is there to its last byte.
func (c *Conversation) Whole() bool {
	for _, p := range c.PDUs {
		if p.Resumed || p.Ahead || p.Skipped != 0 || p.Cut != 0 {
			return false
		}
	}
	return len(c.PDUs) > 0 && c.PDUs[0].Header.Type == rpcparse.PTypeBind
}

// All yields every conversation of the collection, capture by capture. It skips the test where that is absent.
func All(t testing.TB) iter.Seq[Conversation] {
	t.Helper()
	return conversations(t, Files(t))
}

func conversations(t testing.TB, files []File) iter.Seq[Conversation] {
	return func(yield func(Conversation) bool) {
		for _, f := range files {
			for _, c := range f.Conversations(t) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// Conversations returns the conversations of one capture, in the order of their first PDUs.
func (f File) Conversations(t testing.TB) []Conversation {
	t.Helper()
	keys := f.Keys(t)
	var all []Conversation
	index := make(map[*capture.Connection]int)
	for p := range f.PDUs(t) {
		i, known := index[p.Connection]
		if !known {
			i = len(all)
			index[p.Connection] = i
			all = append(all, Conversation{Name: f.Name, Stream: p.Connection.Stream, Client: p.Connection.Client,
				Server: p.Connection.Server, Keys: keys, Anomaly: f.Anomaly})
		}
		all[i].PDUs = append(all[i].PDUs, p)
	}
	return all
}

// PDUs yields the PDUs of all connections of the capture, in the order of the frames that complete them. A capture that
// cannot be read to its end fails the test.
func (f File) PDUs(t testing.TB) iter.Seq[*capture.PDU] {
	t.Helper()
	return func(yield func(*capture.PDU) bool) {
		file, err := os.Open(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r, err := capture.NewReader(file)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		for {
			p, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			if !yield(p) {
				return
			}
		}
	}
}
