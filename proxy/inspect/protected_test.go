package inspect

import (
	"bytes"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// aliceKeys know one account.
type aliceKeys struct{}

func (aliceKeys) NTHashes(string, string) [][16]byte { return [][16]byte{ntlm.NTHash("Secret.123")} }
func (aliceKeys) Kerberos() *krb5.Service            { return nil }

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
func sealedResponse(t *testing.T, s *ntlm.Session, stub []byte) protectedPDU {
	t.Helper()
	pdu, err := rpcparse.AppendResponse(nil, rpcparse.Response{Header: wholeHeader(rpcparse.PTypeResponse), Stub: stub, HasVerifier: true,
		Verifier: rpcparse.Verifier{Type: rpcparse.AuthNTLM, Level: rpcparse.LevelPrivacy, Token: make([]byte, ntlm.TokenSize)}})
	if err == nil {
		err = s.Send.Protect(pdu, responseBody, responseBody+len(stub), true)
	}
	if err != nil {
		t.Fatal(err)
	}
	h, err := rpcparse.ParseHeader(pdu)
	if err != nil {
		t.Fatal(err)
	}
	x := protectedPDU{layout: secctx.Layout{Body: responseBody, Trailer: responseBody + len(stub), Seal: true}}
	x.parse(h, pdu)
	return x
}

func wholeHeader(t rpcparse.PType) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: 1}
}

func TestResponseThatWasReadOnlyIsNotProtectedAgain(t *testing.T) {
	context, server := established(t)
	i := new(Inspector)
	stub := bytes.Repeat([]byte("stub"), 4)
	for n := range 3 {
		x := sealedResponse(t, server, stub)
		x.context = context
		wire := bytes.Clone(x.wire)
		if !x.openCopy(rpcparse.ServerToClient) || !x.Opened || !bytes.Equal(x.Response.Stub, stub) || !bytes.Equal(x.wire, wire) {
			t.Fatalf("response %d: opened %t as %x, and what goes on is %x", n, x.Opened, x.Raw, x.wire)
		}
		if v := i.toClient(&x, Verdict{}); v.Action != Forward || context.Diverged(rpcparse.ServerToClient) {
			t.Errorf("response %d: %v, diverged %t", n, v.Action, context.Diverged(rpcparse.ServerToClient))
		}
	}
	x := sealedResponse(t, server, stub)
	x.context = context
	x.openCopy(rpcparse.ServerToClient)
	if i.toClient(&x, Verdict{Action: Drop}); !context.Diverged(rpcparse.ServerToClient) {
		t.Error("something else goes in its place, but later ones are not protected again")
	}
}

func TestResponseThatDoesNotVerifyIsNotProtectedAgain(t *testing.T) {
	context, server := established(t)
	x := sealedResponse(t, server, make([]byte, 16))
	x.context = context
	x.wire[responseBody] ^= 1
	if x.openCopy(rpcparse.ServerToClient) || x.Opened || context.Diverged(rpcparse.ServerToClient) || context.Readable(rpcparse.ServerToClient) {
		t.Errorf("opened %t, diverged %t, readable %t", x.Opened, context.Diverged(rpcparse.ServerToClient), context.Readable(rpcparse.ServerToClient))
	}
}

// keytabKeys are those of a keytab that is not empty.
type keytabKeys struct{ aliceKeys }

func (keytabKeys) Kerberos() *krb5.Service { return new(krb5.Service) }
