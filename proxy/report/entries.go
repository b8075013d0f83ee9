package report

import (
	"strconv"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/session"
)

// Kinds of records that have a share of their own beside others of the same event.
const (
	kindReject        = "limit.reject"
	kindRejectProved  = "limit.reject of users with tickets"
	kindRejectUnnamed = "limit.reject of users without a name"
	kindOrdinaryEnd   = "connection.closed by its peers"
)

// Bursts. What a machine may say again and again is written so often at once.
const (
	interceptBurst   = 20 // repairs come once a second at most
	associationBurst = 10 // a client may ask again on the same connection
	controllerBurst  = 20 // a machine may say each time that NSPI is elsewhere
	violationBurst   = 3
	programBurst     = 20 // a file system that comes and goes
	listeningBurst   = 500
)

// entryOf returns the record of an event with what bounds it; false: the event has none.
func entryOf(e inspect.Event) (entry, bool) {
	switch e := e.(type) {
	case inspect.LimitExceeded:
		return limitEntry(e), true
	case inspect.BindAnswered:
		return entry{record: upstreamRecord(e), key: key{"limit.upstream", e.Backend, clip(e.Account), ""}, from: e.Client.Addr()}, e.LogonFailed
	case inspect.Violation:
		return entry{record: violationRecord(e), key: key{"proto.error", e.Backend, e.Client.Addr().String(), classOf(e.Err)}, from: e.Client.Addr(), burst: violationBurst}, true
	case inspect.Closed:
		return closedEntry(e), true
	case inspect.ClientRefused:
		return refusedEntry(e), true
	case inspect.AssociationRefused:
		return entry{record: associationRecord(e), key: key{"association.refused", e.Backend, e.Client.Addr().String(), ""}, from: e.Client.Addr(), burst: associationBurst}, true
	case inspect.IdentityUnreadable:
		return entry{record: unreadable(e), key: key{"identity.unreadable", e.Backend, e.Why.Result.String(), ""}, from: e.Client.Addr()}, true
	case inspect.ControllerChanged:
		return entry{record: controllerRecord(e), key: key{e.Kind, e.Backend, e.DC, ""}, burst: controllerBurst}, true
	case inspect.CheckFailed:
		return entry{record: checkRecord(e), key: key{"health.check", e.DC, strconv.FormatBool(e.Stack != ""), ""}, burst: controllerBurst}, true
	case inspect.InterceptedPorts:
		return entry{record: interceptedRecord(e), key: key{"intercept", e.Reason, "", ""}, burst: interceptBurst}, true
	case inspect.Listening:
		return entry{record: listeningRecord(e), key: key{"listening", e.Listener, "", ""}, burst: listeningBurst}, true
	case inspect.Referral:
		return referralEntry(e)
	}
	if r, ok := programRecordOf(e); ok {
		return entry{record: r, key: key{r.name, r.about, "", ""}, burst: programBurst}, true
	}
	f, ok := findingOf(e)
	return onceEntry(f), ok
}

// limitEntry sums refusals by user, backend and rule. Names that a client can invent, because they come before a domain
// controller's answer, take nothing from users whose tickets were opened.
func limitEntry(e inspect.LimitExceeded) entry {
	kind := kindReject
	switch {
	case e.User.Assurance < session.AssuranceClaimed:
		kind = kindRejectUnnamed
	case e.User.Assurance >= session.AssuranceVerified:
		kind = kindRejectProved
	}
	r := newLimitRecord(e)
	return entry{record: r, key: key{kind, clip(e.User.Key()), e.Backend, e.Decision.Rule + strconv.FormatBool(e.Decision.DryRun)}, from: e.Client.Addr()}
}

// closedEntry sums ends of connections by reason: a domain controller that is down, or a client that
// sends nonsense, ends very many for one reason. Ordinary ones are written at level debug, which asks for
// each of them.
func closedEntry(e inspect.Closed) entry {
	r := closedRecord(e)
	if e.Ordinary {
		return entry{record: r, key: key{kind: kindOrdinaryEnd}, burst: shares[kindOrdinaryEnd].lines} // of no network: each is wanted
	}
	return entry{record: r, key: key{"connection.closed", e.Backend, e.Listener, e.Cause}, from: e.Client.Addr()}
}
