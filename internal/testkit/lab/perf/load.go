package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

const (
	requestStub  = 200 // bytes
	pingWorkers  = 32
	dialWorkers  = 8
	dialAtOnce   = 16 // connections of the memory test that are opened at the same time
	microseconds = float64(time.Microsecond)
)

// sample is one measurement of one subject.
type sample struct {
	rate     float64 // per second
	p50, p99 float64 // microseconds
	cpu      float64 // microseconds of the proxy's CPU time per unit of rate; 0 without a proxy
}

// worker does the same thing again and again; do is what is timed.
type worker interface {
	do() error
	close()
}

// load runs workers for d and returns the rate and the latencies of what they did.
func load(workers []worker, d time.Duration) (sample, int, error) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		all   []time.Duration
		first error
	)
	begin := time.Now()
	end := begin.Add(d)
	for _, w := range workers {
		wg.Go(func() {
			took, err := repeat(w, end)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begin)
	if first != nil || len(all) == 0 {
		return sample{}, 0, fmt.Errorf("%d answers, then: %w", len(all), first)
	}
	slices.Sort(all)
	return sample{
		rate: float64(len(all)) / elapsed.Seconds(),
		p50:  float64(all[len(all)/2]) / microseconds,
		p99:  float64(all[len(all)*99/100]) / microseconds,
	}, len(all), nil
}

func repeat(w worker, end time.Time) ([]time.Duration, error) {
	var took []time.Duration
	for now := time.Now(); now.Before(end); {
		if err := w.do(); err != nil {
			return took, err
		}
		then := now
		now = time.Now()
		took = append(took, now.Sub(then))
	}
	return took, nil
}

// pinger asks and waits for the answer on one connection. A request allocates nothing.
type pinger struct {
	conn *client.Conn
	stub []byte
	out  []byte // the last request, kept for its capacity
	call uint32
}

func newPinger(address string) (*pinger, error) {
	c, err := client.Dial(address, client.Options{})
	if err != nil {
		return nil, err
	}
	return &pinger{conn: c, stub: make([]byte, requestStub)}, nil
}

func (p *pinger) do() error {
	p.call = p.conn.NextCallID()
	h := rpcparse.Header{Type: rpcparse.PTypeRequest, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: p.call}
	var err error
	p.out, err = rpcparse.AppendRequest(p.out[:0], rpcparse.Request{Header: h, AllocHint: requestStub, Opnum: opnumQueryRows, Stub: p.stub})
	if err != nil {
		return err
	}
	if err := p.conn.Write(p.out); err != nil {
		return err
	}
	n, err := p.answer()
	if err == nil && n != answerStub {
		err = fmt.Errorf("%d bytes answered instead of %d", n, answerStub)
	}
	return err
}

// answer reads all fragments of an answer and returns how long their stubs are.
func (p *pinger) answer() (n int, err error) {
	for {
		pdu, h, err := p.conn.NextPDU()
		if err != nil {
			return 0, err
		}
		if h.Type != rpcparse.PTypeResponse || h.CallID != p.call {
			return 0, fmt.Errorf("call %d answered by %s of call %d", p.call, h.Type, h.CallID)
		}
		r, err := rpcparse.ParseResponse(pdu)
		if err != nil {
			return 0, err
		}
		if n += len(r.Stub); h.Last() {
			return n, nil
		}
	}
}

func (p *pinger) close() { p.conn.Close() }

// dialler makes a connection for every request.
type dialler struct{ address string }

func (d dialler) do() error {
	p, err := newPinger(d.address)
	if err != nil {
		return err
	}
	defer p.close()
	return p.do()
}

func (dialler) close() {}

// openIdle opens n connections that have had one answer each, and an NSPI session if asked for. The caller closes them.
func openIdle(address string, n int, session bool) ([]*client.Conn, error) {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		conns  []*client.Conn
		failed error
	)
	for w := range dialAtOnce {
		wg.Go(func() {
			for i := w; i < n; i += dialAtOnce {
				c, err := openOne(address, session)
				mu.Lock()
				if err != nil {
					failed = err
				} else {
					conns = append(conns, c)
				}
				stop := failed != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	return conns, failed
}

func openOne(address string, session bool) (*client.Conn, error) {
	p, err := newPinger(address)
	if err != nil {
		return nil, err
	}
	if session {
		_, err = p.conn.NspiBind()
	} else {
		err = p.do()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	p.conn.Release()
	return p.conn, nil
}
