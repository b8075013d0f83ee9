package halfopen

import (
	"context"
	"net"
	"sync"
	"time"
)

const (
	// parallel is how many connections are looked for at the same time.
	parallel = 256
	// connectPause is the least time between two connects: a server accepts each, and older
	// systems give a thousand of the answers that matter in a second (RFC 5961 7).
	connectPause = time.Millisecond
	// connectWait is how long a connect may take. Since Linux 5.2 the kernel sends its first
	// packet again at once when it has reset an old connection, older ones after a second.
	connectWait = 2500 * time.Millisecond
	// maxConnects is how often a server is asked for each connection, which does not answer or
	// whose answer gets lost.
	maxConnects = 3
)

// Report is what became of connections that an earlier run has left.
type Report struct {
	Ended   int // the server has none, or none any more
	Unknown int // the server did not answer: they stay in the file
	Passed  int // in use again: by this machine, or past the program
}

// add counts one.
func (r *Report) add(o outcome) {
	switch o {
	case outcomeEnded:
		r.Ended++
	case outcomeUnknown:
		r.Unknown++
	case outcomePassed:
		r.Passed++
	}
}

// outcome is what became of one connection.
type outcome uint8

const (
	outcomeEnded outcome = iota
	outcomeUnknown
	outcomePassed
)

// Finish ends what an earlier run has left, but for connections that pass by the
// program, and returns when that is done or ctx ends. A server that has not answered may
// do so later, when Finish is called again: not by two goroutines at the same time.
func (f *File) Finish(ctx context.Context, passes func(Connection) bool) Report {
	return f.finish(ctx, passes, connect)
}

func (f *File) finish(ctx context.Context, passes func(Connection) bool, connect connector) (r Report) {
	var mu sync.Mutex
	var workers sync.WaitGroup
	next := make(chan int32)
	var left []int32
	for range min(parallel, len(f.left)) {
		workers.Go(func() {
			for n := range next {
				c := f.connection(n)
				o := outcomePassed
				if !passes(c) {
					o = end(ctx, c, connect)
				}
				stays := o == outcomeUnknown || ctx.Err() != nil
				if !stays {
					f.Clear(n)
				}
				mu.Lock()
				if stays {
					left = append(left, n)
				}
				if ctx.Err() == nil {
					r.add(o)
				}
				mu.Unlock()
			}
		})
	}
	ticker := time.NewTicker(connectPause)
	defer ticker.Stop()
	for _, n := range f.left {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
		next <- n
	}
	close(next)
	workers.Wait()
	f.left = left
	return r
}

// Forget gives up what is left.
func (f *File) Forget() {
	for _, n := range f.left {
		f.Clear(n)
	}
	f.left = nil
}

// connection returns a connection that an earlier run has left.
func (f *File) connection(n int32) Connection {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, _ := decode(f.record(n))
	return c
}

// connector connects as c did, and resets that connection at once. It gives up after
// connectWait.
type connector func(ctx context.Context, c Connection) error

// end ends one connection.
func end(ctx context.Context, c Connection, connect connector) outcome {
	for range maxConnects {
		switch err := connect(ctx, c); {
		case err == nil || isRefused(err):
			return outcomeEnded
		case isInUse(err):
			return outcomePassed
		case ctx.Err() != nil:
			return outcomeUnknown
		}
	}
	return outcomeUnknown
}

// connect is the connector.
func connect(ctx context.Context, c Connection) error {
	d := net.Dialer{Timeout: connectWait, KeepAlive: -1, LocalAddr: net.TCPAddrFromAddrPort(c.Local), Control: control(c)}
	conn, err := d.DialContext(ctx, "tcp", c.Server.String())
	if err != nil {
		return err
	}
	_ = conn.(*net.TCPConn).SetLinger(0) // a reset
	return conn.Close()
}
