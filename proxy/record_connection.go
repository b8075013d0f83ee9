package proxy

import (
	"encoding/hex"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// evidence is how many bytes of a PDU that broke a rule are logged: its header,
// which holds no stub and no token.
const evidence = rpcparse.HeaderSize

// violationRecord is a PDU that ended its connection.
type violationRecord struct {
	client  netip.AddrPort
	backend string
	ptype   rpcparse.PType
	header  string
	err     error
}

// violation reports a PDU that ends the connection.
func (r *recorder) violation(i *inspector, h rpcparse.Header, pdu []byte, err error) {
	r.put(violationRecord{
		client: i.conn.Client(), backend: i.backend(), ptype: h.Type,
		header: hex.EncodeToString(pdu[:min(evidence, len(pdu))]), err: err,
	})
}

func (v violationRecord) write(r *recorder) {
	r.log.Warn().Str("event", "proto.error").Str("class", classOf(v.err)).Str("client", v.client.String()).
		Str("backend", v.backend).Str("ptype", v.ptype.String()).Str("header", v.header).Err(v.err).
		Msg("connection closed: a PDU breaks the rules of the protocol")
}

// closedRecord is the end of a connection.
type closedRecord struct {
	client netip.AddrPort
	where  string // "backend", or "listener" where the connection was not led anywhere
	name   string
	reason relay.CloseReason
}

// unrouted returns what reports connections to a listener that ended before it
// was decided where they go.
func (s *Server) unrouted(l *policy.Listener) func(*relay.Conn, relay.CloseReason) {
	return func(c *relay.Conn, reason relay.CloseReason) {
		s.recorder.put(closedRecord{client: c.Peer(), where: "listener", name: l.Name, reason: reason})
	}
}

// closed reports the end of a connection: at debug level when the peers ended
// it, or when the reason has a record of its own already.
func (r *recorder) closed(i *inspector, reason relay.CloseReason) {
	r.put(closedRecord{client: i.conn.Client(), where: "backend", name: i.backend(), reason: reason})
}

func (c closedRecord) write(r *recorder) {
	e := r.log.Debug()
	if c.remarkable() {
		e = r.log.Warn()
	}
	e.Str("event", "connection.closed").Str("client", c.client.String()).Str(c.where, c.name).
		Str("reason", c.reason.Cause.String()).AnErr("error", c.reason.Err).Msg("connection closed")
}

func (c closedRecord) remarkable() bool {
	switch c.reason.Cause {
	case relay.CauseEnd, relay.CauseClientReset, relay.CauseServerReset, relay.CauseShutdown, relay.CauseVerdict:
		return false
	}
	return true
}

// associationRecord is a bind that named somebody else's association.
type associationRecord struct {
	client  netip.AddrPort
	backend string
	group   uint32
	err     error
}

// associationRefused reports a bind that names an association in which the
// client has no part.
func (r *recorder) associationRefused(i *inspector, group uint32, why error) {
	r.put(associationRecord{client: i.conn.Client(), backend: i.backend(), group: group, err: why})
}

func (a associationRecord) write(r *recorder) {
	r.log.Warn().Str("event", "association.refused").Str("client", a.client.String()).Str("backend", a.backend).
		Uint32("assoc_group_id", a.group).Err(a.err).Msg("bind refused: it names an association that is not the client's")
}

// upstreamRecord is a bind that the domain controller itself refused.
type upstreamRecord struct {
	client  netip.AddrPort
	backend string
	account string
}

// refusedUpstream reports MAPI_E_LOGON_FAILED from the domain controller to a
// user who did authenticate: its own limit is reached, or it has a reason of
// its own. Anonymous binds fail by design and are not reported.
func (r *recorder) refusedUpstream(i *inspector, e *rpcparse.Event) {
	r.put(upstreamRecord{client: i.conn.Client(), backend: i.backend(), account: e.Security.Account()})
}

func (u upstreamRecord) write(r *recorder) {
	r.log.Warn().Str("event", "limit.upstream").Str("user", clip(u.account)).Str("client", u.client.String()).
		Str("backend", u.backend).Msg("the domain controller itself answered MAPI_E_LOGON_FAILED")
}
