package proxy

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// wantNoMoreThanCounted waits until the domain controller holds no session that
// the proxy does not count.
func (s *stage) wantNoMoreThanCounted() {
	s.t.Helper()
	s.eventually("every session is counted", func() bool {
		c := s.proxy.table.Count()
		return c.Reserved+c.Provisional == 0 && s.dc.TotalSessions() <= c.Sessions
	})
}

func wholePDU(t rpcparse.PType, callID uint32) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: callID}
}

// drain reads until n PDUs came or the connection ends.
func drain(c *client.Conn, n int) {
	for range n {
		if _, _, err := c.ReadPDU(); err != nil {
			return
		}
	}
}

func TestSessionsDoNotHideBehindTheCallIDOfAnotherPDU(t *testing.T) {
	for name, first := range map[string]func(c *client.Conn, id uint32) ([]byte, error){
		"call": func(c *client.Conn, id uint32) ([]byte, error) {
			pdus, _, err := c.Encode(client.Request{Opnum: simdc.EchoOpnum, CallID: id, Stub: make([]byte, 8), ContextID: &echoContext})
			if err != nil {
				return nil, err
			}
			return pdus[0], nil
		},
		"alter_context": func(_ *client.Conn, id uint32) ([]byte, error) {
			return rpcparse.AppendBind(nil, rpcparse.Bind{
				Header:      wholePDU(rpcparse.PTypeAlterContext, id),
				Contexts:    rpcparse.NewContextList(client.Context(40, nspi.Interface, rpcparse.SyntaxNDR)),
				HasVerifier: true,
				Verifier:    rpcparse.Verifier{Type: rpcparse.AuthNTLM, Level: rpcparse.LevelConnect, ContextID: id, Token: []byte("garbage!garbage!")},
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(d *simdc.Config, _ *policy.Config) { d.NoMultiplexing = true })
			o := as(rpcparse.LevelConnect)
			o.Security.ID, o.Security.DummyVerifiers = 7, true // every call says whose it is
			c := s.dial(withEcho(o))
			if _, err := c.NspiBind(); err != nil {
				t.Fatal(err)
			}
			for id := uint32(100); id < 105; id++ {
				pdu, err := first(c, id)
				if err != nil {
					t.Fatal(err)
				}
				bind, _, err := c.Encode(client.Request{Opnum: nspi.OpnumBind, CallID: id, Stub: c.BindRequest()})
				if err != nil {
					t.Fatal(err)
				}
				if c.Write(append(pdu, bind[0]...)) != nil {
					break // closed: nothing is hidden
				}
				drain(c, 2)
			}
			s.wantNoMoreThanCounted()
		})
	}
}

func TestSealedBindWithAnUncommonTrailerIsCounted(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial(as(rpcparse.LevelPrivacy))
	stub := nspi.AppendBindRequest(nil, nspi.BindRequest{CodePage: 1252, HasGUID: true, Referent: 1}, nspi.NDR, rpcparse.LittleEndian)
	stub = append(stub, "\x8a\xe3\x13\x71\x02\xf4\x36\x71\x01\x40\x04\x00\x01\x00\x00\x00"...) // bitmask_1 alone (MS-RPCE 2.2.2.13)
	for range 3 {
		if _, err := c.Call(nspi.OpnumBind, stub); err != nil {
			t.Fatal(err)
		}
	}
	s.wantSessions(3)
}

// rawClient sends PDUs one by one.
type rawClient struct {
	t *testing.T
	*client.Conn
}

func (c rawClient) send(pdu []byte, err error) {
	c.t.Helper()
	if err == nil {
		err = c.Write(pdu)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c rawClient) receive() []byte {
	c.t.Helper()
	pdu, _, err := c.ReadPDU()
	if err != nil {
		c.t.Fatal(err)
	}
	return pdu
}

func (c rawClient) nspiBind(callID uint32) {
	c.t.Helper()
	c.send(rpcparse.AppendRequest(nil, rpcparse.Request{Header: wholePDU(rpcparse.PTypeRequest, callID),
		Stub: nspi.AppendBindRequest(nil, nspi.BindRequest{CodePage: 1252}, nspi.NDR, rpcparse.LittleEndian)}))
	c.receive()
}

// A bind that comes before the user's name must not make the connection the
// address's for good.
func TestBindBeforeTheNameDoesNotChangeWhoIsCharged(t *testing.T) {
	s := newStage(t, nil)
	conn, err := client.Connect(s.address, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	c := rawClient{t, conn}
	user := ntlm.Initiator{Domain: "LAB", User: alice, Password: alicePassword}
	verifier := rpcparse.Verifier{Type: rpcparse.AuthNTLM, Level: rpcparse.LevelConnect, ContextID: 7}
	if verifier.Token, err = user.Negotiate(); err != nil {
		t.Fatal(err)
	}
	c.send(rpcparse.AppendBind(nil, rpcparse.Bind{Header: wholePDU(rpcparse.PTypeBind, 1), MaxXmitFrag: 5840, MaxRecvFrag: 5840,
		Contexts: rpcparse.NewContextList(client.Context(0, nspi.Interface, rpcparse.SyntaxNDR)), HasVerifier: true, Verifier: verifier}))
	ack, err := rpcparse.ParseBindAck(c.receive())
	if err != nil {
		t.Fatal(err)
	}
	challenge := append([]byte(nil), ack.Verifier.Token...)
	c.nspiBind(2) // nobody's
	if verifier.Token, err = user.Authenticate(challenge); err != nil {
		t.Fatal(err)
	}
	c.send(rpcparse.AppendAuth3(nil, rpcparse.Auth3{Header: wholePDU(rpcparse.PTypeAuth3, 1), HasVerifier: true, Verifier: verifier}))
	c.nspiBind(3)
	s.wantSessions(1)
	for _, u := range s.proxy.table.Users() {
		if u.Held > 0 && u.User.Account.String() != `LAB\alice` {
			t.Errorf("charged to %+v", u)
		}
	}
}
