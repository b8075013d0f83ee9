package rawnspi

import (
	"errors"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// MapPort asks the endpoint mapper at address for the TCP port of NSPI.
func MapPort(address string) (uint16, error) {
	c, err := Dial(address, netip.Addr{})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.MapPort()
}

// MapPort asks the endpoint mapper that c is connected to for the TCP port of NSPI. No bind may have been before.
func (c *Client) MapPort() (uint16, error) {
	if err := c.bind(tower.EPMInterface, 0); err != nil {
		return 0, err
	}
	request, err := tower.AppendMapRequest(nil, tower.MapRequest{
		Tower:     tower.BuildTCP(nspi.Interface, rpcparse.SyntaxNDR, 0, netip.IPv4Unspecified()),
		MaxTowers: 1,
	}, tower.NDR, le)
	if err != nil {
		return 0, err
	}
	answer, _, err := c.Call(tower.OpnumMap, request)
	if err != nil {
		return 0, err
	}
	mapped, err := tower.WalkMapResponse(answer, tower.NDR, le)
	if err != nil {
		return 0, err
	}
	for e := range tower.Endpoints(answer, mapped.Towers) {
		if e.Interface == nspi.Interface && e.Protocol == tower.ProtocolTCP {
			return e.Port, nil
		}
	}
	return 0, errors.New("the endpoint mapper knows no TCP port of NSPI")
}
