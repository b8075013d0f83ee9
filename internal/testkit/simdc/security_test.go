package simdc_test

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func TestWrongProofFaultsTheFirstRequest(t *testing.T) {
	dc := start(t, simdc.Config{})
	for _, level := range []rpcparse.AuthLevel{rpcparse.LevelConnect, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
		for name, who := range map[string]client.Security{
			"wrong password":  {Level: level, Domain: "LAB", User: "alice", Password: "guess"},
			"unknown account": {Level: level, Domain: "LAB", User: "mallory", Password: "Secret.123"},
		} {
			bare, wrapped := who, who
			c := dial(t, dc, client.Options{Security: &bare}) // nothing answers an auth3
			if _, err := c.NspiBind(); !client.IsFault(err, rpcparse.StatusAccessDenied) {
				t.Errorf("%s, %v: %v", name, level, err)
			}
			wrapped.Type = rpcparse.AuthSPNEGO
			if _, err := client.Dial(dc.NSPIAddr().String(), client.Options{Security: &wrapped}); !client.IsFault(err, rpcparse.StatusAccessDenied) {
				t.Errorf("%s in SPNEGO, %v: %v", name, level, err)
			}
		}
	}
	if dc.TotalSessions() != 0 {
		t.Error("a session without a proof")
	}
}

func TestAnonymousClientsCannotProtect(t *testing.T) {
	dc := start(t, simdc.Config{})
	c := dial(t, dc, client.Options{Security: &client.Security{Level: rpcparse.LevelPrivacy}})
	c.Security = &client.Security{Type: rpcparse.AuthNTLM, Level: rpcparse.LevelConnect, DummyVerifiers: true}
	if _, err := c.NspiBind(); !client.IsFault(err, rpcparse.StatusAccessDenied) {
		t.Errorf("%v", err)
	}
}

// The answer of a server to a PDU that is not the next one of its stream is
// fault 0x721 and the end of the connection.
func TestBrokenStreamsEndTheConnection(t *testing.T) {
	dc := start(t, simdc.Config{})
	for name, breakIt := range map[string]func(c *client.Conn, pdu []byte) []byte{
		"a gap": func(c *client.Conn, pdu []byte) []byte {
			next, _, err := c.Encode(client.Request{Opnum: nspi.OpnumBind, Stub: c.BindRequest()})
			if err != nil {
				t.Fatal(err)
			}
			return next[0]
		},
		"an altered body":  func(_ *client.Conn, pdu []byte) []byte { pdu[30] ^= 1; return pdu },
		"an altered opnum": func(_ *client.Conn, pdu []byte) []byte { pdu[22] ^= 1; return pdu },
		"a dummy": func(_ *client.Conn, pdu []byte) []byte {
			clear(pdu[len(pdu)-15:])
			return pdu
		},
	} {
		for _, level := range []rpcparse.AuthLevel{rpcparse.LevelPacket, rpcparse.LevelPrivacy} {
			c := dial(t, dc, client.Options{Security: alice(level)})
			h := bind(t, c)
			pdus, _, err := c.Encode(client.Request{Opnum: nspi.OpnumBind, Stub: c.BindRequest(), CallID: 99})
			if err != nil {
				t.Fatal(err)
			}
			pdu := breakIt(c, pdus[0])
			if err := c.Write(pdu); err != nil {
				t.Fatal(err)
			}
			head, err := rpcparse.ParseHeader(pdu)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Receive(head.CallID); !client.IsFault(err, rpcparse.StatusSecPkgError) {
				t.Errorf("%s at %v: %v", name, level, err)
			}
			if err := c.NspiUnbind(h); !ended(err) {
				t.Errorf("%s at %v: the connection goes on: %v", name, level, err)
			}
		}
	}
	eventually(t, "the sessions of broken connections are run down", func() bool { return dc.TotalSessions() == 0 })
}

func TestSeveralUsersShareAConnection(t *testing.T) {
	dc := start(t, simdc.Config{})
	c := dial(t, dc, client.Options{Security: alice(rpcparse.LevelPrivacy)})
	hers := bind(t, c)
	a := c.Security
	b := bob(rpcparse.LevelIntegrity)
	b.Type = rpcparse.AuthSPNEGO
	if err := c.AlterContext(b, client.Context(1, nspi.Interface)); err != nil {
		t.Fatal(err)
	}
	bind(t, c)
	c.Security = a
	bind(t, c)
	if got := dc.Sessions(); got[`LAB\alice`] != 2 || got[`LAB\bob`] != 1 {
		t.Errorf("%v", got)
	}
	c.Security = b
	if err := c.NspiUnbind(hers); err != nil {
		t.Errorf("a handle belongs to the association, not to a user: %v", err)
	}
	if got := dc.Sessions(); got[`LAB\alice`] != 1 {
		t.Errorf("%v", got)
	}
	c.Security = &client.Security{}
	if _, err := c.NspiBind(); !client.IsFault(err, rpcparse.StatusAccessDenied) {
		t.Errorf("a request that does not say whose it is: %v", err)
	}
}

func TestVerifiersMustNameAContextAsItIs(t *testing.T) {
	dc := start(t, simdc.Config{})
	c := dial(t, dc, client.Options{Security: alice(rpcparse.LevelConnect)})
	for name, s := range map[string]*client.Security{
		"unknown context": {Type: rpcparse.AuthNTLM, Level: rpcparse.LevelConnect, ID: 5, DummyVerifiers: true},
		"another type":    {Type: rpcparse.AuthSPNEGO, Level: rpcparse.LevelConnect, DummyVerifiers: true},
	} {
		stub := c.BindRequest()
		if _, err := c.Do(client.Request{Opnum: nspi.OpnumBind, Stub: stub, Security: s}); !client.IsFault(err, rpcparse.StatusAccessDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sealed := dial(t, dc, client.Options{Security: alice(rpcparse.LevelPrivacy)})
	if _, err := sealed.Do(client.Request{Stub: sealed.BindRequest(), Security: &client.Security{}}); !client.IsFault(err, rpcparse.StatusAccessDenied) {
		t.Errorf("unprotected request at level privacy: %v", err)
	}
	bind(t, sealed) // and nothing is lost
}

func TestFinishedHandshakesAreNotMadeAgain(t *testing.T) {
	dc := start(t, simdc.Config{})
	c := dial(t, dc, client.Options{Security: alice(rpcparse.LevelPrivacy)})
	first := c.Security
	err := c.AlterContext(alice(rpcparse.LevelPrivacy), client.Context(0, nspi.Interface))
	if !client.IsFault(err, rpcparse.StatusAccessDenied) {
		t.Errorf("%v", err)
	}
	c.Security = first
	bind(t, c)
}

func TestUnknownSecurityIsNotRecognised(t *testing.T) {
	dc := start(t, simdc.Config{})
	for name, s := range map[string]*client.Security{
		"Kerberos":      {Type: rpcparse.AuthKerberos, Level: rpcparse.LevelPrivacy},
		"level none":    {Level: rpcparse.LevelNone},
		"level unknown": {Level: 9},
	} {
		_, err := client.Dial(dc.NSPIAddr().String(), client.Options{Security: s})
		if !client.IsNak(err, rpcparse.NakAuthTypeNotRecognized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := &client.Security{Type: rpcparse.AuthSPNEGO, Level: rpcparse.LevelPrivacy, BareInSPNEGO: true, User: "alice", Password: "x"}
	if _, err := client.Dial(dc.NSPIAddr().String(), client.Options{Security: s}); err != nil {
		t.Errorf("bare NTLM: %v", err) // its failure shows later
	}
}

func TestDummyVerifiersComeWhereConfigured(t *testing.T) {
	for _, dummies := range []bool{false, true} {
		dc := start(t, simdc.Config{DummyVerifiers: dummies})
		c := dial(t, dc, client.Options{Security: alice(rpcparse.LevelConnect)})
		if _, err := c.SendNspiBind(); err != nil {
			t.Fatal(err)
		}
		pdu, _, err := c.ReadPDU()
		if err != nil {
			t.Fatal(err)
		}
		r, err := rpcparse.ParseResponse(pdu)
		if err != nil || r.HasVerifier != dummies {
			t.Errorf("%v: %+v, %v", dummies, r.Verifier, err)
		}
	}
}
