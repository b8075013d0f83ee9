package inspect

import (
	"encoding/hex"
	"errors"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// evidence is how many bytes of a PDU that broke a rule are reported: its
// header, which holds no stub and no token.
const evidence = rpcparse.HeaderSize

// violation ends the connection: client and server could disagree about what
// the PDU means. The client gets an error where the protocol has a PDU for it.
func (i *Inspector) violation(h rpcparse.Header, pdu []byte, err error) Verdict {
	i.report(Violation{Source: i.source(), Type: h.Type, Header: hex.EncodeToString(pdu[:min(evidence, len(pdu))]), Err: err})
	v := closing(err)
	if i.responding() {
		return v
	}
	reply, failure := appendProtocolError(i.replies.buf[:0], h)
	if failure == nil {
		i.replies.buf, v.ToClient = reply, reply
	}
	return v
}

// irregular decides on a client's PDU that breaks a rule. The domain controller
// is the judge of it, and the client gets its answer, except where a session
// could be opened unseen or a limit is exceeded.
func (i *Inspector) irregular(x *protectedPDU, err error) Verdict {
	if rpcparse.ClassOf(err) == rpcparse.ClassLimit || len(i.admission.fragments) > 0 || i.conv.MayHideBind(&x.PDU) {
		return i.violation(x.Header, x.wire, err)
	}
	i.report(Irregular{Err: err})
	return i.toServer(x)
}

// maxMisjoined is how many binds and alter_contexts of one connection may name, or use, an association in
// which the client has no part, before it is closed. A client whose association has ended since is refused once, and
// binds anew.
const maxMisjoined = 16

// misjoins counts a refusal, and returns what ends a connection with too many of them.
func (i *Inspector) misjoins(by rpcparse.PType) error {
	if i.misjoined++; i.misjoined <= maxMisjoined {
		return nil
	}
	err := rpcparse.Errorf(rpcparse.ClassLimit, "assoc_group_id", 0, "more than %d binds that name associations of others", maxMisjoined)
	i.report(Violation{Source: i.source(), Type: by, Err: err})
	return err
}

// refuseAssociation answers a bind that names an association in which the
// client has no connection, as a server answers an unknown one. In forward
// mode the domain controller sees the proxy's address only and cannot check
// this itself (MS-RPCE 3.3.1.5.7).
func (i *Inspector) refuseAssociation(e *rpcparse.Event, why error) Verdict {
	i.conv.WithdrawBind(e.CallID)
	i.report(AssociationRefused{Source: i.source(), ID: e.Association, Err: why})
	if err := i.misjoins(rpcparse.PTypeBind); err != nil {
		return closing(err)
	}
	reply, err := appendBindNak(i.replies.buf[:0], e.CallID, rpcparse.NakNotSpecified)
	if err != nil {
		return closing(err)
	}
	i.replies.buf = reply
	return Verdict{Action: Drop, ToClient: reply}
}

// refuseOffer answers an alter_context that offers the address book on a connection of an
// association which others may keep alive. The other interfaces of the connection work
// on.
func (i *Inspector) refuseOffer(x *protectedPDU, why error) Verdict {
	i.conv.WithdrawAlterContext(x.CallID)
	i.report(AssociationRefused{Source: i.source(), ID: i.conv.Association(), Err: why})
	if err := i.misjoins(rpcparse.PTypeAlterContext); err != nil {
		return closing(err)
	}
	pdu, err := appendFault(i.replies.buf[:0], x.CallID, 0, rpcparse.StatusAccessDenied, rpcparse.FlagDidNotExecute)
	if err != nil {
		return closing(err)
	}
	return i.replies.send(reply{pdu: pdu}, i.responding())
}

var errDesynced = errors.New("a request on a signed or sealed security context after a refused bind")

// refuseDesynced answers a request under a security context whose PDUs the
// server cannot number any more, as a server answers a gap in the numbers: with
// security package error. Nothing else uses the connection when it is the only
// context; then it ends, as it would at a Windows server.
func (i *Inspector) refuseDesynced(x *protectedPDU) Verdict {
	if !x.Last() {
		return Verdict{Action: Drop}
	}
	pdu, err := appendFault(i.replies.buf[:0], x.CallID, x.Request.ContextID, rpcparse.StatusSecPkgError, rpcparse.FlagDidNotExecute)
	if err != nil {
		return closing(err)
	}
	if i.conv.SecurityContexts() <= i.protection.desynced {
		i.replies.buf = pdu
		return Verdict{Action: Close, ToClient: pdu, Err: errDesynced}
	}
	return i.replies.send(reply{pdu: pdu}, i.responding())
}

// claimedHeader reads what a PDU that is not accepted says it is, for the
// answer to it. Without a header it is a shutdown, which is not answered.
func claimedHeader(head []byte) rpcparse.Header {
	if len(head) < rpcparse.HeaderSize {
		return rpcparse.Header{Type: rpcparse.PTypeShutdown}
	}
	h := rpcparse.Header{Type: rpcparse.PType(head[2]), Drep: rpcparse.Drep(head[4:8])}
	h.CallID = h.Order().Uint32(head[12:])
	return h
}
