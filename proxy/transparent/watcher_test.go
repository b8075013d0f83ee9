package transparent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// damages are ways in which something else is in force than what is needed.
var damages = []struct {
	name   string
	reason Reason
	text   string
	change func(k *fakeKernel)
}{
	{"the table is deleted", ReasonTable, "not in force", func(k *fakeKernel) { k.table = nil }},
	{"all chains are flushed", ReasonRules, "chain at_hook has 0 rules instead of 1, chain called has 0 rules instead of 3",
		func(k *fakeKernel) {
			k.table.chains = map[string]chain{"at_hook": {base: true}, "called": {}}
		}},
	{"a rule is deleted", ReasonRules, "chain called has 2 rules instead of 3", func(k *fakeKernel) { k.table.chains["called"] = chain{rules: 2} }},
	{"a rule is replaced", ReasonRules, "chain called was changed",
		func(k *fakeKernel) { k.table.chains["called"] = chain{rules: 3, digest: digest{9}} }},
	{"a rule is added", ReasonRules, "chain called has 4 rules instead of 3", func(k *fakeKernel) { k.table.chains["called"] = chain{rules: 4} }},
	{"a chain is deleted", ReasonRules, "chain at_hook is missing", func(k *fakeKernel) { delete(k.table.chains, "at_hook") }},
	{"a chain is at no hook", ReasonRules, "chain at_hook is at no hook", func(k *fakeKernel) { k.table.chains["at_hook"] = chain{rules: 1} }},
	{"a chain is added", ReasonRules, `chain "other" does not belong there`, func(k *fakeKernel) { k.table.chains["other"] = chain{} }},
	{"a set is deleted", ReasonRules, "set learnt6 is missing", func(k *fakeKernel) { delete(k.table.sets, setIPv6) }},
	{"values of a rule are changed", ReasonRules, "the values of a rule were changed", func(k *fakeKernel) { k.table.anonymous = digest{7} }},
	{"the table is dormant", ReasonRules, "the table is dormant", func(k *fakeKernel) { k.table.dormant = true }},
	{"another configuration is applied", ReasonConfiguration, "another configuration", func(k *fakeKernel) { k.table.comment = "other" }},
	{"routing is lost", ReasonRouting, "routing rules are gone", func(k *fakeKernel) { k.routing = ErrNoRouting }},
}

// settle lets the Watcher look again when routing that differs counts.
func (r running) settle() {
	now := r.now().Add(settleTime)
	r.now = func() time.Time { return now }
	r.attend(true)
}

// take returns the reports so far.
func (r running) take() (all []Report) {
	for len(r.reports) > 0 {
		all = append(all, <-r.reports)
	}
	return all
}

func TestDamageIsReportedAndRepairedAtOnce(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			kernel := newFakeKernel()
			r := prepareWatcher(t, kernel, "10.0.5.11:1", true)
			r.attend(true)
			if got := r.take(); len(got) != 0 || !r.InForce() {
				t.Fatalf("reported at the start: %v", got)
			}
			kernel.damage(d.change)
			r.attend(true)
			if d.reason == ReasonRouting {
				r.settle()
			}
			got := r.take()
			if len(got) != 2 || got[0].Reason != d.reason || !strings.Contains(got[0].Err.Error(), d.text) || got[1].Err != nil || !got[1].Repaired {
				t.Errorf("reported %v", got)
			}
			if kernel.applied+kernel.routed != 1 || (kernel.routed == 1) != (d.reason == ReasonRouting) {
				t.Errorf("rules applied %d times, routing %d", kernel.applied, kernel.routed)
			}
			if !r.InForce() || !slices.Equal(kernel.list(), r.store.List()) {
				t.Errorf("in force %v, ports %v", r.InForce(), kernel.list())
			}
		})
	}
}

func TestDamageIsReportedAndLeftAloneWithoutLeave(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			kernel := newFakeKernel()
			r := prepareWatcher(t, kernel, "", false)
			r.attend(true)
			kernel.damage(d.change)
			r.attend(true)
			for range 3 {
				r.settle()
			}
			if got := r.take(); len(got) != 1 || got[0].Reason != d.reason || r.InForce() {
				t.Errorf("reported %v, in force %v", got, r.InForce())
			}
			if kernel.applied+kernel.routed != 0 {
				t.Error("something was put in force")
			}
			// Somebody else does it.
			kernel.damage(func(k *fakeKernel) { k.table, k.routing = inForce(), nil })
			r.attend(true)
			if got := r.take(); len(got) != 1 || got[0].Err != nil || got[0].Repaired || !r.InForce() {
				t.Errorf("reported %v, in force %v", got, r.InForce())
			}
		})
	}
}

// The script of nspiproxy rules takes rules away and adds them again one by one.
func TestRoutingThatIsPutInForceAnewIsNoDamage(t *testing.T) {
	kernel := newFakeKernel()
	r := prepareWatcher(t, kernel, "", true)
	r.attend(true)
	for range 5 {
		kernel.damage(func(k *fakeKernel) { k.routing = ErrNoRouting })
		r.attend(true)
		kernel.damage(func(k *fakeKernel) { k.routing = nil })
		r.settle()
	}
	if got := r.take(); len(got) != 0 || kernel.routed+kernel.applied != 0 || !r.InForce() {
		t.Errorf("reported %v, routed %d times, in force %v", got, kernel.routed, r.InForce())
	}
}

func TestWhatARepairCannotMendIsOnlyReported(t *testing.T) {
	for reason, change := range map[Reason]func(k *fakeKernel){
		ReasonRouting: func(k *fakeKernel) { k.routing = fmt.Errorf("%w 20051", errForeignRoute) },
		ReasonFamily:  func(k *fakeKernel) { k.families = errors.New("this machine has IPv6 now") },
	} {
		kernel := newFakeKernel()
		r := prepareWatcher(t, kernel, "", true)
		r.attend(true)
		kernel.damage(change)
		r.attend(true)
		for range 3 {
			r.settle()
		}
		if got := r.take(); len(got) != 1 || got[0].Reason != reason || kernel.applied+kernel.routed != 0 {
			t.Errorf("%s: reported %v, applied %d and %d times", reason, got, kernel.applied, kernel.routed)
		}
	}
}

func TestLearntPortsThatOthersTakeAwayAreReportedAndThereAgain(t *testing.T) {
	kernel := newFakeKernel()
	r := prepareWatcher(t, kernel, "10.0.5.11:1 10.0.5.11:2", false)
	r.attend(true)
	kernel.replace(false, ports("10.0.5.11:1")...)
	r.attend(true)
	if got := r.take(); len(got) != 2 || got[0].Reason != ReasonPorts || !got[1].Repaired || !slices.Equal(kernel.list(), r.store.List()) {
		t.Errorf("reported %v, ports %v", got, kernel.list())
	}
}

// A machine without IPv6 needs nothing for listeners of IPv6 networks.
func TestPlanThatNeedsNothingMissesNothing(t *testing.T) {
	kernel := newFakeKernel()
	kernel.table = nil
	r := prepareWatcher(t, kernel, "10.0.5.11:1", true)
	r.comparison = newComparison(kernel, table{})
	r.attend(true)
	if got := r.take(); len(got) != 0 || kernel.applied != 0 {
		t.Errorf("reported %v, applied %d times", got, kernel.applied)
	}
}

func TestRulesThatWereNeverAppliedArePutInForceAtTheStart(t *testing.T) {
	kernel := newFakeKernel()
	kernel.table, kernel.routing = nil, ErrNoRouting
	r := prepareWatcher(t, kernel, "10.0.5.11:1", true)
	r.attend(true)
	got := r.take()
	if len(got) != 2 || got[0].Reason != ReasonTable || !got[1].Repaired || !slices.Equal(kernel.list(), r.store.List()) {
		t.Errorf("reported %v, ports %v", got, kernel.list())
	}
}

func TestAddRepairsWhatKeepsThePortFromTheKernel(t *testing.T) {
	kernel := newFakeKernel()
	r := prepareWatcher(t, kernel, "", true)
	r.attend(true)
	p := ports("10.0.5.11:49677")[0]
	if _, err := r.store.Learn(p); err != nil {
		t.Fatal(err)
	}
	kernel.damage(func(k *fakeKernel) { k.table = nil })
	ended := false
	r.Ports.Add(p, func(err error) {
		ended = true
		if err != nil {
			t.Error(err)
		}
	})
	r.attend(false)
	if !ended || !r.Ports.Has(p) || kernel.applied != 1 {
		t.Errorf("ended %v, in the kernel %v, applied %d times", ended, r.Ports.Has(p), kernel.applied)
	}
}

// A tick on a quiet machine asks one thing of nftables, whatever it has.
func TestLooksWithoutAChangeReadNothing(t *testing.T) {
	kernel := newFakeKernel()
	r := prepareWatcher(t, kernel, "10.0.5.11:1", true)
	for range 5 {
		r.attend(true)
	}
	if _, err := r.store.Learn(ports("10.0.5.11:2")[0]); err != nil {
		t.Fatal(err)
	}
	r.attend(false) // a change of its own is not one of others
	for range 5 {
		r.attend(true)
	}
	if kernel.tables != 1 || kernel.reads != 1 || kernel.changes != 2 {
		t.Errorf("the table was read %d times, sets %d times and changed %d times", kernel.tables, kernel.reads, kernel.changes)
	}
}

func TestChangesOfOthersBesideItsOwnAreSeen(t *testing.T) {
	kernel := newFakeKernel()
	r := prepareWatcher(t, kernel, "", false)
	r.attend(true)
	kernel.damage(func(k *fakeKernel) { delete(k.table.chains, "at_hook") })
	if _, err := r.store.Learn(ports("10.0.5.11:2")[0]); err != nil {
		t.Fatal(err)
	}
	r.Ports.Sync(func(error) {})
	r.attend(false)
	r.attend(true)
	if got := r.take(); len(got) != 1 || got[0].Reason != ReasonRules {
		t.Errorf("reported %v", got)
	}
}

func TestFailingRepairIsReportedOnceAndTriedAgain(t *testing.T) {
	kernel := newFakeKernel()
	kernel.table, kernel.fails = nil, errors.New("nft is not installed")
	r := prepareWatcher(t, kernel, "", true)
	now := time.Now()
	r.now = func() time.Time { return now }
	for range 100 {
		r.attend(true)
		now = now.Add(500 * time.Millisecond)
	}
	got := r.take()
	if len(got) != 2 || got[0].Reason != ReasonTable || !strings.Contains(got[1].Err.Error(), "nft is not installed") {
		t.Errorf("reported %v", got)
	}
	if most := quickRepairs + int(50*time.Second/slowPause); kernel.applied > most || kernel.applied < quickRepairs {
		t.Errorf("tried %d times in 50 s, want %d at most", kernel.applied, most)
	}
	kernel.fails = nil
	now = now.Add(slowPause)
	r.attend(true)
	if got := r.take(); len(got) != 1 || !got[0].Repaired {
		t.Errorf("reported %v", got)
	}
}

func TestWhatCannotBeLookedAtIsNotRepaired(t *testing.T) {
	kernel := newFakeKernel()
	kernel.refuses = errors.New("operation not permitted")
	r := prepareWatcher(t, kernel, "", true)
	for range 3 {
		r.attend(true)
	}
	if got := r.take(); len(got) != 1 || got[0].Reason != ReasonUnknown || kernel.applied != 0 || r.InForce() {
		t.Errorf("reported %v, applied %d times, in force %v", got, kernel.applied, r.InForce())
	}
}

func TestTableThatIsDeletedWhileItIsReadIsReadAgain(t *testing.T) {
	for times := 1; times <= 2*maxReads; times++ {
		kernel := newFakeKernel()
		r := prepareWatcher(t, kernel, "", true)
		r.attend(true)
		kernel.damage(func(k *fakeKernel) { k.vanishes = times })
		for range 3 {
			r.attend(true)
		}
		kernel.damage(func(k *fakeKernel) { k.table.chains["called"] = chain{} })
		r.attend(true)
		if got := r.take(); len(got) != 2 || got[0].Reason != ReasonRules || !got[1].Repaired {
			t.Errorf("%d times: reported %v", times, got)
		}
	}
}

// A firewall that is loaded in a loop undoes each repair.
func TestRepairsThatAreUndoneBecomeFewAndAreSaidToBe(t *testing.T) {
	kernel := newFakeKernel()
	r := prepareWatcher(t, kernel, "", true)
	now := time.Now()
	r.now = func() time.Time { return now }
	const minutes, step = 10, 100 * time.Millisecond
	for range minutes * int(time.Minute/step) {
		kernel.damage(func(k *fakeKernel) { k.table = nil })
		r.attend(true)
		now = now.Add(step)
	}
	if most := quickRepairs + minutes*int(time.Minute/slowPause); kernel.applied > most || kernel.applied < most-quickRepairs {
		t.Errorf("%d repairs in %d minutes, want about %d", kernel.applied, minutes, most)
	}
	reports := r.take()
	contested := slices.IndexFunc(reports, func(r Report) bool { return r.Reason == ReasonContested })
	if contested < 0 || contested > 2*quickRepairs+2 {
		t.Errorf("it is said in report %d", contested)
	}
	if len(reports) > 4*kernel.applied {
		t.Errorf("%d reports of %d repairs", len(reports), kernel.applied)
	}
	now = now.Add(2 * repairWindow) // and it is over
	kernel.damage(func(k *fakeKernel) { k.table = nil })
	r.attend(true)
	if got := r.take(); !r.InForce() || slices.ContainsFunc(got, func(r Report) bool { return r.Reason == ReasonContested }) {
		t.Errorf("later: reported %v, in force %v", got, r.InForce())
	}
}
