package soak

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/mutate"
)

var (
	soakTime   = flag.Duration("time", 2*time.Second, "how long to break conversations")
	soakSeed   = flag.Uint64("seed", 0, "the seed of an earlier run, 0: another one each time")
	soakReplay = flag.String("replay", "", "a file of a run that failed: carry its conversations")
)

const (
	batchSize = 240
	// leastReached is the share of conversations that must get through to the domain controller: else the run shows nothing.
	leastReached = 0.5
	// narrowTime bounds how long halves are left out of a batch that has failed: whether something is left over takes
	// leaveTime each time.
	narrowTime = 3 * time.Minute
)

// failure is the file of a run that failed.
type failure struct {
	Seed          uint64                `json:"seed"`
	First         uint64                `json:"first"` // number of the batch's first conversation
	Fault         string                `json:"fault"`
	Conversations []mutate.Conversation `json:"conversations"`
}

func TestBrokenConversationsLeaveNothingBehind(t *testing.T) {
	if *soakReplay != "" {
		replay(t, *soakReplay)
		return
	}
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d; the same again: make soak TIME=%s SEED=%d", seed, *soakTime, seed)
	seeds := seedsOf(t)
	both := startBoth(t)
	began := time.Now()
	first := uint64(0)
	for n := 1; time.Since(began) < *soakTime; n++ {
		batch := make([]mutate.Conversation, batchSize)
		for i := range batch {
			batch[i] = seeds.Conversation(seed, first+uint64(i))
		}
		if err := both.carry(batch); err != nil {
			t.Fatalf("%v\n%s", err, keep(t, failure{Seed: seed, First: first, Fault: err.Error(), Conversations: batch}))
		}
		first += batchSize
	}
	both.report(t, first)
	both.stop(t)
}

// pair are a proxy without keys and one with them.
type pair [2]*world

func startBoth(t *testing.T) pair { return pair{startWorld(t, false), startWorld(t, true)} }

// carry has each conversation carried by the proxy that it is for, and waits until nothing is left of them.
func (p pair) carry(batch []mutate.Conversation) error {
	var mine [2][]mutate.Conversation
	for _, c := range batch {
		if c.Keys {
			mine[1] = append(mine[1], c)
		} else {
			mine[0] = append(mine[0], c)
		}
	}
	faults := make(chan error, len(p))
	for i, w := range p {
		go func() {
			err := w.carry(mine[i])
			if err == nil {
				err = w.over()
			}
			faults <- err
		}()
	}
	var fault error
	for range p {
		if err := <-faults; err != nil {
			fault = err
		}
	}
	return fault
}

// report says what was done, and that it was something.
func (p pair) report(t *testing.T, conversations uint64) {
	t.Helper()
	var reached int64
	for i, w := range p {
		for _, l := range w.lanes {
			reached += l.reached.Load()
		}
		now, err := w.ask()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("keys %v: %d rounds of the control; %d sessions were granted; memory %d KiB, at the start %d; goroutines %d, %d",
			i == 1, w.control.rounds, now.Table.Binds, now.Heap>>10, w.start.Heap>>10, now.Goroutines, w.start.Goroutines)
	}
	t.Logf("%d conversations, %d of them reached the domain controller", conversations, reached)
	if float64(reached) < leastReached*float64(conversations) {
		t.Errorf("only %d of %d conversations reached the domain controller", reached, conversations)
	}
}

func (p pair) stop(t *testing.T) {
	t.Helper()
	for _, w := range p {
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	}
}

// keep writes a failure to a file, cut down as far as it goes, and says how to run it again.
func keep(t *testing.T, f failure) string {
	t.Helper()
	f.Conversations = narrow(t, f.Conversations)
	path := filepath.Join(os.TempDir(), fmt.Sprintf("nspiproxy-soak-%d-%d.json", f.Seed, f.First))
	text, err := json.MarshalIndent(f, "", " ")
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return fmt.Sprintf("the conversations could not be kept: %v", err)
	}
	return fmt.Sprintf("%d conversations are in the file; to run them again: make soak REPLAY=%s", len(f.Conversations), path)
}

// narrow leaves out halves of the conversations as long as the rest fails by itself. What fails only together, or not every
// time, stays whole.
func narrow(t *testing.T, batch []mutate.Conversation) []mutate.Conversation {
	for began := time.Now(); len(batch) > 1 && time.Since(began) < narrowTime; {
		half := len(batch) / 2
		switch {
		case fails(t, batch[:half]):
			batch = batch[:half]
		case fails(t, batch[half:]):
			batch = batch[half:]
		default:
			return batch
		}
	}
	return batch
}

// fails carries conversations in a new pair of proxies.
func fails(t *testing.T, batch []mutate.Conversation) (failed bool) {
	t.Run("alone", func(t *testing.T) { failed = startBoth(t).carry(batch) != nil })
	return failed
}

// replay carries the conversations of a failure.
func replay(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var f failure
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	both := startBoth(t)
	if err := both.carry(f.Conversations); err != nil {
		t.Fatal(err)
	}
	both.stop(t)
	t.Logf("%d conversations, nothing is left of them; the run that wrote them had: %s", len(f.Conversations), f.Fault)
}
