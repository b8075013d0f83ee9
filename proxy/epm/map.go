package epm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// Map returns the TCP ports on which the interface listens, each once, in
// ascending order: at least one, or an error. Addresses in the answer are
// ignored, as clients must (MS-RPCE 3.1.3.5.3). The caller owns the slice.
func (c *Client) Map(ctx context.Context, iface rpcparse.SyntaxID) ([]uint16, error) {
	var ports []uint16
	err := c.within(ctx, func() (err error) {
		ports, err = c.collect(iface)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ports, nil
}

// collect asks until the list is at its end. A server that keeps handles open
// for a list that never ends loses the connection, and with it the handles.
func (c *Client) collect(iface rpcparse.SyntaxID) ([]uint16, error) {
	request := tower.MapRequest{
		Tower:     tower.BuildTCP(iface, rpcparse.SyntaxNDR, 0, netip.IPv4Unspecified()),
		MaxTowers: towersPerCall,
	}
	var ports []uint16
	for round := range maxRounds {
		found, next, err := c.ask(request, iface)
		if errors.Is(err, ErrNotRegistered) && round > 0 {
			err = nil // no more entries: the end of the list, and no handle
		}
		if err != nil {
			return nil, err
		}
		if ports = append(ports, found...); next.IsZero() {
			return distinct(ports)
		}
		request.Handle = next
	}
	return nil, limitf("a list in more than %d answers", maxRounds)
}

// distinct sorts ports and removes what is there twice.
func distinct(ports []uint16) ([]uint16, error) {
	slices.Sort(ports)
	ports = slices.Compact(ports)
	if len(ports) == 0 {
		return nil, ErrNotRegistered
	}
	if len(ports) > maxPorts {
		return nil, limitf("%d ports of one interface, at most %d", len(ports), maxPorts)
	}
	return ports, nil
}

// ask asks once. It returns the ports of the answer, at most towersPerCall,
// and the handle for more.
func (c *Client) ask(request tower.MapRequest, iface rpcparse.SyntaxID) (ports []uint16, next tower.Handle, err error) {
	stub, err := tower.AppendMapRequest(nil, request, tower.NDR, rpcparse.LittleEndian)
	if err != nil {
		return nil, next, err
	}
	stub, order, err := c.call(tower.OpnumMap, stub)
	if err != nil {
		return nil, next, err
	}
	answer, err := tower.WalkMapResponse(stub, tower.NDR, order)
	if err != nil {
		return nil, next, fmt.Errorf("epm: %w", err)
	}
	switch answer.Status {
	case tower.StatusOK:
	case tower.StatusNotRegistered:
		return nil, next, ErrNotRegistered
	default:
		return nil, next, &Status{Status: answer.Status}
	}
	if answer.Num > towersPerCall {
		return nil, next, limitf("%d towers, asked for %d", answer.Num, towersPerCall)
	}
	for e := range tower.Endpoints(stub, answer.Towers) {
		if serves(e, iface) {
			ports = append(ports, e.Port)
		}
	}
	return ports, answer.Handle, nil
}

// serves reports whether a client of iface could use e: the same interface in
// the same major version, on a TCP port.
func serves(e tower.Endpoint, iface rpcparse.SyntaxID) bool {
	return e.Protocol == tower.ProtocolTCP && e.Port != 0 &&
		e.Interface.UUID == iface.UUID && e.Interface.Major() == iface.Major()
}
