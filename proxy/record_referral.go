package proxy

import "net/netip"

// maxReferralNames is how many names of servers are remembered as written, those
// by one domain controller a part of them (notesShare). A site has a few; a server
// that invents names fills its part and no other list.
const maxReferralNames = 256

// referralRecord is a server that clients were referred to, written once.
type referralRecord struct {
	client      netip.AddrPort
	backend     string
	server, why string
}

// referredElsewhere reports an answer that leads a client past the proxy.
func (r *recorder) referredElsewhere(i *inspector, server, why string) {
	r.put(referralRecord{client: i.conn.Client(), backend: i.backend(), server: server, why: why})
}

func (f referralRecord) write(r *recorder) {
	if !r.referrals.first(f.backend, f.server) {
		return
	}
	r.log.Warn().Str("event", "referral.elsewhere").Str("server", clip(f.server)).Str("client", f.client.String()).
		Str("backend", f.backend).Str("reason", f.why).Msg("a client was referred to another server, past the proxy")
}

// referralUnread reports answers that could not be read.
func (r *recorder) referralUnread(result, backend string, err error) {
	switch result {
	case referralProtected:
		r.note("referral.protected", backend, "an answer of the referral interface is sealed with keys that are not known and passed unchanged: "+
			"it may have led its client past the proxy")
	case referralMalformed:
		r.note("referral.malformed", backend, "an answer of the referral interface could not be read and passed unchanged: "+err.Error())
	}
}
