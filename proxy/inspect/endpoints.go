package inspect

import (
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// maxEndpointAnswer is how many bytes of one fragmented ept_lookup answer are
// buffered until it is whole. 500 entries (MS-RPCE 2.2.1.2.4) of 200 bytes are
// 100,000.
const maxEndpointAnswer = 256 << 10

// endpointRewriter replaces the ports and addresses in the answers of the endpoint
// mapper: clients may connect to either. Two bytes of each TCP tower change, and the
// four of its address, and nothing else. One belongs to one connection.
type endpointRewriter struct {
	passive
	ports     PortOpener
	front     netip.Addr
	fragments []byte // whole PDUs of an answer that is not whole yet
	callID    uint32 // of that answer
}

// PortOpener opens ports of the proxy's own for endpoints of a domain controller.
type PortOpener interface {
	// PortFor returns the port that leads to an endpoint, and opens it the first
	// time.
	PortFor(tower.Endpoint) (uint16, error)
}

// EndpointReason says why an answer of the endpoint mapper, or a tower of it,
// passed as it was.
type EndpointReason uint8

// The reasons.
const (
	// EndpointsProtected: the answer is signed, so that it had to.
	EndpointsProtected EndpointReason = iota
	// EndpointsMalformed: it could not be read.
	EndpointsMalformed
	// EndpointsNoPort: no port could be opened for a tower.
	EndpointsNoPort
	// EndpointsPrivate: as EndpointsProtected, in a transparent mode, in which
	// answers pass as they are anyway.
	EndpointsPrivate
)

// String returns the reason as a label of metrics.
func (r EndpointReason) String() string {
	switch r {
	case EndpointsProtected, EndpointsPrivate:
		return "protected"
	case EndpointsMalformed:
		return "malformed"
	}
	return "port"
}

func (e *endpointRewriter) reads(k *rpcparse.Call) bool { return k.MapsEndpoints() }

func (e *endpointRewriter) answer(on exchange, k *rpcparse.Call, x protectedPDU) Verdict {
	if k.Protected() {
		on.reportEndpoints(EndpointsProtected)
		return Verdict{}
	}
	if x.First() && x.Last() {
		e.rewrite(on, k, [][]byte{x.Response.Stub}, x.Order())
		return Verdict{}
	}
	if !x.First() && len(e.fragments) == 0 {
		return Verdict{} // what is before it has passed
	}
	if len(e.fragments)+len(x.wire) > maxEndpointAnswer {
		return closing(rpcparse.Errorf(rpcparse.ClassLimit, "endpoint_answer", 0, "an answer of more than %d bytes", maxEndpointAnswer))
	}
	e.fragments, e.callID = append(e.fragments, x.wire...), x.CallID
	if !x.Last() {
		return Verdict{Action: Drop}
	}
	whole := e.fragments
	e.fragments = nil
	e.rewrite(on, k, stubsOf(whole), x.Order())
	return Verdict{Action: Drop, ToClient: whole}
}

// interrupted implements rewriter. If the server does not go on with the answer
// that is buffered, that one will not be whole: its fragments pass unchanged.
func (e *endpointRewriter) interrupted(on exchange, h rpcparse.Header) (late []byte) {
	if len(e.fragments) == 0 || (h.Type == rpcparse.PTypeResponse && !h.First() && h.CallID == e.callID) {
		return nil
	}
	on.reportEndpoints(EndpointsMalformed)
	late, e.fragments = e.fragments, nil
	return late
}

// stubOf returns the stub of a response, in place.
func stubOf(pdu []byte) []byte {
	r, err := rpcparse.ParseResponse(pdu)
	if err != nil {
		return nil // cannot be: the conversation has parsed it
	}
	return r.Stub
}

// stubsOf returns the stubs of consecutive responses, in place.
func stubsOf(pdus []byte) (stubs [][]byte) {
	for len(pdus) >= rpcparse.HeaderSize {
		h, err := rpcparse.ParseHeader(pdus)
		if err != nil || int(h.FragLength) > len(pdus) {
			return stubs
		}
		stubs = append(stubs, stubOf(pdus[:h.FragLength]))
		pdus = pdus[h.FragLength:]
	}
	return stubs
}

// rewrite patches the answer that consists of the given parts.
func (e *endpointRewriter) rewrite(on exchange, k *rpcparse.Call, parts [][]byte, o rpcparse.Order) {
	stub := parts[0]
	if len(parts) > 1 {
		stub = nil
		for _, p := range parts {
			stub = append(stub, p...)
		}
	}
	syntax, ok := towerSyntax(k.Context)
	if !ok || !e.patch(on, k.Opnum, stub, syntax, o) {
		on.reportEndpoints(EndpointsMalformed)
		return
	}
	if len(parts) > 1 {
		for _, p := range parts {
			stub = stub[copy(p, stub):]
		}
	}
}

// patch replaces port and address of every TCP tower. It returns false, with nothing
// changed, when the answer cannot be walked.
func (e *endpointRewriter) patch(on exchange, opnum uint16, stub []byte, s tower.Syntax, o rpcparse.Order) bool {
	towers, err := walk(opnum, stub, s, o)
	if err != nil {
		return false
	}
	for end := range tower.Endpoints(stub, towers) {
		if end.Protocol != tower.ProtocolTCP {
			continue // RPC over HTTP needs more than another port
		}
		port, err := e.ports.PortFor(end)
		if err == nil {
			err = tower.PatchPort(stub, end.Tower, port)
		}
		if err != nil {
			on.reportEndpoints(EndpointsNoPort)
		}
		_ = tower.PatchAddress(stub, end.Tower, e.front) // fails where the tower cannot be read, as for the port
	}
	return true
}

func walk(opnum uint16, stub []byte, s tower.Syntax, o rpcparse.Order) ([]tower.TowerRef, error) {
	if opnum == tower.OpnumLookup {
		l, err := tower.WalkLookupResponse(stub, s, o)
		return l.Towers, err
	}
	m, err := tower.WalkMapResponse(stub, s, o)
	return m.Towers, err
}
