package inspect

import (
	"strings"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// ReferralResult is what became of an answer that refers a client to a server.
type ReferralResult string

// The results, as labels of metrics.
const (
	ReferralRewritten ReferralResult = "rewritten" // it names the proxy now
	ReferralElsewhere ReferralResult = "elsewhere" // it names another server
	ReferralProtected ReferralResult = "protected" // it is sealed with keys that are not known
	ReferralMalformed ReferralResult = "malformed" // it could not be read
)

// Why an answer that names another server passed as it was, for the log.
const (
	referralUnnamed  = "no referral_name is configured"
	referralSigned   = "the answer is signed with keys that are not known"
	referralTooLarge = "with the other name the answer would be larger than a fragment may be"
)

var (
	errReferralFragments = rpcparse.Errorf(rpcparse.ClassLimit, "referral_fragments", 3, "an answer of the referral interface in fragments")
	errReferralSyntax    = rpcparse.Errorf(rpcparse.ClassInvalid, "referral_syntax", 20, "a transfer syntax that is neither ndr nor ndr64")
)

// ReferralRewriter puts the proxy's name into answers that refer clients to a
// server, so that they come back to the proxy. It belongs where clients are not
// led to the proxy by the network. It has no state of its own: all
// connections of a listener share one.
type ReferralRewriter struct {
	passive
	name string
}

// NewReferralRewriter returns a rewriter that puts in name, a DNS name of the
// proxy. Empty: answers pass as they are and are reported.
func NewReferralRewriter(name string) *ReferralRewriter { return &ReferralRewriter{name: name} }

func (r *ReferralRewriter) reads(k *rpcparse.Call) bool { return k.Refers() }

// referral is an answer that refers a client to a server.
type referral struct {
	response rpcparse.Response // the one PDU that it is in
	answer   rfri.Answer
	syntax   rfri.Syntax
}

// answer handles one fragment of the answer to call k. If it refers the client to
// another server than the proxy that becomes the proxy, where a name for it is
// configured and nothing is protected or the keys are known. Every other answer
// passes as it is, and is reported.
func (r *ReferralRewriter) answer(on exchange, k *rpcparse.Call, x protectedPDU) Verdict {
	if !x.First() {
		return Verdict{} // it was reported with its first fragment
	}
	level := max(k.Level, x.Response.Verifier.Level)
	if level >= rpcparse.LevelPrivacy && !x.Opened {
		return on.referralUnread(ReferralProtected, nil)
	}
	f, err := readReferral(k, x.Response)
	if err != nil {
		return on.referralUnread(ReferralMalformed, err)
	}
	switch {
	case !f.answer.Refers(), r.name != "" && sameHost(f.answer.Server.Text, r.name):
		return Verdict{}
	case r.name == "":
		return on.referredElsewhere(f, referralUnnamed)
	case level > rpcparse.LevelConnect && !x.Opened:
		return on.referredElsewhere(f, referralSigned)
	}
	return on.rewriteReferral(f, r.name, &x)
}

// readReferral reads an answer that is not sealed, or has been opened.
func readReferral(k *rpcparse.Call, r rpcparse.Response) (f referral, err error) {
	if !r.Last() {
		return f, errReferralFragments
	}
	syntax, ok := towerSyntax(k.Context)
	if !ok {
		return f, errReferralSyntax
	}
	answer, err := rfri.ParseAnswer(k.Opnum, r.Stub, syntax, r.Order())
	return referral{response: r, answer: answer, syntax: syntax}, err
}

// sameHost compares DNS names.
func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// rewriteReferral replaces the PDU by one that differs in the name, and in the
// lengths and the signature that go with it.
func (on exchange) rewriteReferral(f referral, name string, x *protectedPDU) Verdict {
	pdu, layout, err := f.appendRenamed(nil, name, x)
	if err == nil && len(pdu) > on.conv.MaxFragment(rpcparse.ServerToClient) {
		return on.referredElsewhere(f, referralTooLarge)
	}
	if err == nil && x.Opened {
		err = x.context.Seal(rpcparse.ServerToClient, pdu, layout)
	}
	if err != nil {
		return closing(err)
	}
	on.report(Referral{Source: on.source(), Result: ReferralRewritten})
	return Verdict{Action: Drop, ToClient: pdu}
}

// appendRenamed appends the PDU with another server's name: in the byte order of
// the one that it stands for, with its verifier if that is a dummy, else with
// room for the token that Context.Seal fills in, and says where that is.
func (f *referral) appendRenamed(dst []byte, name string, x *protectedPDU) ([]byte, secctx.Layout, error) {
	a, r := f.answer, f.response
	a.Server.Rename(name)
	stub, err := rfri.AppendAnswer(nil, a, f.syntax, r.Order())
	if err != nil {
		return dst, secctx.Layout{}, err
	}
	r.AllocHint, r.Stub = uint32(len(stub)), stub
	r.Verifier.PadLength = rpcparse.PadTo(len(stub), 16)
	layout := secctx.Layout{Body: responseBody, Trailer: responseBody + len(stub) + int(r.Verifier.PadLength), Seal: x.layout.Seal}
	if x.Opened {
		r.Verifier.Token = make([]byte, x.context.TokenSize(rpcparse.ServerToClient, x.layout.Seal))
	}
	dst, err = rpcparse.AppendResponse(dst, r)
	return dst, layout, err
}

// referralUnread lets an answer go on that could not be read.
func (l *link) referralUnread(result ReferralResult, err error) Verdict {
	l.report(Referral{Source: l.source(), Result: result, Err: err})
	return Verdict{}
}

// referredElsewhere lets an answer go on that names another server.
func (l *link) referredElsewhere(f referral, reason string) Verdict {
	l.report(Referral{Source: l.source(), Result: ReferralElsewhere, Server: f.answer.Server.Text, Reason: reason})
	return Verdict{}
}
