package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// results holds every sample, by subject.
type results struct {
	ping, connect map[string][]sample
	idle, session map[string]float64 // KiB per connection
}

// settleTime lets a proxy finish with connections before its memory is read.
const settleTime = 1500 * time.Millisecond

// run measures all rounds, then memory.
func (b *bench) run(ctx context.Context) error {
	b.results = results{
		ping: map[string][]sample{}, connect: map[string][]sample{},
		idle: map[string]float64{}, session: map[string]float64{},
	}
	for round := range b.rounds {
		for i := range b.subjects {
			s := b.subjects[(i+round)%len(b.subjects)]
			if err := b.measure(ctx, s); err != nil {
				return fmt.Errorf("%s, round %d: %w", s.name, round+1, err)
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, b.rounds)
	}
	for _, s := range b.subjects {
		if s.command == nil || b.idle == 0 {
			continue
		}
		for _, m := range []struct {
			into    map[string]float64
			session bool
		}{{b.results.idle, false}, {b.results.session, true}} {
			each, err := b.memory(ctx, s, m.session)
			if err != nil {
				return fmt.Errorf("%s, idle connections: %w", s.name, err)
			}
			m.into[s.name] = each
		}
	}
	return nil
}

// measure takes one sample of each kind of load.
func (b *bench) measure(ctx context.Context, s *subject) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	pingers, err := newPingers(s.address)
	defer closeAll(pingers)
	if err != nil {
		return err
	}
	if err := b.sample(s, pingers, b.results.ping); err != nil {
		return err
	}
	diallers := make([]worker, dialWorkers)
	for i := range diallers {
		diallers[i] = dialler{s.address}
	}
	return b.sample(s, diallers, b.results.connect)
}

func newPingers(address string) ([]worker, error) {
	var all []worker
	for range pingWorkers {
		p, err := newPinger(address)
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
	return all, nil
}

func closeAll(workers []worker) {
	for _, w := range workers {
		w.close()
	}
}

// sample runs workers and adds what they and the proxy needed to the samples of s.
func (b *bench) sample(s *subject, workers []worker, into map[string][]sample) error {
	before := 0.0
	if s.proxy != nil {
		before = cpuTime(s.proxy.Process.Pid)
	}
	r, n, err := load(workers, b.time)
	if err != nil {
		return err
	}
	if s.proxy != nil {
		r.cpu = (cpuTime(s.proxy.Process.Pid) - before) / float64(n)
	}
	into[s.name] = append(into[s.name], r)
	return nil
}

// memory returns what one idle connection costs s, in KiB of PSS. The process is a new one: what it kept from earlier
// connections would make these look cheap.
func (b *bench) memory(ctx context.Context, s *subject, session bool) (float64, error) {
	if err := b.restart(ctx, s); err != nil {
		return 0, err
	}
	pid := s.proxy.Process.Pid
	before := pss(pid)
	clients, err := openIdle(s.address, min(b.idle, fileLimit()/2-500), session)
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	if err != nil {
		return 0, err
	}
	time.Sleep(settleTime)
	return (pss(pid) - before) / float64(len(clients)), nil
}
