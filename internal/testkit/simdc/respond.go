package simdc

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// responseHead is the size of a response before its stub, in bytes.
const responseHead = 24

// authPadding is what bodies are padded to before a trailer.
const authPadding = 16

// respond answers x with stub, in as many fragments as it takes.
func (c *conn) respond(x *call, stub []byte) bool {
	c.write.Lock()
	defer c.write.Unlock()
	verifier, room := c.frame(x.security)
	flags := rpcparse.FlagFirstFrag
	for {
		part := stub[:min(len(stub), room)]
		if len(part) == len(stub) {
			flags |= rpcparse.FlagLastFrag
		}
		r := rpcparse.Response{
			Header:    rpcparse.Header{Flags: flags, Drep: rpcparse.DrepOf(x.stubOrder()), CallID: x.first.CallID},
			AllocHint: uint32(len(stub)),  // what is still to come, this fragment included
			ContextID: x.contextID & 0xff, // Windows sends no more
			Stub:      part,
		}
		if verifier != nil {
			r.Verifier, r.HasVerifier = *verifier, true
			r.Verifier.PadLength = rpcparse.PadTo(len(part), authPadding)
		}
		pdu, err := rpcparse.AppendResponse(nil, r)
		if err != nil || !x.security.protect(pdu, len(part)+int(r.Verifier.PadLength)) || !c.send(pdu) {
			return false
		}
		if stub = stub[len(part):]; flags.Has(rpcparse.FlagLastFrag) {
			return true
		}
		flags = 0
	}
}

// frame returns the verifier of responses under s, nil for none, and how many
// bytes of stub fit one fragment.
func (c *conn) frame(s *security) (*rpcparse.Verifier, int) {
	room := c.fragment - responseHead
	if s == nil || !s.protects() && !c.server.cfg.DummyVerifiers {
		return nil, room &^ 7
	}
	token := ntlm.DummyToken // its place is taken by a signature where there is one
	v := s.verifier(token[:])
	return v, (room - rpcparse.VerifierSize - len(v.Token)) &^ (authPadding - 1)
}

// protect signs and seals a response in place, where s does that; body is the
// size of stub and padding.
func (s *security) protect(pdu []byte, body int) bool {
	if s == nil || !s.protects() {
		return true
	}
	return s.session.Send.Protect(pdu, responseHead, responseHead+body, s.level == rpcparse.LevelPrivacy) == nil
}

// fault answers the request with header h by a fault, which carries no
// verifier at any level.
func (c *conn) fault(h rpcparse.Header, contextID uint16, status uint32, notExecuted bool) bool {
	f := rpcparse.Fault{Header: answerHeader(h), AllocHint: 32, ContextID: contextID, Status: status}
	if notExecuted {
		f.Flags |= rpcparse.FlagDidNotExecute
	}
	return c.reply(rpcparse.AppendFault(nil, f))
}
