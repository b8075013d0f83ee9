package tower

import (
	"iter"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Endpoint is a tower of an answer that a proxy could stand in front of: one
// that leads to a TCP port, directly or by RPC over HTTP.
type Endpoint struct {
	Tower     TowerRef
	Interface wire.SyntaxID
	Transfer  wire.SyntaxID
	Protocol  byte       // ProtocolTCP or ProtocolHTTP
	Port      uint16     // where the server listens
	Address   netip.Addr // of the server, as the tower says; the zero Addr: it does not
}

// Endpoints yields the TCP and HTTP towers among towers, which a walk of stub
// found, in their order. All of them, whatever the interface: the same port
// serves several. Towers of other transports are passed over, and so is one that
// cannot be parsed, since no client could use it either. The loop may call
// [PatchPort] and [PatchAddress] for the tower it is at.
func Endpoints(stub []byte, towers []TowerRef) iter.Seq[Endpoint] {
	return func(yield func(Endpoint) bool) {
		for _, ref := range towers {
			e, ok := ref.endpoint(stub)
			if ok && !yield(e) {
				return
			}
		}
	}
}

func (ref TowerRef) endpoint(stub []byte) (Endpoint, bool) {
	t, err := ref.Parse(stub)
	if err != nil {
		return Endpoint{}, false
	}
	protocol := t.Protocol()
	if protocol != ProtocolTCP && protocol != ProtocolHTTP {
		return Endpoint{}, false
	}
	port, _ := t.Port()
	address, _ := t.Address()
	return Endpoint{
		Tower:     ref,
		Interface: t.Interface(),
		Transfer:  t.Transfer(),
		Protocol:  protocol,
		Port:      port,
		Address:   address,
	}, true
}
