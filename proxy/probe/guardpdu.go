package probe

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// minSignature is the shortest token that protects a PDU, in bytes: NTLM's.
// go-msrpc reads as much of a Kerberos token unseen.
const minSignature = 16

// maxResults is the most that a bind_ack may answer: two contexts are offered,
// the interface and bind-time features.
const maxResults = 2

// faultError is the error of a call that was answered by a fault.
type faultError struct{ status uint32 }

// Error implements error.
func (e *faultError) Error() string { return "fault " + rpcparse.StatusName(e.status) }

// nakError is the error of a bind that was answered by bind_nak.
type nakError struct{ reason uint16 }

// Error implements error.
func (e *nakError) Error() string { return "bind_nak " + rpcparse.NakReasonName(e.reason) }

// rejectedError is the error of a bind that opened no presentation context.
type rejectedError struct{ result rpcparse.ContextResult }

// Error implements error.
func (e *rejectedError) Error() string {
	if e.result.Result == rpcparse.ResultProviderRejection && e.result.Reason == rpcparse.ReasonAbstractSyntaxNotSupported {
		return "the server does not know the interface on this port"
	}
	return fmt.Sprintf("presentation context rejected: result %d, reason %d", e.result.Result, e.result.Reason)
}

// isAuthError reports whether err is what servers say to users whom they do not
// let in.
func isAuthError(err error) bool {
	var fault *faultError
	if errors.As(err, &fault) {
		return fault.status == rpcparse.StatusAccessDenied || fault.status == rpcparse.StatusSecPkgError
	}
	var nak *nakError
	return errors.As(err, &nak) && (nak.reason == rpcparse.NakAuthTypeNotRecognized || nak.reason == rpcparse.NakInvalidChecksum)
}

// check judges a PDU of the server: is it an answer to what was asked, and one
// that go-msrpc can read?
func (g *guard) check(pdu []byte, h rpcparse.Header) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pdus++
	switch {
	case g.pdus > maxPDUs:
		return fmt.Errorf("more than %d PDUs", maxPDUs)
	case g.asked == nil:
		return fmt.Errorf("a %s that nobody asked for", h.Type)
	case h.CallID != g.asked.callID:
		return fmt.Errorf("a %s of call %d, in call %d", h.Type, h.CallID, g.asked.callID)
	case h.Drep != rpcparse.DrepLittleEndian:
		return fmt.Errorf("data representation %x", h.Drep)
	case !h.First() || !h.Last():
		return fmt.Errorf("a fragment of a %s, where the whole fits", h.Type)
	}
	if !answers(h.Type, g.asked.ptype) {
		return fmt.Errorf("a %s in answer to a %s", h.Type, g.asked.ptype)
	}
	g.asked = nil
	switch h.Type {
	case rpcparse.PTypeResponse:
		return g.checkResponse(pdu)
	case rpcparse.PTypeFault:
		return g.checkFault(pdu)
	case rpcparse.PTypeBindNak:
		return g.checkNak(pdu)
	}
	return g.checkAck(pdu, h.Type)
}

// answers reports whether a PDU of type t may answer one of type q.
func answers(t, q rpcparse.PType) bool {
	switch q {
	case rpcparse.PTypeBind:
		return t == rpcparse.PTypeBindAck || t == rpcparse.PTypeBindNak || t == rpcparse.PTypeFault
	case rpcparse.PTypeAlterContext:
		return t == rpcparse.PTypeAlterContextResp || t == rpcparse.PTypeFault
	case rpcparse.PTypeRequest:
		return t == rpcparse.PTypeResponse || t == rpcparse.PTypeFault
	}
	return false
}

func (g *guard) checkResponse(pdu []byte) error {
	r, err := rpcparse.ParseResponse(pdu)
	if err != nil {
		return err
	}
	if g.protected && (!r.HasVerifier || len(r.Verifier.Token) < minSignature) {
		return fmt.Errorf("an unprotected response")
	}
	if g.answers != nil && !slices.Contains(g.answers, len(r.Stub)) {
		return fmt.Errorf("a stub of %d bytes, expected %d", len(r.Stub), g.answers)
	}
	g.stub = len(r.Stub)
	return nil
}

func (g *guard) checkFault(pdu []byte) error {
	f, err := rpcparse.ParseFault(pdu)
	if err != nil {
		return err
	}
	if f.Status == 0 {
		return fmt.Errorf("a fault of status 0")
	}
	g.negative = &faultError{f.Status}
	return nil
}

func (g *guard) checkNak(pdu []byte) error {
	n, err := rpcparse.ParseBindNak(pdu)
	if err != nil {
		return err
	}
	g.negative = &nakError{n.Reason}
	return nil
}

func (g *guard) checkAck(pdu []byte, t rpcparse.PType) error {
	a, err := rpcparse.ParseBindAck(pdu)
	if err != nil {
		return err
	}
	if n := a.Results.Len(); n < 1 || n > maxResults {
		return fmt.Errorf("%d results in a %s", n, t)
	}
	first := a.Results.At(0)
	if first.Result != rpcparse.ResultAcceptance {
		g.negative = &rejectedError{first}
	} else if first.Transfer != rpcparse.SyntaxNDR {
		return fmt.Errorf("transfer syntax %v, which was not offered", first.Transfer)
	}
	if t != rpcparse.PTypeBindAck {
		return nil
	}
	// go-msrpc slices its buffers by these without looking at them.
	if a.MaxXmitFrag < rpcparse.MinFragment || a.MaxRecvFrag < rpcparse.MinFragment {
		return fmt.Errorf("fragments of %d and %d bytes, at least %d", a.MaxXmitFrag, a.MaxRecvFrag, rpcparse.MinFragment)
	}
	g.group = a.AssocGroupID
	return nil
}
