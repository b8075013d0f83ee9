package inspect

import (
	"errors"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/session"
)

// claiming is a connection whose client says that it is alice. The server has not
// accepted that yet.
func claiming(s *site, client string) (*driver, rpc) {
	s.t.Helper()
	sec := alice(s.t, rpcparse.LevelConnect)
	d := s.connect(from(client))
	d.bound(sec)
	return d, nspiBind(2, sec)
}

// twoClaims are two connections of different clients that claim to be alice, who
// may have one session. The bind of the first is under way, that of the second
// waits.
func twoClaims(t *testing.T) (s *site, one, two *driver, call rpc) {
	t.Helper()
	s = newSite(t, limit(1))
	one, call = claiming(s, "10.1.2.3")
	two, _ = claiming(s, "10.1.2.4")
	request := call.request(t, call.bindStub())
	one.client(request)
	one.wantAtServer(request)
	two.client(request)
	two.wantAtServer()
	two.wantAtClient()
	s.wantSlots(0, 0, 1, 1)
	return s, one, two, call
}

func TestBindWaitsForAClaimThatMayBeRefused(t *testing.T) {
	s, one, two, call := twoClaims(t)
	behind := rpc{id: 9, ctx: ctxOther}.request(t, make([]byte, 4))
	two.client(behind)
	one.server(call.fault(t, rpcparse.StatusAccessDenied)) // it is not alice
	two.wantAtServer(call.request(t, call.bindStub()), behind)
	two.wantAtClient()
	s.wantSlots(0, 0, 1, 0)
	two.server(call.response(t, call.grantedStub(handle(2))))
	s.wantSlots(1, 0, 0, 0)
}

func TestBindThatWaitedIsRefusedWhenTheClaimIsGranted(t *testing.T) {
	s, one, two, call := twoClaims(t)
	one.server(call.response(t, call.grantedStub(handle(1))))
	two.wantAtServer()
	got := two.atClient()
	if len(got) != 1 {
		t.Fatalf("the client has %d PDUs; closed: %v", len(got), two.err)
	}
	wantLogonFailed(t, call, got[0])
	s.wantSlots(1, 0, 0, 0)
	if n := two.actions[len(two.actions)-1]; n != Drop || !slices.Contains(two.actions, Hold) {
		t.Errorf("verdicts %v", two.actions)
	}
}

// The answer to another call shows that the server has accepted the name, so the
// bind under way counts against everybody.
func TestAnswerToAnotherCallProvesTheClaimOfABind(t *testing.T) {
	s := newSite(t, limit(1))
	sec := alice(t, rpcparse.LevelConnect)
	sec.dummy = true
	d := s.connect()
	d.bound(sec)
	call, other := nspiBind(3, sec), rpc{id: 2, ctx: ctxOther, sec: sec}
	d.client(other.request(t, make([]byte, 16)), call.request(t, call.bindStub()))
	s.wantSlots(0, 0, 1, 0)
	d.server(other.response(t, make([]byte, 16)))
	s.wantSlots(0, 1, 0, 0)
	d.atServer()
	d.atClient()
	second := nspiBind(4, sec)
	d.client(second.request(t, second.bindStub()))
	d.wantAtServer()
	if got := d.atClient(); len(got) != 1 {
		t.Errorf("the client has %d PDUs", len(got))
	}
}

// Waking without an answer changes nothing.
func TestWakeThatWasForSomethingElseLeavesTheBindWaiting(t *testing.T) {
	s, _, two, _ := twoClaims(t)
	for range 3 {
		two.Wake()
		s.wake()
	}
	two.wantAtServer()
	two.wantAtClient()
	s.wantSlots(0, 0, 1, 1)
}

func TestClaimThatNobodyAnswersKeepsOthersWaitingForALimitedTime(t *testing.T) {
	s, _, two, call := twoClaims(t)
	s.pass(session.ClaimTimeout - 1)
	two.wantAtServer()
	s.pass(1)
	two.wantAtServer(call.request(t, call.bindStub()))
	if n := s.table.Count(); n.Waiting != 0 || n.Provisional != 2 {
		t.Errorf("%+v", n)
	}
}

func TestBindWaitsForClaimsOfItsOwnAddressForALimitedTime(t *testing.T) {
	s := newSite(t, limit(1))
	one, call := claiming(s, "10.1.2.3")
	two, _ := claiming(s, "10.1.2.3")
	request := call.request(t, call.bindStub())
	one.client(request)
	two.client(request)
	s.pass(session.ClaimTimeout)
	two.wantAtServer()
	s.pass(session.WaitTimeout - session.ClaimTimeout)
	two.wantAtServer(request)
	two.wantOpen()
}

func TestBindThatWaitsEndsWithItsConnection(t *testing.T) {
	s, one, two, call := twoClaims(t)
	two.close()
	s.wantSlots(0, 0, 1, 0)
	one.server(call.fault(t, rpcparse.StatusAccessDenied))
	s.wantSlots(0, 0, 0, 0)
	two.wantAtServer()
}

func TestClaimEndsWithItsConnection(t *testing.T) {
	s, one, two, call := twoClaims(t)
	one.close()
	two.wantAtServer(call.request(t, call.bindStub()))
	s.wantSlots(0, 0, 1, 0)
}

// A bind that comes before the user's name must not make the connection the
// address's for good.
func TestBindBeforeTheNameDoesNotChangeWhoIsCharged(t *testing.T) {
	s := newSite(t)
	sec := alice(t, rpcparse.LevelConnect)
	d := s.connect()
	v := sec.verifier(sec.negotiate())
	d.client(bindPDU(t, rpcparse.PTypeBind, 1, 0, &v))
	challenge := sec.challenge(v.Token)
	v = sec.verifier(challenge)
	d.server(ackPDU(t, rpcparse.PTypeBindAck, 1, 0x31, &v))
	early := nspiBind(2, nil)
	d.client(early.request(t, early.bindStub())).server(early.response(t, early.failedStub(nspi.LogonFailed)))
	d.client(auth3PDU(t, 1, sec.verifier(sec.authenticate(challenge))))
	d.atServer()
	d.atClient()
	d.granted(nspiBind(3, sec), handle(1))
	for _, u := range s.table.Users() {
		if u.Held > 0 && u.User.Account.String() != `LAB\alice` {
			t.Errorf("charged to %+v", u)
		}
	}
	s.wantSlots(1, 0, 0, 0)
}

var labAlice = policy.Name{Domain: "LAB", DNSDomain: "lab.test", User: "alice"}

// fakeDirectory answers when the test says so.
type fakeDirectory struct {
	domains []Domain          // nil: not told yet
	known   map[string]Answer // what is remembered
	asked   []string
	done    []func(Answer)
}

func (d *fakeDirectory) Cached(account string) (Answer, bool) {
	a, ok := d.known[account]
	return a, ok
}

func (d *fakeDirectory) Domains() ([]Domain, bool) { return d.domains, d.domains != nil }

func (d *fakeDirectory) Resolve(account string, done func(Answer)) {
	d.asked, d.done = append(d.asked, account), append(d.done, done)
}

// answer answers the oldest question.
func (d *fakeDirectory) answer(s *site, a Answer) {
	s.t.Helper()
	if len(d.done) == 0 {
		s.t.Fatal("the directory was not asked")
	}
	done := d.done[0]
	d.done = d.done[1:]
	done(a)
	s.wake()
}

var errDown = errors.New("no route to the directory")

const aliceSID = "S-1-5-21-1-2-3-1104"

func TestBindWaitsUntilTheDirectoryHasNamedItsUser(t *testing.T) {
	found := Answer{Found: true, SID: aliceSID, Name: policy.Name{Domain: "LAB", User: "Alice"}, Groups: []string{"S-1-5-21-1-2-3-513"}}
	byGroup := func(c *policy.Config) {
		c.Policy.Default.Limit = 0
		c.Policy.Rules = []policy.RuleConfig{{Name: "staff", Match: policy.Match{Group: "S-1-5-21-1-2-3-513"}, Limit: 1}}
	}
	whenDown := func(w policy.WhenDown) func(*policy.Config) {
		return func(c *policy.Config) { c.Identity.Directory.WhenDown = w }
	}
	for name, tc := range map[string]struct {
		changes   []func(*policy.Config)
		answer    Answer
		refused   bool
		assurance session.Assurance
	}{
		"found":             {nil, found, false, session.AssuranceResolved},
		"found, in a group": {[]func(*policy.Config){byGroup}, found, false, session.AssuranceResolved},
		"unknown":           {nil, Answer{}, false, session.AssuranceClaimed},
		"down, claimed":     {[]func(*policy.Config){whenDown(policy.WhenDownClaimed)}, Answer{Down: errDown}, false, session.AssuranceClaimed},
		"down, refuse":      {[]func(*policy.Config){whenDown(policy.WhenDownRefuse)}, Answer{Down: errDown}, true, session.AssuranceClaimed},
		"over the limit":    {[]func(*policy.Config){limit(0)}, found, true, session.AssuranceResolved},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tc.changes...)
			names := &fakeDirectory{}
			s.deps.Directory = names
			d, call := claiming(s, "10.1.2.3")
			request := call.request(t, call.bindStub())
			d.client(request)
			d.wantAtServer()
			if !slices.Equal(names.asked, []string{`LAB\alice`}) {
				t.Fatalf("asked for %q", names.asked)
			}
			s.wantSlots(0, 0, 0, 0)
			names.answer(s, tc.answer)
			if tc.refused {
				d.wantAtServer()
				got := d.atClient()
				if len(got) != 1 {
					t.Fatalf("the client has %d PDUs; closed: %v", len(got), d.err)
				}
				wantLogonFailed(t, call, got[0])
				if all := eventsOf[LimitExceeded](s.events); len(all) != 1 || all[0].User.Assurance != tc.assurance {
					t.Errorf("reported %+v", all)
				}
				return
			}
			d.wantAtServer(request)
			d.server(call.response(t, call.grantedStub(handle(1))))
			if users := s.table.Users(); len(users) != 1 || users[0].User.Assurance != tc.assurance || tc.answer.Found && users[0].User.SID != aliceSID {
				t.Errorf("%+v", users)
			}
		})
	}
}

// What could not be asked for one bind is asked for the next.
func TestDirectoryThatWasDownIsAskedAgainByTheNextBind(t *testing.T) {
	s := newSite(t, func(c *policy.Config) { c.Identity.Directory.WhenDown = policy.WhenDownRefuse })
	names := &fakeDirectory{}
	s.deps.Directory = names
	d, call := claiming(s, "10.1.2.3")
	for n := range 3 {
		d.client(call.request(t, call.bindStub()))
		names.answer(s, Answer{Down: errDown})
		if len(names.asked) != n+1 || len(d.atClient()) != 1 {
			t.Fatalf("bind %d: the directory was asked %d times", n, len(names.asked))
		}
		call.id++
	}
	d.client(call.request(t, call.bindStub()))
	names.answer(s, Answer{Found: true, SID: aliceSID, Name: labAlice})
	d.wantAtServer(call.request(t, call.bindStub()))
	d.server(call.response(t, call.grantedStub(handle(1))))
	d.atClient()
	call.id++
	d.granted(call, handle(2))
	if len(names.asked) != 4 {
		t.Errorf("asked %d times", len(names.asked))
	}
}

func TestRememberedNamesAreNotAskedFor(t *testing.T) {
	s := newSite(t, limit(1))
	known := Answer{Found: true, SID: aliceSID, Name: labAlice}
	names := &fakeDirectory{known: map[string]Answer{`LAB\alice`: known}}
	s.deps.Directory = names
	d, call := claiming(s, "10.1.2.3")
	d.granted(call, handle(1))
	call.id++
	d.refused(call)
	if len(names.asked) != 0 {
		t.Errorf("asked for %q", names.asked)
	}
}

// The directory's answer comes when it comes.
func TestConnectionThatEndsWhileTheDirectoryIsAskedLeavesNothing(t *testing.T) {
	s := newSite(t)
	names := &fakeDirectory{}
	s.deps.Directory = names
	d, call := claiming(s, "10.1.2.3")
	d.client(call.request(t, call.bindStub()))
	d.close()
	names.answer(s, Answer{Found: true, SID: aliceSID})
	d.wantAtServer()
	s.wantSlots(0, 0, 0, 0)
}

// One user under two spellings and a SID has one limit.
func TestSpellingsOfAResolvedNameAreOneUser(t *testing.T) {
	s := newSite(t, limit(1))
	known := Answer{Found: true, SID: aliceSID, Name: labAlice}
	s.deps.Directory = &fakeDirectory{known: map[string]Answer{`LAB\alice`: known, `LAB\ALICE`: known}}
	d, call := claiming(s, "10.1.2.3")
	d.granted(call, handle(1))
	upper := asUser(t, "ALICE", rpcparse.LevelConnect)
	other := s.connect(from("10.1.2.4"))
	other.bound(upper)
	other.refused(nspiBind(2, upper))
}
