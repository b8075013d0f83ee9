package inspect

import "net/netip"

// link is what the parts of an inspector share: the two ends of the connection,
// and where events go.
type link struct {
	conn     Conn
	deps     *Deps
	backend  string // name in events
	ruleName string // name in rules
}

func (l *link) client() netip.Addr { return l.conn.Client().Addr() }

func (l *link) source() Source { return Source{Client: l.conn.Client(), Backend: l.backend} }

func (l *link) report(e Event) { l.deps.Events.Report(e) }

// reportEndpoints reports what could not be done with an answer of the endpoint
// mapper.
func (l *link) reportEndpoints(why EndpointReason) {
	l.report(EndpointsUnchanged{Source: l.source(), Reason: why})
}
