package proxy

import (
	"fmt"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// service is a listener of the configuration at work: an address of the
// proxy's own in front of one domain controller, with a port for the endpoint
// mapper and one for each endpoint that clients were told of.
type service struct {
	server   *Server
	listener *policy.Listener
	backend  *policy.Backend
	ports    *portMap
}

func newService(s *Server, l *policy.Listener) *service {
	v := &service{server: s, listener: l, backend: s.config.Backend(l.Backend)}
	v.ports = newPortMap(v.open)
	return v
}

// start opens the ports that must be there before the first client.
func (v *service) start() error {
	if port := v.server.config.MapperPort(v.listener); port != 0 {
		if err := v.listen(port, v.backend.EPMPort); err != nil {
			return err
		}
	}
	if port := v.backend.NSPIPort; port != 0 {
		return v.listen(port, port)
	}
	return nil
}

func (v *service) listen(port, target uint16) error {
	got, err := v.open(port, target)
	if err != nil {
		return fmt.Errorf("listener %q: %w", v.listener.Name, err)
	}
	v.ports.set(target, got)
	return nil
}

// open listens on port for connections to the domain controller's port target.
func (v *service) open(port, target uint16) (uint16, error) {
	to := addrPort(v.backend.Address, target)
	route := func(c *relay.Conn, attempt int) relay.Route {
		if attempt > 0 {
			return relay.Route{}
		}
		return relay.Route{Handler: v.accept(c, to), Server: to}
	}
	l, err := v.server.group.Listen(relay.ListenOptions{Address: addrPort(v.listener.Address, port), Route: route})
	if err != nil {
		return 0, err
	}
	v.server.log.Info().Str("event", "listening").Str("listener", v.listener.Name).Str("backend", v.backend.Name).
		Str("address", l.Addr().String()).Str("target", to.String()).Msg("listening")
	return l.Addr().Port(), nil
}

// accept makes the inspector of a new connection to a server.
func (v *service) accept(c *relay.Conn, to netip.AddrPort) relay.Handler {
	i := &inspector{
		server:  v.server,
		service: v,
		conn:    c,
		session: v.server.table.Open(c.Client(), v.scope(), v.backend.Name, to.String()),
	}
	if len(v.server.config.Identity.Keytabs) > 0 {
		i.conv = *rpcparse.NewConversation(rpcparse.ConversationOptions{NewHandshake: i.newHandshake})
	}
	if to.Port() == v.backend.EPMPort {
		i.endpoint = &endpointRewriter{ports: v.ports, note: v.noteEndpoint}
	}
	return i
}

// scope returns the name under which the users of this backend are counted.
func (v *service) scope() string {
	if v.server.config.Policy.Scope == policy.ScopeAll {
		return string(policy.ScopeAll)
	}
	return v.backend.Name
}

func (v *service) noteEndpoint(n endpointNote) {
	v.server.metrics.endpointNoted(n)
	v.server.recorder.endpointNoted(n, v.backend.Name)
}

// NotRPC implements relay.StreamHandler: the configuration lets other traffic
// pass unseen.
func (i *inspector) NotRPC(from rpcparse.Direction) {
	i.server.recorder.note("traffic.not_rpc", i.service.backend.Name,
		"a connection does not speak DCE/RPC and is passed unseen, as configured")
}

// ServerEnded implements relay.StreamHandler: what the domain controller held
// for this connection is over, whatever the client does.
func (i *inspector) ServerEnded() {
	i.orphan = true
	i.session.Close()
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
