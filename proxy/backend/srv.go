package backend

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// resolvConf names the system's DNS servers.
const resolvConf = "/etc/resolv.conf"

// srvBackend is a backend that DNS names.
type srvBackend struct {
	Backend
	lookup         func(ctx context.Context, name string, before map[string]netip.Addr) (targets, error)
	minTTL, maxTTL time.Duration

	targets []target // as DNS named them last; guarded by Set.mu
	failure string   // the reason that was reported last; used by follow alone
}

func newSRVBackend(b Backend) *srvBackend {
	lookup := newResolver(b.DNSServer, resolvConf).lookup
	return &srvBackend{Backend: b, lookup: lookup, minTTL: minTTL, maxTTL: maxTTL}
}

// follow asks DNS for the domain controllers of b until ctx ends: again when the
// answer expires, or after a pause when there was none. Targets that are known are
// kept until there is another answer.
func (s *Set) follow(ctx context.Context, b *srvBackend) {
	retry := minRetry
	before := make(map[string]netip.Addr)
	for {
		found, err := b.lookup(ctx, b.SRV, before)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.srvFailed(b, err)
		} else {
			b.failure = ""
			s.adopt(b, found)
			clear(before)
			for _, t := range found.list {
				before[t.host] = t.addr
			}
		}
		wait := retry
		if err != nil || found.partial {
			retry = min(2*retry, maxRetry)
		} else {
			wait, retry = min(max(found.ttl, b.minTTL), b.maxTTL), minRetry
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// srvFailed reports why b could not be resolved, unless it did so already.
func (s *Set) srvFailed(b *srvBackend, err error) {
	if reason := printable(err.Error()); reason != b.failure {
		b.failure = reason
		s.o.OnEvent(Event{Kind: SRVFailed, Backend: b.Name, Reason: reason})
	}
}

// adopt makes what DNS names the members of b.
func (s *Set) adopt(b *srvBackend, found targets) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(b.targets, found.list) {
		return
	}
	news := difference(b.targets, found)
	b.targets = found.list
	s.rebuild()
	s.o.OnEvent(Event{Kind: SRVChanged, Backend: b.Name, Reason: news})
}

// difference says in words what a new answer changes.
func difference(before []target, found targets) string {
	words := []string{fmt.Sprintf("%d of %d records are used", len(found.list), found.named)}
	for _, t := range found.list {
		if !slices.Contains(before, t) {
			words = append(words, fmt.Sprintf("+%s (%v, priority %d)", t.host, t.addr, t.priority))
		}
	}
	for _, t := range before {
		if !slices.Contains(found.list, t) {
			words = append(words, "-"+t.host)
		}
	}
	return printable(strings.Join(words, ", "))
}
