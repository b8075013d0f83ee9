package inspect

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// learnerTest is a learner with its calls and events.
type learnerTest struct {
	portLearner
	on      exchange
	events  *eventLog
	known   []uint16
	done    []func()
	watched int
	woken   int
}

func newLearnerTest(known ...uint16) *learnerTest {
	s := &learnerTest{known: known}
	s.on, s.events = newExchange()
	s.portLearner = portLearner{ports: s, wake: func() { s.woken++ }}
	return s
}

// Intercept implements PortInterceptor.
func (s *learnerTest) Intercept(end tower.Endpoint, done func()) (fresh bool) {
	port := end.Port
	if end.Interface.UUID != nspi.Interface.UUID {
		return false
	}
	if slices.Contains(s.known, port) {
		return false
	}
	s.known, s.done = append(s.known, port), append(s.done, done)
	return true
}

// Watch implements PortInterceptor.
func (s *learnerTest) Watch() { s.watched++ }

// notes returns why answers were reported.
func (s *learnerTest) notes() (all []EndpointReason) {
	for _, e := range *s.events {
		all = append(all, e.(EndpointsUnchanged).Reason)
	}
	return all
}

// take gives the learner one PDU.
func (s *learnerTest) take(t *testing.T, k *rpcparse.Call, pdu []byte) Verdict {
	t.Helper()
	h, err := rpcparse.ParseHeader(pdu)
	if err != nil {
		t.Fatal(err)
	}
	var x protectedPDU
	x.parse(h, pdu)
	return s.answer(s.on, k, x)
}

// mapCall is an ept_map call in NDR.
func mapCall(level rpcparse.AuthLevel) *rpcparse.Call {
	return &rpcparse.Call{
		Opnum: tower.OpnumMap, Level: level,
		Context: &rpcparse.PresentationContext{Abstract: tower.EPMInterface, Transfer: rpcparse.TransferNDR},
	}
}

// mapAnswer is the stub of an answer with a tower for each port.
func mapAnswer(t *testing.T, iface rpcparse.SyntaxID, ports ...uint16) []byte {
	t.Helper()
	a := tower.MapAnswer{Max: uint32(len(ports))}
	for _, port := range ports {
		a.Towers = append(a.Towers, tower.BuildTCP(iface, rpcparse.SyntaxNDR, port, netip.MustParseAddr("10.0.0.1")))
	}
	stub, err := tower.AppendMapResponse(nil, a, tower.NDR, rpcparse.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	return stub
}

// say gives the learner a response, cut into n fragments, and returns what
// becomes of the last one. The others must pass.
func (s *learnerTest) say(t *testing.T, k *rpcparse.Call, stub []byte, n int) Action {
	t.Helper()
	for i := range n {
		h := rpcparse.Header{Type: rpcparse.PTypeResponse, Drep: rpcparse.DrepLittleEndian, CallID: 7}
		if i == 0 {
			h.Flags |= first
		}
		if i == n-1 {
			h.Flags |= last
		}
		part := stub[i*len(stub)/n : (i+1)*len(stub)/n]
		pdu, err := rpcparse.AppendResponse(nil, rpcparse.Response{Header: h, Stub: part})
		if err != nil {
			t.Fatal(err)
		}
		sent := slices.Clone(pdu)
		v := s.take(t, k, pdu)
		if !slices.Equal(pdu, sent) || len(v.ToClient)+len(v.ToServer) > 0 {
			t.Fatalf("fragment %d of %d does not pass as it is", i+1, n)
		}
		if i == n-1 {
			return v.Action
		}
		if v.Action != Forward {
			t.Fatalf("fragment %d of %d: %v", i+1, n, v.Action)
		}
	}
	panic("no fragment")
}

func TestAnswerWithANewPortWaitsUntilItIsIntercepted(t *testing.T) {
	for _, fragments := range []int{1, 2, 5} {
		s := newLearnerTest(49152)
		stub := mapAnswer(t, nspi.Interface, 49152, 49153, 49154)
		if a := s.say(t, mapCall(rpcparse.LevelNone), stub, fragments); a != Hold {
			t.Fatalf("%d fragments: %v, want hold", fragments, a)
		}
		if len(s.done) != 2 {
			t.Fatalf("%d new ports", len(s.done))
		}
		s.done[0]()
		if a := s.resume().Action; a != Hold || s.woken != 0 {
			t.Errorf("one of two ports is intercepted: %v, woken %d times", a, s.woken)
		}
		s.done[1]()
		if a := s.resume().Action; a != Forward || s.woken != 1 {
			t.Errorf("both are intercepted: %v, woken %d times", a, s.woken)
		}
		if a := s.say(t, mapCall(rpcparse.LevelNone), stub, fragments); a != Forward {
			t.Errorf("the same answer again: %v", a)
		}
	}
}

func TestAnswerThatNamesNoPortOfNSPIPasses(t *testing.T) {
	for name, stub := range map[string][]byte{
		"another interface": mapAnswer(t, tower.EPMInterface, 49153),
		"port 0":            mapAnswer(t, nspi.Interface, 0), "none": mapAnswer(t, nspi.Interface),
	} {
		s := newLearnerTest()
		if a := s.say(t, mapCall(rpcparse.LevelNone), stub, 1); a != Forward || len(s.done)+len(s.notes()) > 0 {
			t.Errorf("%s: %v, %d ports, notes %v", name, a, len(s.done), s.notes())
		}
	}
}

func TestAnswerThatCannotBeReadPassesAndIsReported(t *testing.T) {
	stub := mapAnswer(t, nspi.Interface, 49153)
	unknown := mapCall(rpcparse.LevelNone)
	unknown.Context.Transfer = rpcparse.TransferNone
	for name, tc := range map[string]struct {
		call *rpcparse.Call
		stub []byte
		want EndpointReason
	}{
		"signed":          {mapCall(rpcparse.LevelIntegrity), stub, EndpointsPrivate},
		"cut":             {mapCall(rpcparse.LevelNone), stub[:len(stub)-1], EndpointsMalformed},
		"empty":           {mapCall(rpcparse.LevelNone), nil, EndpointsMalformed},
		"transfer syntax": {unknown, stub, EndpointsMalformed},
		"too large":       {mapCall(rpcparse.LevelNone), make([]byte, maxEndpointAnswer+1024), EndpointsMalformed},
	} {
		s := newLearnerTest()
		fragments := 1 + len(tc.stub)/4096
		if a := s.say(t, tc.call, tc.stub, fragments); a != Forward || len(s.done) > 0 || !slices.Contains(s.notes(), tc.want) {
			t.Errorf("%s: %v, %d ports, notes %v", name, a, len(s.done), s.notes())
		}
		if s.stub != nil {
			t.Errorf("%s: %d bytes are kept", name, len(s.stub))
		}
		if s.watched == 0 {
			t.Errorf("%s: nobody asks the endpoint mapper what the client was told", name)
		}
	}
}

// A client that wants to keep a port to itself reads the first fragment, which
// names it, and lets the others stand in line.
func TestAnswerOfWhichOnlyTheFirstFragmentComesHasTheEndpointMapperAsked(t *testing.T) {
	s := newLearnerTest()
	pdu, err := rpcparse.AppendResponse(nil, rpcparse.Response{
		Header: rpcparse.Header{Type: rpcparse.PTypeResponse, Drep: rpcparse.DrepLittleEndian, CallID: 7, Flags: first},
		Stub:   mapAnswer(t, nspi.Interface, 49153)[:100]})
	if err != nil {
		t.Fatal(err)
	}
	if a := s.take(t, mapCall(rpcparse.LevelNone), pdu).Action; a != Forward || s.watched != 1 {
		t.Errorf("%v, asked %d times", a, s.watched)
	}
}

func TestFragmentsOfAnotherAnswerAreNotMixedIn(t *testing.T) {
	s := newLearnerTest()
	stub := mapAnswer(t, nspi.Interface, 49153)
	part := func(call uint32, flags rpcparse.Flags, stub []byte) Action {
		pdu, err := rpcparse.AppendResponse(nil, rpcparse.Response{
			Header: rpcparse.Header{Type: rpcparse.PTypeResponse, Drep: rpcparse.DrepLittleEndian, CallID: call, Flags: flags}, Stub: stub})
		if err != nil {
			t.Fatal(err)
		}
		return s.take(t, mapCall(rpcparse.LevelNone), pdu).Action
	}
	part(1, first, stub[:40])
	part(2, middle, []byte("what does not belong here"))
	if a := part(1, last, stub[40:]); a != Hold || !slices.Equal(s.known, []uint16{49153}) {
		t.Errorf("%v, learnt %v", a, s.known)
	}
}

// The last fragment of an answer waits until a port is intercepted; nothing of the
// proxy's own may stand between it and those before.
func TestAnswerOfTheProxysOwnWaitsBehindOneThatIsHeldBack(t *testing.T) {
	l := newLearnerTest()
	i := &Inspector{rewriters: rewriters{&l.portLearner}, replies: replies{serverPending: true}}
	l.waiting.Store(1)
	if v := i.replies.send(reply{pdu: []byte("refused")}, i.responding()); len(v.ToClient) > 0 {
		t.Errorf("the client gets %q", v.ToClient)
	}
	if v := i.Resume(rpcparse.ServerToClient, rpcparse.Header{}, nil); v.Action != Hold || len(v.ToClient) > 0 {
		t.Errorf("while it waits: %v, %q", v.Action, v.ToClient)
	}
	l.portLearner.done() // it is intercepted
	if v := i.Resume(rpcparse.ServerToClient, rpcparse.Header{}, nil); v.Action != Forward || string(v.ToClient) != "refused" {
		t.Errorf("afterwards: %v, %q", v.Action, v.ToClient)
	}
}
