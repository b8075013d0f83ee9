package proxy

import (
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// NotRPC implements relay.StreamHandler: the configuration lets other traffic
// pass unseen.
func (i *inspector) NotRPC(rpcparse.Direction) {
	i.server.recorder.note("traffic.not_rpc", i.backend(),
		"a connection does not speak DCE/RPC and is passed unseen, as configured")
}

// ServerEnded implements relay.StreamHandler: what the domain controller held
// for this connection is over, whatever the client does.
func (i *inspector) ServerEnded() {
	i.orphan = true
	i.session.Close()
	i.leaveGroup()
}

// Malformed implements relay.StreamHandler: the stream cannot be cut into PDUs.
func (i *inspector) Malformed(_ rpcparse.Direction, head []byte, err error) []byte {
	return i.violation(claimedHeader(head), head, err).ToClient
}

// claimedHeader reads what a PDU that is not accepted says it is, for the
// answer to it. Without a header it is a shutdown, which nobody answers.
func claimedHeader(head []byte) rpcparse.Header {
	if len(head) < rpcparse.HeaderSize {
		return rpcparse.Header{Type: rpcparse.PTypeShutdown}
	}
	h := rpcparse.Header{Type: rpcparse.PType(head[2]), Drep: rpcparse.Drep(head[4:8])}
	h.CallID = h.Order().Uint32(head[12:])
	return h
}

var _ relay.StreamHandler = (*inspector)(nil)

// noteEndpoint reports what could not be done with an answer of the endpoint
// mapper.
func (i *inspector) noteEndpoint(n endpointNote) {
	i.server.metrics.endpointNoted(n)
	i.server.recorder.endpointNoted(n, i.backend())
}
