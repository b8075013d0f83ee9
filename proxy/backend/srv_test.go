package backend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeDNS answers what it is told to. Ports of NSPI are fixed and the network
// takes every connection, so that everything happens in the bubble.
type fakeDNS struct {
	*fakeHost
	mu     sync.Mutex
	answer targets
	err    error
	asked  []time.Time
	before map[string]netip.Addr // as it was told with the latest question
}

// follow makes a set with the backend "site" that DNS names, and maybe others
// before it.
func follow(others ...Backend) (*Set, *fakeDNS) {
	f := &fakeDNS{fakeHost: newFakeHost()}
	s := f.set(Options{Backends: append(others, Backend{Name: "site", SRV: srvName, NSPIPort: 7})})
	f.serve(s, "site")
	return s, f
}

// serve makes f answer for a backend.
func (f *fakeDNS) serve(s *Set, name string) {
	for _, b := range s.srv {
		if b.Name == name {
			b.lookup = f.lookup
		}
	}
}

func (f *fakeDNS) lookup(_ context.Context, name string, before map[string]netip.Addr) (targets, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if name != srvName {
		return targets{}, errors.New("asked for " + name)
	}
	f.asked = append(f.asked, time.Now())
	f.before = before
	return f.answer, f.err
}

// says changes the answer: hosts with the last byte of their addresses.
func (f *fakeDNS) says(ttl time.Duration, hosts ...target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.err = targets{list: hosts, ttl: ttl, named: len(hosts)}, nil
}

func (f *fakeDNS) fails(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.err = targets{}, err
}

// pauses returns the times between questions since the last call, in seconds.
func (f *fakeDNS) pauses() (list []int) {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.asked[1:] {
		list = append(list, int(f.asked[i+1].Sub(f.asked[i]).Seconds()))
	}
	f.asked = f.asked[len(f.asked)-1:]
	return list
}

func host(name string, last byte) target {
	return target{host: name, addr: netip.AddrFrom4([4]byte{10, 0, 0, last})}
}

func names(list []*DC) (words []string) {
	for _, dc := range list {
		words = append(words, fmt.Sprintf("%s %v", dc.Name, dc.Addr))
	}
	return words
}

func wantMembers(t *testing.T, s *Set, config string, want ...string) []*DC {
	t.Helper()
	synctest.Wait()
	list := s.Members(config)
	if got := names(list); !slices.Equal(got, want) {
		t.Fatalf("members of %s: %q, want %q", config, got, want)
	}
	return list
}

func TestAnswerIsUsedAsLongAsItLives(t *testing.T) {
	for _, tc := range []struct {
		ttl  time.Duration
		want int
	}{{20 * time.Second, 20}, {0, 5}, {time.Second, 5}, {24 * time.Hour, 3600}} {
		synctest.Test(t, func(t *testing.T) {
			s, f := follow()
			f.says(tc.ttl, host("dc1", 1))
			run(t, s)
			time.Sleep(10*time.Duration(tc.want)*time.Second + time.Second)
			if got := f.pauses(); !slices.Equal(got, slices.Repeat([]int{tc.want}, 10)) {
				t.Errorf("TTL %v: asked again after %v s", tc.ttl, got)
			}
			wantEvents(t, f.fakeHost, "srv.changed")
		})
	}
}

func TestFailureKeepsWhatIsKnownAndIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := follow()
		f.fails(errors.New("SERVFAIL"))
		run(t, s)
		time.Sleep(100 * time.Second)
		wantMembers(t, s, "site")
		if got := f.pauses(); !slices.Equal(got, []int{5, 10, 20, 30, 30}) {
			t.Errorf("tried again after %v s", got)
		}
		f.says(20*time.Second, host("dc1", 1))
		time.Sleep(30 * time.Second)
		wantMembers(t, s, "site", "site/dc1 10.0.0.1")
		for _, err := range []error{errors.New("timeout"), errNoName, errors.New("the answer has no SRV records")} {
			f.fails(err)
			time.Sleep(time.Minute)
			wantMembers(t, s, "site", "site/dc1 10.0.0.1")
		}
		f.says(20*time.Second, host("dc1", 1))
		time.Sleep(time.Minute)
		f.pauses()
		f.fails(errors.New("the answer has no SRV records")) // as before, but news
		time.Sleep(time.Minute)
		if got := f.pauses(); !slices.Equal(got, []int{20, 5, 10, 20}) {
			t.Errorf("tried again after %v s", got)
		}
		wantEvents(t, f.fakeHost, "srv.failed", "srv.changed", "srv.failed", "srv.failed", "srv.failed", "srv.failed")
	})
}

func TestAnswerWithGapsIsUsedAndAskedForAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := follow()
		f.says(time.Hour, host("dc1", 1), host("dc2", 2))
		f.answer.partial = true
		run(t, s)
		time.Sleep(40 * time.Second)
		wantMembers(t, s, "site", "site/dc1 10.0.0.1", "site/dc2 10.0.0.2")
		if got := f.pauses(); !slices.Equal(got, []int{5, 10, 20}) {
			t.Errorf("tried again after %v s", got)
		}
		if len(f.before) != 2 || f.before["dc2"] != host("dc2", 2).addr {
			t.Errorf("what is known: %v", f.before)
		}
	})
}

func TestDomainControllerThatLeavesIsRememberedAndLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := follow()
		s.o.Prober = f.probe
		f.says(20*time.Second, host("dc1", 1), host("dc2", 2))
		run(t, s)
		dc2 := wantMembers(t, s, "site", "site/dc1 10.0.0.1", "site/dc2 10.0.0.2")[1]
		f.says(20*time.Second, host("dc1", 1))
		time.Sleep(30 * time.Second)
		dc1 := wantMembers(t, s, "site", "site/dc1 10.0.0.1")[0]
		if s.At(dc2.Addr) != dc2 {
			t.Error("its address is somebody else's now")
		}
		if !slices.Equal(s.All(), []*DC{dc1}) {
			t.Errorf("monitored: %v", names(s.All()))
		}
		checked, _ := dc2.LastProbe()
		f.becomes(dead, gone)
		for range 9 {
			dc2.DialFailed(7, true)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if again, _ := dc2.LastProbe(); again != checked || dc2.State() != Serving || dc1.State() != Unreachable {
			t.Errorf("%v: %v, %v: %v", dc1.Name, dc1.State(), dc2.Name, dc2.State())
		}

		f.says(20*time.Second, host("dc1", 1), host("dc2", 2))
		time.Sleep(time.Minute)
		wantMembers(t, s, "site", "site/dc1 10.0.0.1", "site/dc2 10.0.0.2")
		if s.Members("site")[1] != dc2 || dc2.State() != Unreachable {
			t.Error("it did not come back as the same, monitored")
		}
		e := f.events[0]
		if want := "2 of 2 records are used, +dc1 (10.0.0.1, priority 0), +dc2 (10.0.0.2, priority 0)"; e.Reason != want {
			t.Errorf("told %q", e.Reason)
		}
	})
}

func TestDomainControllerThatIsBackAtOnceIsLookedAfterOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := follow()
		f.says(time.Hour, host("dc1", 1))
		run(t, s)
		dc := wantMembers(t, s, "site", "site/dc1 10.0.0.1")[0]
		s.adopt(s.srv[0], targets{})
		s.adopt(s.srv[0], f.answer)
		synctest.Wait()
		if got := len(f.portsReported(dc)); got != 2 {
			t.Errorf("begun %d times, want twice", got)
		}
	})
}

func TestSetThatEndsBeforeItBeginsDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeHost()
		s := w.set(Options{Prober: w.probe})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Run(ctx)
		if len(w.portsReported(s.All()[0])) != 0 || len(w.probes) != 0 {
			t.Error("monitored")
		}
	})
}

func TestOnlyTheLatestToLeaveAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := follow()
		f.says(0, host("dc0", 0))
		run(t, s)
		synctest.Wait()
		first := s.Members("site")[0]
		for i := range maxRetired + 1 {
			if s.At(first.Addr) != first {
				t.Fatalf("forgotten after %d", i)
			}
			f.says(0, host(fmt.Sprint("dc", i+1), byte(i+1)))
			time.Sleep(5 * time.Second)
			synctest.Wait()
		}
		if s.At(first.Addr) == first || len(s.named) != maxRetired+1 {
			t.Errorf("%d remembered", len(s.named))
		}
	})
}

func TestDomainControllerOfSeveralBackendsIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		static := Backend{Name: "dc2", Address: host("", 2).addr, NSPIPort: 7}
		other := Backend{Name: "dc3", Address: host("", 3).addr, NSPIPort: 8} // of the same host, by another port
		more := Backend{Name: "all", SRV: srvName, NSPIPort: 7}
		s, f := follow(more, static, other)
		f.serve(s, "all")
		f.says(20*time.Second, host("dc1", 1), host("dc2", 2), host("dc3", 3))
		run(t, s)
		want := []string{"all/dc1 10.0.0.1", "dc2 10.0.0.2", "dc3 10.0.0.3"}
		all := wantMembers(t, s, "all", want...)
		if site := wantMembers(t, s, "site", want...); !slices.Equal(site, all) {
			t.Error("the same names, but not the same ones")
		}
		wantMembers(t, s, "dc2", "dc2 10.0.0.2")
		if got := names(s.All()); len(got) != 3 {
			t.Errorf("monitored: %q", got)
		}
		if got := s.At(host("", 3).addr).Name; got != "dc3" {
			t.Errorf("%s at the address of the configured one", got)
		}
	})
}

func TestSmallTTLAndRemovedTargetWithARealServer(t *testing.T) {
	d := newDNSServer(t, site)
	got := &reports{}
	s := New(got.into(Options{Backends: []Backend{{Name: "site", SRV: srvName, DNSServer: d.addr, NSPIPort: 7}}}))
	s.srv[0].minTTL, s.srv[0].maxTTL = 0, time.Millisecond
	run(t, s)
	is := func(want ...string) func() bool {
		return func() bool { return slices.Equal(names(s.Members("site")), want) }
	}
	eventually(t, "both are members", is("site/dc1.corp.example 10.0.0.11", "site/dc2.corp.example 10.0.0.12"))
	if p := s.Members("site")[1].Priority(); p != 10 {
		t.Errorf("priority %d", p)
	}
	d.load(t, strings.Replace(site, "10.0.0.11", "10.0.0.99", 1))
	eventually(t, "one has moved", is("site/dc1.corp.example 10.0.0.99", "site/dc2.corp.example 10.0.0.12"))
	d.load(t, strings.ReplaceAll(site, "\n_gc._tcp.corp.example. 600 IN SRV 0", "\n;"))
	eventually(t, "one has left", is("site/dc2.corp.example 10.0.0.12"))
	d.load(t, "")
	eventually(t, "the empty answer is reported", func() bool { return got.has(SRVFailed) })
	if !is("site/dc2.corp.example 10.0.0.12")() {
		t.Errorf("members %q", names(s.Members("site")))
	}
}
