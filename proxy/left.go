package proxy

import (
	"context"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/halfopen"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/proxy/transparent"
)

// connectionRecord is the record of the connections to domain controllers, for the case
// that a crash leaves some open there. Without a file it keeps nothing.
type connectionRecord struct{ file atomic.Pointer[halfopen.File] }

var _ relay.Record = (*connectionRecord)(nil)

// Put implements relay.Record.
func (r *connectionRecord) Put(local, server netip.AddrPort, foreign bool) int32 {
	f := r.file.Load()
	if f == nil {
		return 0
	}
	return f.Put(halfopen.Connection{Local: local, Server: server, Foreign: foreign})
}

// Clear implements relay.Record.
func (r *connectionRecord) Clear(n int32) { r.file.Load().Clear(n) }

// open opens the file. Where its folder does not exist, this is no service with a place for
// its state, and nothing is kept.
func (r *connectionRecord) open(path string, size int, events inspect.Events) {
	if path == "" {
		return
	}
	if _, err := os.Stat(filepath.Dir(path)); os.IsNotExist(err) {
		events.Report(inspect.ConnectionFile{Err: &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}, Expected: true})
		return
	}
	f, err := halfopen.Open(path, size)
	if err != nil {
		events.Report(inspect.ConnectionFile{Err: err})
		return
	}
	r.file.Store(f)
}

// close closes the file, when no connection is left.
func (r *connectionRecord) close(events inspect.Events) {
	f := r.file.Swap(nil)
	if f == nil {
		return
	}
	if err := f.Close(); err != nil {
		events.Report(inspect.ConnectionFile{Err: err})
	}
}

const (
	// leftPause and leftPauseMax are between two attempts to end what is left: a domain
	// controller, or the network to it, may start later than this program.
	leftPause    = 5 * time.Second
	leftPauseMax = time.Minute
	// leftTime is after how long they end by themselves: Windows asks for a sign of life.
	leftTime = 2 * time.Hour
)

// finishLeft ends what an earlier run has left open on domain controllers. It tells what
// became of it when it has tried, and when more is known.
func (s *Server) finishLeft(ctx context.Context) {
	f := s.record.file.Load()
	if f == nil {
		return
	}
	for began, pause, before := time.Now(), leftPause, (halfopen.Report{}); ; pause = min(2*pause, leftPauseMax) {
		r := f.Finish(ctx, passing())
		if r.Ended != 0 || r.Passed != 0 || r.Unknown != before.Unknown {
			s.reporter.Report(inspect.ConnectionsLeft(r))
		}
		if before = r; r.Unknown == 0 {
			return
		}
		if time.Since(began) > leftTime {
			f.Forget()
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// passing returns what reports whether a connection passes by. Where that is not known, each
// may: what lives may not be ended.
func passing() func(halfopen.Connection) bool {
	passes, err := transparent.Passes()
	if err != nil {
		passes = func(_, _ netip.AddrPort) bool { return true }
	}
	return func(c halfopen.Connection) bool { return c.Foreign && passes(c.Local, c.Server) }
}
