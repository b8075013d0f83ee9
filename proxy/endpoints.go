package proxy

import (
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// maxEndpointAnswer is how many bytes of one fragmented ept_lookup answer are
// kept until it is whole. 500 entries (MS-RPCE 2.2.1.2.4) of 200 bytes are
// 100,000.
const maxEndpointAnswer = 256 << 10

// mapperAnswers reads the endpoint mapper's answers on one connection.
type mapperAnswers interface {
	// answer handles one fragment of a response to call k.
	answer(k *rpcparse.Call, h rpcparse.Header, pdu []byte) relay.Verdict
	// interrupted is told of every PDU of the server before answer is. It returns
	// whole PDUs that must reach the client before it.
	interrupted(h rpcparse.Header) (late []byte)
	// resume decides again on a PDU that answer has held.
	resume() relay.Verdict
}

// endpointRewriter replaces the ports in the answers of the endpoint mapper.
// Two bytes of each TCP tower change and nothing else. One belongs to one
// connection.
type endpointRewriter struct {
	portFor func(tower.Endpoint) (uint16, error) // of the proxy's own
	note    func(endpointNote)
	kept    []byte // whole PDUs of an answer in fragments
	keptFor uint32 // the call id of that answer
}

// endpointNote says what could not be done with an answer.
type endpointNote uint8

const (
	// noteProtected: the answer is signed, so that it had to pass as it is.
	noteProtected endpointNote = iota
	// noteMalformed: the answer could not be walked and passed as it is.
	noteMalformed
	// notePort: no port could be opened for a tower, which passed as it is.
	notePort
	// notePrivate: as noteProtected, in a transparent mode: answers pass as they
	// are anyway.
	notePrivate
)

// String returns the note as a label.
func (n endpointNote) String() string {
	switch n {
	case noteProtected, notePrivate:
		return "protected"
	case noteMalformed:
		return "malformed"
	}
	return "port"
}

// answer handles one fragment of a response to call k.
func (e *endpointRewriter) answer(k *rpcparse.Call, h rpcparse.Header, pdu []byte) relay.Verdict {
	if k.Protected() {
		e.note(noteProtected)
		return relay.Verdict{}
	}
	if h.First() && h.Last() {
		e.rewrite(k, [][]byte{stubOf(pdu)}, h.Order())
		return relay.Verdict{}
	}
	if !h.First() && len(e.kept) == 0 {
		return relay.Verdict{} // what is before it has passed
	}
	if len(e.kept)+len(pdu) > maxEndpointAnswer {
		return relay.Verdict{Action: relay.Close, Err: rpcparse.Errorf(rpcparse.ClassLimit, "endpoint_answer", 0,
			"an answer of more than %d bytes", maxEndpointAnswer)}
	}
	e.kept, e.keptFor = append(e.kept, pdu...), h.CallID
	if !h.Last() {
		return relay.Verdict{Action: relay.Drop}
	}
	whole := e.kept
	e.kept = nil
	e.rewrite(k, stubsOf(whole), h.Order())
	return relay.Verdict{Action: relay.Drop, ToClient: whole}
}

// interrupted is told of every PDU of the server before answer is. If it does
// not go on with the answer that is kept, that one will not be whole: its
// fragments are returned, to pass unchanged before the PDU.
func (e *endpointRewriter) interrupted(h rpcparse.Header) (late []byte) {
	if len(e.kept) == 0 || (h.Type == rpcparse.PTypeResponse && !h.First() && h.CallID == e.keptFor) {
		return nil
	}
	e.note(noteMalformed)
	late, e.kept = e.kept, nil
	return late
}

// resume implements mapperAnswers: nothing is ever held.
func (e *endpointRewriter) resume() relay.Verdict { return relay.Verdict{} }

// behind lets late reach the client before what v says about pdu.
func behind(late, pdu []byte, v relay.Verdict) relay.Verdict {
	if v.Action == relay.Forward {
		v.Action = relay.Drop
		late = append(late, pdu...)
	}
	v.ToClient = append(late, v.ToClient...)
	return v
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
func (e *endpointRewriter) rewrite(k *rpcparse.Call, parts [][]byte, o rpcparse.Order) {
	stub := parts[0]
	if len(parts) > 1 {
		stub = nil
		for _, p := range parts {
			stub = append(stub, p...)
		}
	}
	syntax, ok := towerSyntax(k.Context)
	if !ok || !e.patch(k.Opnum, stub, syntax, o) {
		e.note(noteMalformed)
		return
	}
	if len(parts) > 1 {
		for _, p := range parts {
			stub = stub[copy(p, stub):]
		}
	}
}

// patch replaces the port of every TCP tower. It returns false, with nothing
// changed, when the answer cannot be walked.
func (e *endpointRewriter) patch(opnum uint16, stub []byte, s tower.Syntax, o rpcparse.Order) bool {
	towers, err := walk(opnum, stub, s, o)
	if err != nil {
		return false
	}
	for end := range tower.Endpoints(stub, towers) {
		if end.Protocol != tower.ProtocolTCP {
			continue // RPC over HTTP needs more than another port
		}
		port, err := e.portFor(end)
		if err == nil {
			err = tower.PatchPort(stub, end.Tower, port)
		}
		if err != nil {
			e.note(notePort)
		}
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

// towerSyntax returns the transfer syntax as packages tower and rfri name it.
func towerSyntax(p *rpcparse.PresentationContext) (s tower.Syntax, ok bool) {
	switch p.Transfer {
	case rpcparse.TransferNDR:
		return tower.NDR, true
	case rpcparse.TransferNDR64:
		return tower.NDR64, true
	}
	return tower.NDR, false
}
