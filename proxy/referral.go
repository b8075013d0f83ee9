package proxy

import (
	"strings"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// What became of an answer that refers a client to a server, as label values.
const (
	referralRewritten = "rewritten" // it names the proxy now
	referralElsewhere = "elsewhere" // it names another server
	referralProtected = "protected" // it is sealed with keys that are not known
	referralMalformed = "malformed" // it could not be read
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

// refersClients reports whether clients have to be told of the proxy to come
// back. Where it is in their path they do, whatever they are told.
func (i *inspector) refersClients() bool { return !i.listener.Mode.Transparent() }

// referral is an answer that refers a client to a server.
type referral struct {
	response rpcparse.Response // the one PDU that it is in
	answer   rfri.Answer
	syntax   rfri.Syntax
}

// referred handles one fragment of the answer to call k, which may refer the
// client to a server. If that is not the proxy it becomes the proxy, where a name
// for it is configured and nothing is protected or the keys are known. Every
// other answer passes as it is, and is reported.
func (i *inspector) referred(k *rpcparse.Call, h rpcparse.Header, p *passage) relay.Verdict {
	r, err := rpcparse.ParseResponse(p.plain)
	if err != nil || !h.First() {
		return relay.Verdict{} // the conversation has parsed it; it was reported with its first fragment
	}
	level := max(k.Level, r.Verifier.Level)
	if level >= rpcparse.LevelPrivacy && !p.opened() {
		return i.referralPasses(referralProtected, nil)
	}
	f, err := readReferral(k, r)
	if err != nil {
		return i.referralPasses(referralMalformed, err)
	}
	name := string(i.listener.ReferralName)
	switch {
	case !f.answer.Refers(), name != "" && sameHost(f.answer.Server.Text, name):
		return relay.Verdict{}
	case name == "":
		return i.referredElsewhere(f, referralUnnamed)
	case level > rpcparse.LevelConnect && !p.opened():
		return i.referredElsewhere(f, referralSigned)
	}
	return i.rewriteReferral(f, name, p)
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
func (i *inspector) rewriteReferral(f referral, name string, p *passage) relay.Verdict {
	pdu, layout, err := f.appendRenamed(i.answer[:0], name, p)
	if err == nil && len(pdu) > i.conv.MaxFragment(rpcparse.ServerToClient) {
		return i.referredElsewhere(f, referralTooLarge)
	}
	if err == nil && p.opened() {
		err = p.context.Seal(secctx.ServerToClient, pdu, layout)
	}
	if err != nil {
		return relay.Verdict{Action: relay.Close, Err: err}
	}
	i.answer = pdu
	i.server.metrics.referred(referralRewritten)
	return relay.Verdict{Action: relay.Drop, ToClient: pdu}
}

// appendRenamed appends the PDU with another server's name: in the byte order of
// the one that it stands for, with its verifier if that is a dummy, else with
// room for the token that Context.Seal fills in, and says where that is.
func (f *referral) appendRenamed(dst []byte, name string, p *passage) ([]byte, secctx.Layout, error) {
	a, r := f.answer, f.response
	a.Server.Rename(name)
	stub, err := rfri.AppendAnswer(nil, a, f.syntax, r.Order())
	if err != nil {
		return dst, secctx.Layout{}, err
	}
	r.AllocHint, r.Stub = uint32(len(stub)), stub
	r.Verifier.PadLength = rpcparse.PadTo(len(stub), 16)
	layout := secctx.Layout{Body: responseBody, Trailer: responseBody + len(stub) + int(r.Verifier.PadLength), Seal: p.layout.Seal}
	if p.opened() {
		r.Verifier.Token = make([]byte, p.context.TokenSize(secctx.ServerToClient, p.layout.Seal))
	}
	dst, err = rpcparse.AppendResponse(dst, r)
	return dst, layout, err
}

// referralPasses lets an answer go on that could not be read.
func (i *inspector) referralPasses(result string, err error) relay.Verdict {
	i.server.metrics.referred(result)
	i.server.recorder.referralUnread(result, i.backend(), err)
	return relay.Verdict{}
}

// referredElsewhere lets an answer go on that names another server.
func (i *inspector) referredElsewhere(f referral, why string) relay.Verdict {
	i.server.metrics.referred(referralElsewhere)
	i.server.recorder.referredElsewhere(i, f.answer.Server.Text, why)
	return relay.Verdict{}
}
