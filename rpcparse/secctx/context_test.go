package secctx_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// everyMechanism runs a test with peers of each mechanism and encryption type.
func everyMechanism(t *testing.T, test func(t *testing.T, p *peers)) {
	all := []*peers{ntlmPeers(t, false), ntlmPeers(t, true)}
	for _, etype := range []int32{17, 18, 19, 20, 23} {
		all = append(all, krb5Peers(t, etype))
	}
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) { test(t, p) })
	}
}

var dirs = []rpcparse.Direction{rpcparse.ClientToServer, rpcparse.ServerToClient}

// send is the next PDU of d's sender, and what it holds.
func (p *peers) send(t testing.TB, d rpcparse.Direction, stub []byte, seal bool) (pdu, plain []byte, l secctx.Layout) {
	t.Helper()
	pdu, l = pduOf(t, p.context, d, stub, seal)
	plain = slices.Clone(pdu[:l.Trailer])
	must(t, 0, p.sender(d).Protect(pdu, l.Body, l.Trailer, seal))
	return pdu, plain, l
}

// arrives checks that d's receiver takes a PDU.
func (p *peers) arrives(t testing.TB, d rpcparse.Direction, pdu, plain []byte, l secctx.Layout) {
	t.Helper()
	if err := p.receiver(d).Unprotect(pdu, l.Body, l.Trailer, l.Seal); err != nil || !bytes.Equal(pdu[:l.Trailer], plain) {
		t.Fatalf("the receiver does not take it: %v", err)
	}
}

// open opens a PDU in place.
func (p *peers) open(t testing.TB, d rpcparse.Direction, pdu, plain []byte, l secctx.Layout) {
	t.Helper()
	if err := p.context.Open(d, pdu, l); err != nil || !bytes.Equal(pdu[:l.Trailer], plain) {
		t.Fatalf("it does not open: %v", err)
	}
}

// pass lets a PDU through, as it came or protected again.
func (p *peers) pass(t testing.TB, d rpcparse.Direction, stub []byte, seal bool) {
	t.Helper()
	pdu, plain, l := p.send(t, d, stub, seal)
	if p.context.Diverged(d) {
		p.open(t, d, pdu, plain, l)
		must(t, 0, p.context.Seal(d, pdu, l))
	} else {
		p.context.Skip(d, l)
	}
	p.arrives(t, d, pdu, plain, l)
}

// swallow opens a PDU that its receiver never sees.
func (p *peers) swallow(t testing.TB, d rpcparse.Direction, stub []byte, seal bool) {
	t.Helper()
	pdu, plain, l := p.send(t, d, stub, seal)
	p.context.Fork(d)
	p.open(t, d, pdu, plain, l)
}

// inject sends a PDU that nobody but the context has made.
func (p *peers) inject(t testing.TB, d rpcparse.Direction, stub []byte, seal bool) {
	t.Helper()
	pdu, l := pduOf(t, p.context, d, stub, seal)
	plain := slices.Clone(pdu[:l.Trailer])
	p.context.Fork(d)
	must(t, 0, p.context.Seal(d, pdu, l))
	p.arrives(t, d, pdu, plain, l)
}

// peek reads a copy and lets the PDU itself go on.
func (p *peers) peek(t testing.TB, d rpcparse.Direction, stub []byte, seal bool) {
	t.Helper()
	pdu, plain, l := p.send(t, d, stub, seal)
	p.context.Fork(d)
	p.open(t, d, slices.Clone(pdu), plain, l)
	p.context.Join(d)
	p.arrives(t, d, pdu, plain, l)
}

func TestPDUsThatAreReadOrSkippedArriveAsTheyWereSent(t *testing.T) {
	everyMechanism(t, func(t *testing.T, p *peers) {
		for n := range 40 {
			d, stub := dirs[n%2], make([]byte, 1+37*n)
			if n%3 == 0 {
				p.peek(t, d, stub, n%4 < 2)
			} else {
				p.pass(t, d, stub, n%5 < 3)
			}
			if p.context.Diverged(d) || !p.context.Readable(d) {
				t.Fatal("the receiver's half-state differs from the sender's")
			}
		}
	})
}

func TestBothEndsGoOnAfterSwallowedAndInjectedPDUs(t *testing.T) {
	everyMechanism(t, func(t *testing.T, p *peers) {
		random := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			d, seal, stub := dirs[random.IntN(2)], random.IntN(2) == 0, make([]byte, random.IntN(3000))
			for i := range stub {
				stub[i] = byte(random.Uint32())
			}
			switch random.IntN(8) {
			case 0:
				p.swallow(t, d, stub, seal)
			case 1:
				p.inject(t, d, stub, seal)
			default:
				p.pass(t, d, stub, seal)
			}
		}
		for _, d := range dirs {
			if !p.context.Diverged(d) {
				t.Error("nothing was swallowed or injected: the test tests nothing")
			}
		}
	})
}

func TestOneDirectionDivergesWithoutTheOther(t *testing.T) {
	everyMechanism(t, func(t *testing.T, p *peers) {
		p.inject(t, rpcparse.ServerToClient, []byte("refused"), true)
		if p.context.Diverged(rpcparse.ClientToServer) {
			t.Fatal("the other direction has diverged")
		}
		p.peek(t, rpcparse.ClientToServer, []byte("request"), true)
		p.pass(t, rpcparse.ServerToClient, []byte("response"), true)
	})
}

func TestForkOfAForkIsTheFirst(t *testing.T) {
	everyMechanism(t, func(t *testing.T, p *peers) {
		p.swallow(t, rpcparse.ClientToServer, []byte("first"), true)
		p.swallow(t, rpcparse.ClientToServer, []byte("second"), true)
		p.pass(t, rpcparse.ClientToServer, []byte("third"), true)
	})
}

func TestAlteredPDUEndsReadingOfItsDirectionForGood(t *testing.T) {
	everyMechanism(t, func(t *testing.T, p *peers) {
		const d = rpcparse.ClientToServer
		p.pass(t, d, []byte("before"), true)
		pdu, _, l := p.send(t, d, []byte("altered on its way"), true)
		pdu[l.Body] ^= 1
		first := p.context.Open(d, pdu, l)
		if first == nil || p.context.Readable(d) {
			t.Fatal("an altered PDU was opened")
		}
		good, _, l := p.send(t, d, []byte("good"), true)
		if err := p.context.Open(d, good, l); err != first { //nolint:errorlint // the very same, and nothing else
			t.Errorf("after a failure: %v, want %v", err, first)
		}
		p.context.Skip(d, l) // nobody knows any more where the sender is; it must not panic either
		p.context.Join(d)
		if p.context.Readable(d) {
			t.Error("it is readable again")
		}
		p.peek(t, rpcparse.ServerToClient, []byte("the other direction"), true)
	})
}

func TestReplayedAndReorderedPDUsDoNotOpen(t *testing.T) {
	everyMechanism(t, func(t *testing.T, p *peers) {
		const d = rpcparse.ServerToClient
		pdu, plain, l := p.send(t, d, []byte("once"), false)
		again := slices.Clone(pdu)
		p.open(t, d, pdu, plain, l)
		if p.context.Open(d, again, l) == nil {
			t.Error("a replayed PDU was opened")
		}
	})
}

func TestHeaderSigningMayComeLate(t *testing.T) {
	for _, etype := range []int32{17, 18, 20, 23} {
		p := krb5Peers(t, etype)
		t.Run(p.name, func(t *testing.T) {
			set := func(on bool) {
				for _, h := range []half{p.client.send, p.client.receive, p.server.send, p.server.receive} {
					h.(*krb5.Stream).SetHeaderSigning(on)
				}
				p.context.SetHeaderSigning(on)
			}
			set(false)
			p.swallow(t, rpcparse.ClientToServer, []byte("swallowed"), true)
			p.pass(t, rpcparse.ClientToServer, []byte("headers are not signed"), false)
			set(true) // an alter_context has agreed on it
			p.pass(t, rpcparse.ClientToServer, []byte("headers are signed"), true)
			p.inject(t, rpcparse.ServerToClient, []byte("by us, too"), true)
			pdu, _, l := p.send(t, rpcparse.ClientToServer, []byte("header altered"), false)
			pdu[12] ^= 1 // the call id
			if p.context.Open(rpcparse.ClientToServer, pdu, l) == nil {
				t.Error("an altered header was not noticed")
			}
		})
	}
}

// again is a PDU that a context seals and opens in turn: both of its half-states
// of a direction begin with the same number.
func again(t testing.TB, p *peers) func() error {
	const d = rpcparse.ClientToServer
	p.context.Fork(d)
	pdu, l := pduOf(t, p.context, d, make([]byte, 1024), true)
	return func() error {
		if err := p.context.Seal(d, pdu, l); err != nil {
			return err
		}
		return p.context.Open(d, pdu, l)
	}
}

// BenchmarkSealAndOpen is what a PDU of 1 KiB costs once its direction has
// diverged.
func BenchmarkSealAndOpen(b *testing.B) {
	for _, p := range []*peers{krb5Peers(b, 18), ntlmPeers(b, false)} {
		b.Run(p.name, func(b *testing.B) {
			once := again(b, p)
			b.SetBytes(1024)
			b.ReportAllocs()
			for b.Loop() {
				if err := once(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestSealingAndOpeningHardlyAllocates(t *testing.T) {
	everyMechanism(t, func(t *testing.T, p *peers) {
		once := again(t, p)
		if n := testing.AllocsPerRun(100, func() {
			if err := once(); err != nil {
				t.Error(err)
			}
		}); n > 4 { // of RC4, which has a fresh cipher for each message; others have 0 to 2
			t.Errorf("%v allocations", n)
		}
	})
}
