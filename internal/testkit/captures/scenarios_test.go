package captures_test

import (
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// stage is a domain controller behind a recorder, which allows every account four sessions, anonymous clients too.
type stage struct {
	t         *testing.T
	nspi, epm string
	open      []*client.Conn
}

// scenarios are the golden conversations by the names of their files.
var scenarios = map[string]func(*stage){
	"anonymous": anonymous,
	"ntlm":      authenticated,
	"join":      join,
	"fragments": fragments,
	"refused":   refused,
	"mapper":    mapper,
	"referral":  referral,
	"pipelined": pipelined,
	"alter":     alter,
	"handles":   handles,
}

// dial connects and binds. The connection is closed at the end, with the others.
func (s *stage) dial(o client.Options) *client.Conn {
	s.t.Helper()
	c, err := client.Dial(s.nspi, o)
	s.must(err)
	s.open = append(s.open, c)
	return c
}

func (s *stage) closeAll() {
	for _, c := range s.open {
		c.Close()
	}
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// wants fails the test unless err is a refusal of this code.
func (s *stage) wants(err error, code nspi.Code) {
	s.t.Helper()
	if !client.IsCode(err, code) {
		s.t.Fatalf("%v, want %v", err, code)
	}
}

func (s *stage) bind(c *client.Conn) nspi.Handle {
	s.t.Helper()
	h, err := c.NspiBind()
	s.must(err)
	return h
}

// opnumOther is an operation of NSPI that the simulated domain controller answers with the stub of its request.
const opnumOther = 7

// session opens a session, makes a call, and closes the session.
func (s *stage) session(c *client.Conn) {
	s.t.Helper()
	h := s.bind(c)
	_, err := c.Call(opnumOther, simdc.EchoPattern(100))
	s.must(err)
	s.must(c.NspiUnbind(h))
}

func alice(t rpcparse.AuthType, level rpcparse.AuthLevel, id uint32) *client.Security {
	return &client.Security{Type: t, Level: level, ID: id, Domain: captures.GoldenDomain, User: captures.GoldenUser, Password: captures.GoldenPassword}
}

// anonymous: NDR, NDR64 and big-endian.
func anonymous(s *stage) {
	s.session(s.dial(client.Options{}))
	s.session(s.dial(client.Options{Transfer: rpcparse.SyntaxNDR64}))
	s.session(s.dial(client.Options{Order: rpcparse.BigEndian}))
}

// authenticated: NTLM and SPNEGO at every level, the last one in NDR64.
func authenticated(s *stage) {
	for _, mechanism := range []rpcparse.AuthType{rpcparse.AuthNTLM, rpcparse.AuthSPNEGO} {
		for _, level := range []rpcparse.AuthLevel{rpcparse.LevelConnect, rpcparse.LevelPacket, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
			s.session(s.dial(client.Options{Security: alice(mechanism, level, 7)}))
		}
	}
	s.session(s.dial(client.Options{Security: alice(rpcparse.AuthSPNEGO, rpcparse.LevelPrivacy, 7), Transfer: rpcparse.SyntaxNDR64}))
}

// join: a second connection of the association ends the session of the first, which has closed.
func join(s *stage) {
	first := s.dial(client.Options{Security: alice(rpcparse.AuthNTLM, rpcparse.LevelPrivacy, 1)})
	h := s.bind(first)
	second := s.dial(client.Options{Group: first.Group, Security: alice(rpcparse.AuthNTLM, rpcparse.LevelPrivacy, 1)})
	s.bind(second)
	first.Close()
	s.must(second.NspiUnbind(h))
}

// fragments: NspiBind in pieces of 16 bytes, and a call of several fragments in both directions; in clear and sealed.
func fragments(s *stage) {
	for _, security := range []*client.Security{nil, alice(rpcparse.AuthNTLM, rpcparse.LevelPrivacy, 1)} {
		c := s.dial(client.Options{MaxFragment: 1432, Security: security, Contexts: []rpcparse.ContextElement{
			client.Context(0, nspi.Interface), client.Context(1, simdc.EchoInterface),
		}})
		id, err := c.Send(client.Request{Opnum: nspi.OpnumBind, Stub: c.BindRequest(), Fragment: 16})
		s.must(err)
		h, err := c.ReceiveNspiBind(id)
		s.must(err)
		echo := uint16(1)
		_, err = c.Do(client.Request{Opnum: simdc.EchoOpnum, Stub: simdc.EchoPattern(4000), ContextID: &echo})
		s.must(err)
		s.must(c.NspiUnbind(h))
	}
}

// refused: by the domain controller's own limit, in clear and sealed; a wrong password; an association that is not there.
func refused(s *stage) {
	for _, o := range []client.Options{{}, {Security: alice(rpcparse.AuthNTLM, rpcparse.LevelPrivacy, 1)}} {
		c := s.dial(o)
		for range 4 {
			s.bind(c)
		}
		_, err := c.NspiBind()
		s.wants(err, nspi.LogonFailed)
	}
	wrong := alice(rpcparse.AuthNTLM, rpcparse.LevelConnect, 1)
	wrong.Password = "wrong"
	if _, err := s.dial(client.Options{Security: wrong}).NspiBind(); !client.IsFault(err, rpcparse.StatusAccessDenied) && !client.IsFault(err, rpcparse.StatusSecPkgError) {
		s.t.Fatalf("a wrong password: %v", err)
	}
	if _, err := client.Dial(s.nspi, client.Options{Group: 0xffff6286}); !client.IsNak(err, rpcparse.NakNotSpecified) {
		s.t.Fatalf("a group that is not there: %v", err)
	}
}

// mapper: ept_map in NDR and NDR64, and ept_lookup in small steps.
func mapper(s *stage) {
	for _, transfer := range []rpcparse.SyntaxID{rpcparse.SyntaxNDR, rpcparse.SyntaxNDR64} {
		c, err := client.DialEPM(s.epm, client.Options{Transfer: transfer})
		s.must(err)
		s.open = append(s.open, c)
		_, err = c.Map(nspi.Interface, 4)
		s.must(err)
		_, err = c.Map(nspi.Interface, 1)
		s.must(err)
		_, err = c.Lookup(2)
		s.must(err)
	}
}

// referral: both methods, in clear and sealed, beside a session.
func referral(s *stage) {
	for _, security := range []*client.Security{nil, alice(rpcparse.AuthSPNEGO, rpcparse.LevelPrivacy, 3)} {
		c := s.dial(client.Options{Security: security, Contexts: []rpcparse.ContextElement{
			client.Context(0, nspi.Interface), client.Context(1, rfri.Interface),
		}})
		h := s.bind(c)
		_, err := c.RfrGetNewDSA("/o=LAB/cn=alice")
		s.must(err)
		_, err = c.RfrGetFQDN("/o=LAB/cn=DC1")
		s.must(err)
		s.must(c.NspiUnbind(h))
	}
}

// pipelined: a slow call is overtaken by an NspiBind and by an NspiUnbind; three binds are under way at once.
func pipelined(s *stage) {
	c := s.dial(client.Options{Contexts: []rpcparse.ContextElement{
		client.Context(0, nspi.Interface), client.Context(1, simdc.EchoInterface),
	}})
	echo := uint16(1)
	slow, err := c.Send(client.Request{Opnum: simdc.EchoAfterOpnum, Stub: []byte{100, 0, 0, 0}, ContextID: &echo})
	s.must(err)
	s.must(c.NspiUnbind(s.bind(c)))
	var ids []uint32
	for range 3 {
		id, err := c.SendNspiBind()
		s.must(err)
		ids = append(ids, id)
	}
	for _, id := range slices.Backward(ids) {
		_, err := c.ReceiveNspiBind(id)
		s.must(err)
	}
	_, err = c.Receive(slow)
	s.must(err)
}

// alter: a connection is bound to another interface, gets NSPI later, and then a second security context.
func alter(s *stage) {
	c := s.dial(client.Options{Contexts: []rpcparse.ContextElement{client.Context(5, simdc.EchoInterface)}})
	s.must(c.AlterContext(nil, client.Context(6, nspi.Interface)))
	s.must(c.NspiUnbind(s.bind(c)))
	s.must(c.AlterContext(alice(rpcparse.AuthNTLM, rpcparse.LevelIntegrity, 1), client.Context(7, nspi.Interface)))
	h := s.bind(c)
	s.must(c.AlterContext(alice(rpcparse.AuthSPNEGO, rpcparse.LevelPrivacy, 2), client.Context(8, nspi.Interface)))
	s.bind(c)
	s.must(c.NspiUnbind(h))
}

// handles: one that the server does not know, one that was closed, and two that are left to be run down.
func handles(s *stage) {
	c := s.dial(client.Options{})
	h := s.bind(c)
	s.must(c.NspiUnbind(h))
	for _, unknown := range []nspi.Handle{h, {4: 9}} {
		if err := c.NspiUnbind(unknown); err == nil {
			s.t.Fatal("an unknown handle was closed")
		}
	}
	s.bind(c)
	s.bind(c)
}
