package secctx_test

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// must fails the test on an error of a helper.
func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// keys are what a test's proxy knows: one password for everybody, and the keys of a server.
type keys struct {
	password string
	service  *krb5.Service
}

func (k *keys) NTHashes(string, string) [][16]byte {
	if k.password == "" {
		return nil
	}
	return [][16]byte{ntlm.NTHash(k.password)}
}

func (k *keys) Kerberos() *krb5.Service { return k.service }

// end is a peer: what it sends with, and what it expects to receive.
type end struct{ send, receive half }

// half is a direction as a peer knows it, who takes part: a stream of ntlm or
// of krb5.
type half interface {
	Protect(pdu []byte, body, trailer int, seal bool) error
	Unprotect(pdu []byte, body, trailer int, seal bool) error
}

// peers are both ends of a conversation, and who follows it in between.
type peers struct {
	name           string
	client, server end
	context        *secctx.Context
}

func (p *peers) sender(d rpcparse.Direction) half {
	if d == rpcparse.ClientToServer {
		return p.client.send
	}
	return p.server.send
}

func (p *peers) receiver(d rpcparse.Direction) half {
	if d == rpcparse.ClientToServer {
		return p.server.receive
	}
	return p.client.receive
}

// pduOf is a request or response with this stub and room for its token, and
// its layout.
func pduOf(t testing.TB, c *secctx.Context, d rpcparse.Direction, stub []byte, seal bool) ([]byte, secctx.Layout) {
	t.Helper()
	level := rpcparse.LevelIntegrity
	if seal {
		level = rpcparse.LevelPrivacy
	}
	h := rpcparse.Header{Type: rpcparse.PTypeRequest, Flags: rpcparse.FlagFirstFrag | rpcparse.FlagLastFrag,
		Version: 5, Drep: rpcparse.DrepLittleEndian, CallID: 7}
	pad := rpcparse.PadTo(len(stub), 16)
	v := rpcparse.Verifier{Type: rpcparse.AuthNTLM, Level: level, PadLength: pad, Token: make([]byte, c.TokenSize(d, seal))}
	pdu, err := rpcparse.AppendRequest(nil, rpcparse.Request{Header: h, AllocHint: uint32(len(stub)), Stub: stub, HasVerifier: true, Verifier: v})
	must(t, 0, err)
	const stubAt = 24
	return pdu, secctx.Layout{Body: stubAt, Trailer: stubAt + len(stub) + int(pad), Seal: seal}
}
