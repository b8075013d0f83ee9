package client

import (
	"fmt"
	"net/netip"

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
	request := tower.MapRequest{
		Tower:     tower.BuildTCP(iface, rpcparse.SyntaxNDR, 0, netip.AddrFrom4([4]byte{})),
		MaxTowers: step,
	}
	var list []tower.Endpoint
	for {
		stub, err := tower.AppendMapRequest(nil, request, c.towerSyntax(), c.order(c.ContextID))
		if err != nil {
			return nil, err
		}
		if stub, err = c.Call(tower.OpnumMap, stub); err != nil {
			return nil, err
		}
		r, err := tower.WalkMapResponse(stub, c.towerSyntax(), c.order(c.ContextID))
		if err != nil {
			return nil, err
		}
		if r.Status != tower.StatusOK {
			return nil, fmt.Errorf("client: ept_map: %s", tower.StatusName(r.Status))
		}
		for e := range tower.Endpoints(stub, r.Towers) {
			list = append(list, e)
		}
		if request.Handle = r.Handle; r.Handle.IsZero() || len(r.Towers) == 0 {
			return list, nil
		}
	}
}

// Lookup lists all endpoints, at most step per answer.
func (c *Conn) Lookup(step uint32) ([]tower.Endpoint, error) {
	request := tower.LookupRequest{VersOption: 1, MaxEntries: step}
	var list []tower.Endpoint
	for {
		stub, err := tower.AppendLookupRequest(nil, request, c.towerSyntax(), c.order(c.ContextID))
		if err != nil {
			return nil, err
		}
		if stub, err = c.Call(tower.OpnumLookup, stub); err != nil {
			return nil, err
		}
		r, err := tower.WalkLookupResponse(stub, c.towerSyntax(), c.order(c.ContextID))
		if err != nil {
			return nil, err
		}
		for e := range tower.Endpoints(stub, r.Towers) {
			list = append(list, e)
		}
		if request.Handle = r.Handle; r.Handle.IsZero() || r.Status != tower.StatusOK {
			return list, nil
		}
	}
}
