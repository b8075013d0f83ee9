package client

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// maxTowers is how many towers Map asks for at once.
const maxTowers = 4

// towerSyntax returns the transfer syntax of the current context in the words
// of package tower.
func (c *Conn) towerSyntax() tower.Syntax {
	if c.Transfer(c.ContextID) == rpcparse.TransferNDR64 {
		return tower.NDR64
	}
	return tower.NDR
}

// MapperOptions binds to an endpoint mapper.
func MapperOptions() Options {
	return Options{Contexts: []rpcparse.ContextElement{Context(0, tower.EPMInterface)}}
}

// DialEPM connects and binds to an endpoint mapper.
func DialEPM(addr string, o Options) (*Conn, error) {
	if o.Transfer == (rpcparse.SyntaxID{}) {
		o.Transfer = rpcparse.SyntaxNDR
	}
	o.Contexts = []rpcparse.ContextElement{Context(0, tower.EPMInterface, o.Transfer)}
	return Dial(addr, o)
}

// Map asks the endpoint mapper at addr for the TCP endpoints of an interface.
func Map(addr string, iface rpcparse.SyntaxID, o Options) ([]tower.Endpoint, error) {
	c, err := DialEPM(addr, o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Map(iface, maxTowers)
}

// Map asks for the TCP endpoints of an interface, at most step per answer,
// until there are no more. The offsets in what it returns are meaningless.
func (c *Conn) Map(iface rpcparse.SyntaxID, step uint32) ([]tower.Endpoint, error) {
	return c.mapAll(iface, step, maxRounds)
}

// mapAll is Map with a limit on the number of answers. None at all is
// [ErrNotRegistered]. A server that keeps handles open for a list that never ends
// should lose the connection, and with it the handles.
func (c *Conn) mapAll(iface rpcparse.SyntaxID, step uint32, rounds int) (list []tower.Endpoint, err error) {
	request := tower.MapRequest{
		Tower:     tower.BuildTCP(iface, rpcparse.SyntaxNDR, 0, netip.IPv4Unspecified()),
		MaxTowers: step,
	}
	for round := range rounds {
		found, next, err := c.mapOnce(request)
		if errors.Is(err, ErrNotRegistered) && round > 0 {
			err = nil // no more entries: the end of the list, and no handle
		}
		if err != nil {
			return nil, err
		}
		if list = append(list, found...); next.IsZero() {
			return list, nil
		}
		request.Handle = next
	}
	return nil, limitf("a list in more than %d answers", rounds)
}

// mapOnce returns the endpoints of one answer, and the handle for more.
func (c *Conn) mapOnce(request tower.MapRequest) (list []tower.Endpoint, next tower.Handle, err error) {
	stub, err := tower.AppendMapRequest(nil, request, c.towerSyntax(), c.order(c.ContextID))
	if err != nil {
		return nil, next, err
	}
	a, err := c.ask(tower.OpnumMap, stub)
	if err != nil {
		return nil, next, err
	}
	r, err := tower.WalkMapResponse(a.Stub, c.towerSyntax(), a.Order)
	if err != nil {
		return nil, next, err
	}
	switch r.Status {
	case tower.StatusOK:
	case tower.StatusNotRegistered:
		return nil, next, ErrNotRegistered
	default:
		return nil, next, &StatusError{Status: r.Status}
	}
	if r.Num > int(request.MaxTowers) {
		return nil, next, limitf("%d towers, asked for %d", r.Num, request.MaxTowers)
	}
	return slices.Collect(tower.Endpoints(a.Stub, r.Towers)), r.Handle, nil
}

// ask is Call with all that the answer has.
func (c *Conn) ask(opnum uint16, stub []byte) (Answer, error) {
	id, err := c.Send(Request{Opnum: opnum, Stub: stub})
	if err != nil {
		return Answer{}, err
	}
	return c.Await(id)
}

// Lookup lists all endpoints, at most step per answer.
func (c *Conn) Lookup(step uint32) ([]tower.Endpoint, error) {
	request := tower.LookupRequest{VersOption: 1, MaxEntries: step}
	var list []tower.Endpoint
	for range maxRounds {
		stub, err := tower.AppendLookupRequest(nil, request, c.towerSyntax(), c.order(c.ContextID))
		if err != nil {
			return nil, err
		}
		a, err := c.ask(tower.OpnumLookup, stub)
		if err != nil {
			return nil, err
		}
		r, err := tower.WalkLookupResponse(a.Stub, c.towerSyntax(), a.Order)
		if err != nil {
			return nil, err
		}
		list = slices.AppendSeq(list, tower.Endpoints(a.Stub, r.Towers))
		if request.Handle = r.Handle; r.Handle.IsZero() || r.Status != tower.StatusOK {
			return list, nil
		}
	}
	return nil, limitf("a list in more than %d answers", maxRounds)
}
