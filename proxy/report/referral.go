package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// maxReferralNames is how many names of servers are remembered as written, and
// namesOfBackend those by one domain controller. A site has a few; a server
// that invents names fills its part and no other list.
const (
	maxReferralNames = 256
	namesOfBackend   = maxReferralNames / 8
)

// referralRecord is a client that was referred to a server past the proxy.
type referralRecord inspect.Referral

func (f referralRecord) event(log *zerolog.Logger) *zerolog.Event {
	return log.Warn().Str("event", "referral.elsewhere").Str("server", f.Server).Str("client", f.Client.String()).
		Str("backend", f.Backend).Str("reason", f.Reason)
}

func (referralRecord) message() string {
	return "a client was referred to another server, past the proxy"
}

// referralEntry says that an answer may lead, or has led, its client past the proxy.
func referralEntry(e inspect.Referral) (entry, bool) {
	switch e.Result {
	case inspect.ReferralElsewhere:
		e.Server = clip(e.Server)
		return entry{record: referralRecord(e), key: key{kind: "referral.elsewhere", a: e.Backend, c: e.Server}, once: true}, true
	case inspect.ReferralProtected:
		return onceEntry(finding{"referral.protected", e.Backend, "an answer of the referral interface is sealed with keys that are not known and passed unchanged: " +
			"it may have led its client past the proxy"}), true
	case inspect.ReferralMalformed:
		return onceEntry(finding{"referral.malformed", e.Backend, "an answer of the referral interface could not be read and passed unchanged: " + clip(e.Err.Error())}), true
	}
	return entry{}, false
}

func onceEntry(f finding) entry {
	return entry{record: f, key: key{kind: f.name, a: f.subject}, once: true}
}
