package probe

import (
	"errors"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// maxTowers is how many towers one answer of the endpoint mapper may have:
// servers with several addresses send one for each, and all fit one PDU.
const maxTowers = 16

// mapNSPI asks an endpoint mapper for the ports of NSPI, of which it returns the
// first and how many different ones there are. The addresses in towers are none
// of a client's business (MS-RPCE 3.1.3.5.3).
func mapNSPI(c *client.Conn) (port uint16, ports int, err error) {
	if err := c.Bind(client.MapperOptions()); err != nil {
		return 0, 0, err
	}
	all, err := c.Map(nspi.Interface, maxTowers)
	if err != nil {
		return 0, 0, err
	}
	seen := make(map[uint16]bool)
	for _, e := range all {
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
