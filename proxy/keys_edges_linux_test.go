package proxy

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func TestRequestHeldForAHandshakeIsProtectedAgainAfterARefusal(t *testing.T) {
	s := keyedStage(t)
	c := s.dial(withEcho(as(rpcparse.LevelPrivacy)))
	handles := fill(t, c)
	if _, err := c.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
		t.Fatal(err)
	}
	alter, err := rpcparse.AppendBind(nil, rpcparse.Bind{
		Header:      rpcparse.Header{Type: rpcparse.PTypeAlterContext, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: 9000},
		MaxXmitFrag: 5840, MaxRecvFrag: 5840, AssocGroupID: c.Group,
		Contexts: rpcparse.NewContextList(client.Context(0, nspi.Interface, rpcparse.SyntaxNDR)),
	})
	if err != nil {
		t.Fatal(err)
	}
	stub := nspi.AppendUnbindRequest(nil, nspi.UnbindRequest{Handle: handles[0]}, nspi.NDR, rpcparse.LittleEndian)
	pdus, _, err := c.Encode(client.Request{Opnum: nspi.OpnumUnbind, Stub: stub})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(append(alter, pdus[0]...)); err != nil { // in one write: the unbind waits for the alter_context_resp
		t.Fatal(err)
	}
	for _, want := range []rpcparse.PType{rpcparse.PTypeAlterContextResp, rpcparse.PTypeResponse} {
		if _, h, err := c.ReadPDU(); err != nil || h.Type != want {
			t.Fatalf("got %v, %v, want %v", h.Type, err, want)
		}
	}
	s.wantSessions(2)
}

func TestDirectoryThatWasDownIsAskedAgainByTheNextBind(t *testing.T) {
	s := newStage(t, func(_ *simdc.Config, p *policy.Config) {
		p.Identity.Directory.URL = "ldap://127.0.0.1:1"
		p.Identity.Directory.WhenDown = policy.WhenDownRefuse
	})
	c := s.dial(as(rpcparse.LevelConnect))
	for n := range uint64(3) {
		if _, err := c.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
			t.Fatalf("while the directory is down: %v", err)
		}
		if asked := s.proxy.directory.Stats().Down; asked != n+1 {
			t.Fatalf("bind %d: the directory was asked %d times", n, asked)
		}
	}
	s.wantReachedDC(0)
}
