package proxy

import (
	"sync/atomic"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// portLearner reads in the endpoint mapper's answers where NSPI is, so that the
// proxy intercepts these ports as well. The answers pass unchanged, but the one
// that names a new port waits until connections to that port are intercepted:
// nobody is told a port that leads past the proxy. One belongs to one
// connection.
type portLearner struct {
	// learn begins to intercept a port of the domain controller. If it was not
	// known, learn returns true and calls done, from any goroutine, when the port
	// is intercepted or cannot be.
	learn func(port uint16, done func()) (fresh bool)
	// watch has the proxy ask the endpoint mapper itself. It is called when the
	// client may know more of an answer than is learnt from it.
	watch func()
	// note tells what could not be done with an answer.
	note func(endpointNote)
	// wake makes the relay ask again.
	wake func()

	stub    []byte       // of an answer in fragments, so far
	call    uint32       // its call id
	waiting atomic.Int32 // ports that are not intercepted yet
}

// answer handles one fragment of a response to call k.
func (l *portLearner) answer(k *rpcparse.Call, h rpcparse.Header, pdu []byte) relay.Verdict {
	if k.Protected() {
		l.watch()
		l.note(noteProtected)
		return relay.Verdict{}
	}
	part := stubOf(pdu)
	switch {
	case h.First() && h.Last():
		return l.whole(k, h, part)
	case h.First():
		l.watch() // the client has this before the end, and may see to it that the end never gets here
		l.stub, l.call = append(l.stub[:0], part...), h.CallID
		return relay.Verdict{}
	case l.stub == nil || h.CallID != l.call:
		return relay.Verdict{} // of an answer that is given up
	case len(l.stub)+len(part) > maxEndpointAnswer:
		l.stub = nil
		l.note(noteMalformed)
		return relay.Verdict{}
	}
	l.stub = append(l.stub, part...)
	if !h.Last() {
		return relay.Verdict{}
	}
	stub := l.stub
	l.stub = nil
	return l.whole(k, h, stub)
}

// whole reads a complete answer.
func (l *portLearner) whole(k *rpcparse.Call, h rpcparse.Header, stub []byte) relay.Verdict {
	syntax, ok := towerSyntax(k.Context)
	towers, err := walk(k.Opnum, stub, syntax, h.Order())
	if !ok || err != nil {
		l.watch()
		l.note(noteMalformed)
		return relay.Verdict{}
	}
	for end := range tower.Endpoints(stub, towers) {
		if end.Interface.UUID != nspi.Interface.UUID || end.Protocol != tower.ProtocolTCP || end.Port == 0 {
			continue
		}
		l.waiting.Add(1)
		if !l.learn(end.Port, l.done) {
			l.waiting.Add(-1)
		}
	}
	return l.resume()
}

// done is told that one port more is intercepted.
func (l *portLearner) done() {
	if l.waiting.Add(-1) == 0 {
		l.wake()
	}
}

// resume implements mapperAnswers: the last fragment goes on when nothing is
// waited for.
func (l *portLearner) resume() relay.Verdict {
	if l.waiting.Load() > 0 {
		return relay.Verdict{Action: relay.Hold}
	}
	return relay.Verdict{}
}

// interrupted implements mapperAnswers: answers pass as they come.
func (l *portLearner) interrupted(rpcparse.Header) []byte { return nil }
