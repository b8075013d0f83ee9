package report

import (
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// sumWindow is how long repeated records are summed.
const sumWindow = time.Minute

// share is what a kind of records has of the log.
type share struct {
	lines int // in a minute
	keys  int // that are summed by themselves
}

// part of a share is what each network of clients may have of it when half of the share is taken: one client, which
// can invent names and, with IPv6, addresses, leaves room for others. Up to the half one network may have all,
// because behind a load balancer all clients may have one address.
const part = 20

// left reports whether there is room in a share, or its lines, of most for one more by a network that has mine of the taken.
func left(most, taken, mine int) bool {
	return taken < most && (taken < most/2 || mine <= most/part)
}

// Shares of the log. A flood of one kind takes nothing from another.
var (
	// ordinaryShare: 120 lines a minute of one kind are more than anybody reads.
	ordinaryShare = share{lines: 120, keys: 1000}
	shares        = map[string]share{
		// A domain controller has so many users who are refused at the same time at most, and each of
		// them is to be found in the log.
		kindReject:       {lines: 10000, keys: 10000},
		kindRejectProved: {lines: 10000, keys: 10000},
		// What has no name costs a peer nothing but addresses.
		kindRejectUnnamed: {lines: 600, keys: 2000},
		// A configuration may have hundreds of listeners and learnt ports.
		"listening": {lines: 2000, keys: 1000},
		// Asked for, by the level debug.
		kindOrdinaryEnd: {lines: 6000, keys: 1},
	}
)

// ledger takes records from all goroutines, and never waits: it hands out those that are to be written
// at once, and sums the others. It is bounded by the shares of the kinds there are.
type ledger struct {
	now    func() time.Time
	wakeup chan struct{} // has a message while something is ready

	mu        sync.Mutex
	kinds     map[string]*kindOf
	ready     []line
	once      onceNotes
	referrals onceNotes // names of servers
}

// kindOf is a kind of records.
type kindOf struct {
	name  string
	share share
	open  map[key]*sum
	of    map[netip.Prefix]*taken // networks with a key or a line
	since time.Time               // of the minute
	lines int                     // that were made ready in it
	ready int                     // of ledger.ready
	shed  int                     // records in it that have no sum and no line
}

// taken is what a network of clients has of a kind's share.
type taken struct{ keys, lines int }

// sum counts records after those that were written one by one.
type sum struct {
	from     netip.Prefix
	since    time.Time
	written  int
	repeated int
	last     record
}

// line is a record to be written, or the sum of several.
type line struct {
	record
	repeated int // 0: it is one record
	within   time.Duration
}

func newLedger(now func() time.Time) *ledger {
	return &ledger{
		now: now, wakeup: make(chan struct{}, 1), kinds: make(map[string]*kindOf),
		once: newOnceNotes(maxNotes, notesOfKind), referrals: newOnceNotes(maxReferralNames, namesOfBackend),
	}
}

// add takes a record.
func (l *ledger) add(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kind(e.key.kind)
	if e.once {
		if l.first(e.key) && !l.put(k, netip.Prefix{}, line{record: e.record}) {
			k.shed++
		}
		return
	}
	s := k.sum(e, l.now)
	if s == nil {
		k.shed++
		return
	}
	s.last = e.record
	if s.written < max(1, e.burst) && l.put(k, s.from, line{record: e.record}) {
		s.written++
		return
	}
	s.repeated++
}

// first reports whether a finding is new. Those that name a server which a client was referred to
// are many, and have a list of their own.
func (l *ledger) first(k key) bool {
	if k.c != "" {
		return l.referrals.first(k.a, k.c)
	}
	return l.once.first(k.kind, k.a)
}

func (l *ledger) kind(name string) *kindOf {
	k := l.kinds[name]
	if k == nil {
		k = &kindOf{name: name, share: ordinaryShare, open: make(map[key]*sum), of: make(map[netip.Prefix]*taken), since: l.now()}
		if s, ok := shares[name]; ok {
			k.share = s
		}
		l.kinds[name] = k
	}
	return k
}

// put makes a line ready, if the kind has some left in this minute for the network and the log takes them.
func (l *ledger) put(k *kindOf, from netip.Prefix, x line) bool {
	t := k.network(from)
	if k.ready >= k.share.lines || !left(k.share.lines, k.lines, t.lines) {
		return false
	}
	k.lines++
	k.take(from, 0, 1)
	k.ready++
	l.push(x)
	return true
}

func (l *ledger) push(x line) {
	l.ready = append(l.ready, x)
	select {
	case l.wakeup <- struct{}{}:
	default:
	}
}

// take returns the lines that are to be written.
func (l *ledger) take() []line {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.ready
	l.ready = nil
	for _, k := range l.kinds {
		k.ready = 0
	}
	return lines
}

// flush makes the sums ready whose minute is over, or all of them.
func (l *ledger) flush(all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, k := range l.kinds {
		over := now.Sub(k.since) >= sumWindow
		if over || all {
			k.newMinute()
		}
		k.flush(l, now, all)
		if k.shed > 0 && (over || all) {
			l.push(line{record: shedRecord{k.name, k.shed}, within: now.Sub(k.since)})
			k.shed = 0
		}
		if over {
			k.since = now
		}
	}
}

func (k *kindOf) flush(l *ledger, now time.Time, all bool) {
	for key, s := range k.open {
		within := now.Sub(s.since)
		switch {
		case !all && within < sumWindow:
		case s.repeated == 0:
			k.close(key)
		case l.put(k, s.from, line{s.last, s.repeated, within}):
			s.since, s.repeated, s.written = now, 0, 1
		default:
			k.shed += s.repeated
			k.close(key)
		}
	}
}

// write writes a line.
func (x line) write(log *zerolog.Logger) {
	e := x.event(log)
	if x.repeated > 0 {
		e = e.Int("repeated", x.repeated)
	}
	if x.within > 0 {
		e = e.Int64("within_ms", x.within.Milliseconds())
	}
	e.Msg(x.message())
}

// shedRecord says how many records of a kind there was no room for.
type shedRecord struct {
	kind    string
	records int
}

func (s shedRecord) event(log *zerolog.Logger) *zerolog.Event {
	return log.Warn().Str("event", "log.summed").Str("of", s.kind).Int("records", s.records)
}

func (shedRecord) message() string {
	return "so many records of this kind came within a minute that they have no lines of their own"
}
