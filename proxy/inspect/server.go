package inspect

import "github.com/nspiproxy/nspiproxy/rpcparse"

// dummyVerifierSize is the size of the verifier without a signature that
// Windows 2000 and 2003 put on PDUs at level connect: 01 00 00 00 and zeros.
const dummyVerifierSize = 16

// FromServer decides on a whole PDU of the server, as FromClient does for the
// client's. This is the only place that completes a verdict on such a PDU, in an
// order that must not change:
//
//  1. It is verified and decrypted, as it was sent, before anything of it is
//     believed.
//  2. The conversation follows it, and sessions are settled: whatever becomes of
//     the PDU, the domain controller has said so.
//  3. The id of an association gets its name, in place: the conversation and the
//     session table know the domain controller's ids, only the client the names.
//  4. Buffered fragments of an answer which this PDU shows to be
//     unfinished are taken out, before a rewriter sees the PDU, because it may
//     begin another answer.
//  5. A rewriter decides on a response. If the response goes on it is protected
//     again, and not before: what is sealed cannot be rewritten.
//  6. The fragments of step 4 are put before it: they were sent before it.
//  7. The proxy's own answers that waited for the end of a response are put
//     behind it, and are numbered and sealed only then: they arrive after it.
func (i *Inspector) FromServer(h rpcparse.Header, pdu []byte) Verdict {
	var x protectedPDU
	x.parse(h, pdu)
	if err := i.open(rpcparse.ServerToClient, &x); err != nil {
		return i.violation(h, pdu, err)
	}
	if err := i.follow(&x); err != nil {
		return i.violation(h, pdu, err)
	}
	on := exchange{&i.link, &i.conv}
	i.rewriters.handshake(on, rpcparse.ServerToClient, h, pdu)
	late := i.rewriters.interrupted(on, h)
	var v Verdict
	if h.Type == rpcparse.PTypeResponse {
		v = i.toClient(&x, i.response(&x))
	}
	if len(late) > 0 {
		v = before(late, pdu, v)
	}
	return i.finish(v)
}

// follow follows a server's PDU and acts on what it means.
func (i *Inspector) follow(x *protectedPDU) error {
	var scratch [2]rpcparse.Event
	handshaking := i.conv.Handshaking()
	events, err := i.conv.ServerPDU(&x.PDU, scratch[:0])
	if err != nil {
		return err
	}
	for n := range events {
		if err := i.serverEvent(&events[n]); err != nil {
			return err
		}
	}
	if handshaking {
		i.reportKeys()
		if i.conv.HasNSPI() {
			i.conn.AwaitSession()
		}
		if err := i.account(); err != nil {
			return err
		}
		if !i.conv.Handshaking() && i.admission.awaitsHandshake() {
			i.conn.Wake()
		}
	}
	return nil
}

// serverEvent acts on an event of the server.
func (i *Inspector) serverEvent(e *rpcparse.Event) error {
	switch e.Kind {
	case rpcparse.EventAssociationJoined:
		i.agreed()
		return i.session.Join(e.Association)
	case rpcparse.EventAssociationRefused:
		i.session.JoinRefused()
		i.leaveGroup()
	case rpcparse.EventAuthenticated:
		i.proved(e.Security)
	case rpcparse.EventBindAnswered:
		i.bindAnswered(e)
	case rpcparse.EventUnbindAnswered:
		i.unbindAnswered(e)
	}
	return nil
}

// agreed tells the connection what the first bind_ack agreed on.
func (i *Inspector) agreed() {
	for _, d := range [...]rpcparse.Direction{rpcparse.ClientToServer, rpcparse.ServerToClient} {
		i.conn.SetMaxFragment(d, i.conv.MaxFragment(d))
	}
	i.conn.HandshakeDone()
}

// response decides on a response.
func (i *Inspector) response(x *protectedPDU) Verdict {
	k := x.Call
	if k == nil {
		return Verdict{}
	}
	if !k.Protected() && x.AuthLength == dummyVerifierSize {
		i.replies.mirror = true
	}
	return i.rewriters.answer(exchange{&i.link, &i.conv}, k, x)
}

// toClient lets a response go on, unless v puts something else in its place.
func (i *Inspector) toClient(x *protectedPDU, v Verdict) Verdict {
	if v.Action != Forward {
		return v
	}
	if err := x.finish(rpcparse.ServerToClient); err != nil {
		return closing(err)
	}
	return v
}

// responding reports whether the client has a part of a response, so that
// nothing of the proxy's own may reach it now.
func (i *Inspector) responding() bool { return i.replies.serverPending || i.conv.Responding() }

// finish adds the answers that waited for the end of a response which v lets go
// on.
func (i *Inspector) finish(v Verdict) Verdict {
	i.replies.serverPending = v.Action == Hold
	if len(i.replies.deferred) > 0 && !i.responding() {
		v.ToClient = i.replies.appendDeferred(v.ToClient)
	}
	return v
}
