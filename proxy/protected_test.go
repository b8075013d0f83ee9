package proxy

import (
	"bytes"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// aliceKeys know one account.
type aliceKeys struct{}

func (aliceKeys) NTHashes(string, string) [][16]byte { return [][16]byte{ntlm.NTHash("Secret.123")} }
func (aliceKeys) Kerberos() *krb5.Keytab             { return nil }

// established is a security context that was followed, and the server's end of it.
func established(t *testing.T) (*secctx.Context, *ntlm.Session) {
	t.Helper()
	client := ntlm.Initiator{Domain: "LAB", User: "alice", Password: "Secret.123"}
	server := ntlm.Acceptor{Lookup: func(string, string) (ntlm.Hash, bool) { return ntlm.NTHash("Secret.123"), true }, Domain: "LAB", Computer: "DC1"}
	h := secctx.NewHandshake(aliceKeys{})
	follow := func(see func([]byte), token []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		see(token)
		return token
	}
	token, err := client.Negotiate()
	token, err = server.Challenge(follow(h.FromClient, token, err))
	token, err = client.Authenticate(follow(h.FromServer, token, err))
	accepted, err := server.Accept(follow(h.FromClient, token, err))
	if err != nil || h.Context() == nil {
		t.Fatalf("%v, %v", err, h.Outcome())
	}
	return h.Context(), accepted.Session
}

// sealedResponse is a PDU of the server.
func sealedResponse(t *testing.T, s *ntlm.Session, stub []byte) passage {
	t.Helper()
	pdu, err := rpcparse.AppendResponse(nil, rpcparse.Response{Header: wholeHeader(rpcparse.PTypeResponse), Stub: stub, HasVerifier: true,
		Verifier: rpcparse.Verifier{Type: rpcparse.AuthNTLM, Level: rpcparse.LevelPrivacy, Token: make([]byte, ntlm.TokenSize)}})
	if err == nil {
		err = s.Send.Protect(pdu, responseBody, responseBody+len(stub), true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return passage{plain: pdu, layout: secctx.Layout{Body: responseBody, Trailer: responseBody + len(stub), Seal: true}}
}

func wholeHeader(t rpcparse.PType) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: 1}
}

func TestResponseThatWasReadOnlyIsNotProtectedAgain(t *testing.T) {
	context, server := established(t)
	i := &inspector{server: &Server{metrics: newMetrics()}}
	stub := bytes.Repeat([]byte("stub"), 4)
	for n := range 3 {
		p := sealedResponse(t, server, stub)
		p.context = context
		wire := bytes.Clone(p.plain)
		q := i.peek(secctx.ServerToClient, p)
		if !q.opened() || !bytes.Equal(q.plain[responseBody:responseBody+len(stub)], stub) || !bytes.Equal(p.plain, wire) {
			t.Fatalf("response %d: opened %t as %x, and what goes on is %x", n, q.opened(), q.plain, p.plain)
		}
		if v := i.toClient(&q, relay.Verdict{}); v.Action != relay.Forward || context.Diverged(secctx.ServerToClient) {
			t.Errorf("response %d: %v, diverged %t", n, v.Action, context.Diverged(secctx.ServerToClient))
		}
	}
	p := sealedResponse(t, server, stub)
	p.context = context
	q := i.peek(secctx.ServerToClient, p)
	if i.toClient(&q, relay.Verdict{Action: relay.Drop}); !context.Diverged(secctx.ServerToClient) {
		t.Error("something else goes in its place, but later ones are not protected again")
	}
}

func TestResponseThatDoesNotVerifyIsNotProtectedAgain(t *testing.T) {
	context, server := established(t)
	i := &inspector{server: &Server{metrics: newMetrics()}}
	p := sealedResponse(t, server, make([]byte, 16))
	p.context = context
	p.plain[responseBody] ^= 1
	q := i.peek(secctx.ServerToClient, p)
	if q.opened() || context.Diverged(secctx.ServerToClient) || context.Readable(secctx.ServerToClient) {
		t.Errorf("opened %t, diverged %t, readable %t", q.opened(), context.Diverged(secctx.ServerToClient), context.Readable(secctx.ServerToClient))
	}
}
