package report

import "github.com/nspiproxy/nspiproxy/proxy/inspect"

// maxReferralNames is how many names of servers are remembered as written, those
// by one domain controller a part of them (notesShare). A site has a few; a server
// that invents names fills its part and no other list.
const maxReferralNames = 256

// referral writes that an answer may lead, or has led, its client past the proxy.
func (r *recorder) referral(f inspect.Referral) {
	switch f.Result {
	case inspect.ReferralElsewhere:
		if r.referrals.first(f.Backend, f.Server) {
			r.log.Warn().Str("event", "referral.elsewhere").Str("server", clip(f.Server)).Str("client", f.Client.String()).
				Str("backend", f.Backend).Str("reason", f.Reason).Msg("a client was referred to another server, past the proxy")
		}
	case inspect.ReferralProtected:
		r.note("referral.protected", f.Backend, "an answer of the referral interface is sealed with keys that are not known and passed unchanged: "+
			"it may have led its client past the proxy")
	case inspect.ReferralMalformed:
		r.note("referral.malformed", f.Backend, "an answer of the referral interface could not be read and passed unchanged: "+f.Err.Error())
	}
}
