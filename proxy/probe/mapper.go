package probe

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// maxTowers is how many towers an answer of the endpoint mapper may have:
// servers with several addresses send one for each, and all fit one PDU.
const maxTowers = 16

// mapCall is ept_map for NSPI over TCP.
func mapCall() (call, error) {
	stub, err := tower.AppendMapRequest(nil, tower.MapRequest{
		Tower:     tower.BuildTCP(nspi.Interface, rpcparse.SyntaxNDR, 0, netip.IPv4Unspecified()),
		MaxTowers: maxTowers,
	}, tower.NDR, wire)
	return call{name: "ept_map", opnum: tower.OpnumMap, request: stub}, err
}

// parseMap returns the first port in an answer to mapCall, and how many
// different ones there are. The addresses in towers are none of a client's
// business (MS-RPCE 3.1.3.5.3).
func parseMap(stub []byte) (port uint16, ports int, err error) {
	answer, err := tower.WalkMapResponse(stub, tower.NDR, wire)
	if err != nil {
		return 0, 0, err
	}
	if answer.Status != tower.StatusOK {
		return 0, 0, fmt.Errorf("ept_map: %s", tower.StatusName(answer.Status))
	}
	seen := make(map[uint16]bool)
	for e := range tower.Endpoints(stub, answer.Towers) {
		if e.Interface != nspi.Interface || e.Protocol != tower.ProtocolTCP || e.Port == 0 {
			continue
		}
		if len(seen) == 0 {
			port = e.Port
		}
		seen[e.Port] = true
	}
	if len(seen) == 0 {
		return 0, 0, errors.New("ept_map: no TCP port of NSPI in the answer")
	}
	return port, len(seen), nil
}
