package inspect

import (
	"sync/atomic"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// portLearner reads in the endpoint mapper's answers where NSPI is, and where it may be
// bound as well, so that the proxy intercepts these ports, too. The answers pass unchanged, but the one
// that names a new port waits until connections to that port are intercepted, so
// that no client goes to a port that leads past the proxy. One belongs to one
// connection.
type portLearner struct {
	passive
	ports   PortInterceptor
	wake    func()       // has the relay ask again
	stub    []byte       // of an answer in fragments, so far
	callID  uint32       // of that answer
	waiting atomic.Int32 // ports that are not intercepted yet
}

// PortInterceptor begins to intercept ports of one domain controller.
type PortInterceptor interface {
	// Intercept begins with the port of an endpoint of the domain controller, if one of
	// its interface is to be intercepted. If it was not known, Intercept returns true
	// and calls done, from any goroutine, when the port is intercepted or cannot be.
	Intercept(end tower.Endpoint, done func()) (fresh bool)
	// Watch has the proxy ask the endpoint mapper itself. It is called when the
	// client may know more of an answer than is learnt from it.
	Watch()
}

func (l *portLearner) reads(k *rpcparse.Call) bool { return k.MapsEndpoints() }

func (l *portLearner) answer(on exchange, k *rpcparse.Call, x protectedPDU) Verdict {
	if k.Protected() {
		l.ports.Watch()
		on.reportEndpoints(EndpointsPrivate)
		return Verdict{}
	}
	part := x.Response.Stub
	switch {
	case x.First() && x.Last():
		return l.whole(on, k, &x, part)
	case x.First():
		l.ports.Watch() // the client has this before the end, and may see to it that the end never gets here
		l.stub, l.callID = append(l.stub[:0], part...), x.CallID
		return Verdict{}
	case l.stub == nil || x.CallID != l.callID:
		return Verdict{} // of an answer that is given up
	case len(l.stub)+len(part) > maxEndpointAnswer:
		l.stub = nil
		on.reportEndpoints(EndpointsMalformed)
		return Verdict{}
	}
	l.stub = append(l.stub, part...)
	if !x.Last() {
		return Verdict{}
	}
	stub := l.stub
	l.stub = nil
	return l.whole(on, k, &x, stub)
}

// whole reads a complete answer.
func (l *portLearner) whole(on exchange, k *rpcparse.Call, x *protectedPDU, stub []byte) Verdict {
	syntax, ok := towerSyntax(k.Context)
	towers, err := walk(k.Opnum, stub, syntax, x.Order())
	if !ok || err != nil {
		l.ports.Watch()
		on.reportEndpoints(EndpointsMalformed)
		return Verdict{}
	}
	for end := range tower.Endpoints(stub, towers) {
		if end.Protocol != tower.ProtocolTCP || end.Port == 0 {
			continue
		}
		l.waiting.Add(1)
		if !l.ports.Intercept(end, l.done) {
			l.waiting.Add(-1)
		}
	}
	return l.resume()
}

// done notes that one port more is intercepted.
func (l *portLearner) done() {
	if l.waiting.Add(-1) == 0 {
		l.wake()
	}
}

// resume implements rewriter: the last fragment goes on when nothing is waited
// for.
func (l *portLearner) resume() Verdict {
	if l.waiting.Load() > 0 {
		return Verdict{Action: Hold}
	}
	return Verdict{}
}
