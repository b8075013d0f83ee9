package rpcparse

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

var challengeToken = []byte("NTLMSSP\x00\x02\x00\x00\x00")

// challenged is a script after the first two legs of security context 7.
func challenged(t testing.TB, authType AuthType) *script {
	s := newScript(t)
	v := func(token []byte) *Verifier {
		return &Verifier{Type: authType, Level: LevelConnect, ContextID: 7, Token: token}
	}
	s.client(s.bindPDU(v(negotiateToken)))
	s.server(s.ackPDU(PTypeBindAck, 1, v(challengeToken), acceptNDR, acceptNDR64, acceptNDR, acceptNDR))
	return s
}

func (s *script) mapCall(id uint32) []byte {
	return s.request(fragment{callID: id, ctx: ctxMapper, opnum: tower.OpnumMap, stub: make([]byte, 8)})
}

func TestCallMadeBeforeTheClaimDoesNotProveIt(t *testing.T) {
	s := challenged(t, AuthNTLM)
	s.client(s.mapCall(2), s.auth3(7, LevelConnect, authenticateToken("LAB", "victim"))).server(s.response(2, 0, make([]byte, 8), nil))
	s.wantNoError()
	if s.c.security[0].Accepted() {
		t.Errorf("%v counts as accepted", s.c.security[0])
	}
}

func TestUntrailedCallProvesTheBindsContextOnly(t *testing.T) {
	s := bound(t)
	s.client(alter(t, 2, 7, negotiateToken)).server(s.ackPDU(PTypeAlterContextResp, 2, ntlmVerifier(7, LevelConnect, challengeToken)))
	s.client(s.auth3(7, LevelConnect, authenticateToken("LAB", "victim")), s.mapCall(3)).server(s.response(3, 0, make([]byte, 8), nil))
	s.wantNoError()
	if s.c.security[0].Accepted() {
		t.Errorf("%v counts as accepted", s.c.security[0])
	}
}

func TestTrailedCallProvesAContextThatAlterContextBegan(t *testing.T) {
	s := bound(t)
	s.client(alter(t, 2, 7, negotiateToken)).server(s.ackPDU(PTypeAlterContextResp, 2, ntlmVerifier(7, LevelConnect, challengeToken)))
	s.client(s.auth3(7, LevelConnect, authenticateToken("LAB", "alice")))
	s.client(s.request(fragment{callID: 3, stub: bindStub(nspi.NDR), auth: ntlmVerifier(7, LevelConnect, make([]byte, 16))}))
	s.server(s.response(3, 0, grantedStub(nspi.NDR), nil))
	if e := s.last(); !e.Security.Accepted() {
		t.Errorf("got %v", e)
	}
}

func TestSecondAuthenticateAfterAnUnreadableOneIsContested(t *testing.T) {
	s := challenged(t, AuthNTLM)
	unreadable := authenticateToken("LAB", "mallory")
	unreadable[36]-- // the user name has an odd length
	s.client(s.auth3(7, LevelConnect, unreadable), s.auth3(7, LevelConnect, authenticateToken("LAB", "victim")))
	s.wantError(ClassState, "authenticated_twice")
	if s.c.security[0].HasUser() {
		t.Errorf("the user is %v", s.c.security[0])
	}
}

// A bind without a verifier is one that the server may grant, whoever it takes it for.
func TestUntrailedBindIsOfTheContextsThatServersMayMean(t *testing.T) {
	second := func(level AuthLevel, last []byte) func(s *script) {
		return func(s *script) {
			s.client(must(s.t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, 2), HasVerifier: true, Verifier: *ntlmVerifier(8, level, negotiateToken)})))
			s.server(s.ackPDU(PTypeAlterContextResp, 2, ntlmVerifier(8, level, challengeToken)))
			if last != nil {
				s.client(s.auth3(8, level, last))
			}
		}
	}
	for name, tc := range map[string]struct {
		level  AuthLevel
		before func(s *script)
		auth   *Verifier
		user   string
		among  []string
	}{
		"one context":                     {LevelConnect, func(*script) {}, nil, "alice", nil},
		"another one is begun":            {LevelConnect, second(LevelConnect, nil), nil, "alice", nil},
		"two at level connect":            {LevelConnect, second(LevelConnect, authenticateToken("LAB", "bob")), nil, "", []string{"alice", "bob"}},
		"two, and the verifier names one": {LevelConnect, second(LevelConnect, authenticateToken("LAB", "bob")), ntlmVerifier(7, LevelConnect, make([]byte, 16)), "alice", nil},
		"the other one is sealed":         {LevelConnect, second(LevelPrivacy, authenticateToken("LAB", "bob")), nil, "alice", nil},
		"all are sealed":                  {LevelPrivacy, second(LevelPrivacy, authenticateToken("LAB", "bob")), nil, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := authenticated(t, tc.level)
			tc.before(s)
			s.client(s.request(fragment{callID: 3, stub: bindStub(nspi.NDR), auth: tc.auth}))
			s.wantNoError()
			e := s.last()
			user := ""
			if e.Security != nil {
				user = e.Security.User
			}
			var among []string
			for _, s := range e.Call.Among {
				among = append(among, s.User)
			}
			if e.Kind != EventBindRequested || user != tc.user || !slices.Equal(among, tc.among) {
				t.Errorf("%v of %q, or of %q; want %q, %q", e.Kind, user, among, tc.user, tc.among)
			}
		})
	}
}

func TestContextsThatTheServerRefusedToBeginAreForgotten(t *testing.T) {
	refusals := map[string]func(s *script, id uint32) []byte{
		"fault": func(s *script, id uint32) []byte { return s.faultPDU(id, StatusAccessDenied) },
		"bind_nak": func(s *script, id uint32) []byte {
			return must(s.t)(AppendBindNak(nil, BindNak{Header: whole(PTypeBindNak, id)}))
		},
	}
	long := strings.Repeat("\u4e00", 512)
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			s := authenticated(t, LevelConnect)
			refused := 0
			s.c.opts.NewFollower = func(*SecurityContext) TokenFollower { return refusedFollower{&refused} }
			for n := range uint32(2 * MaxSecurityContexts) {
				s.client(alter(t, n+2, n+100, authenticateToken(long, long))).server(refusal(s, n+2))
			}
			s.wantNoError()
			if n := s.c.SecurityContexts(); n != 1 || refused != 2*MaxSecurityContexts {
				t.Errorf("%d contexts are kept, %d followers know", n, refused)
			}
			s.client(s.bindCall(1))
			if e := s.last(); e.Kind != EventBindRequested || e.Security.User != "alice" {
				t.Errorf("got %v", e)
			}
		})
	}
}

type refusedFollower struct{ n *int }

func (refusedFollower) FromClient([]byte) {}
func (refusedFollower) FromServer([]byte) {}
func (refusedFollower) Rejected()         {}
func (h refusedFollower) Refused()        { *h.n++ }

// A later leg that fails says nothing about a context that may be in use.
func TestContextOutlivesALegThatFails(t *testing.T) {
	s := authenticated(t, LevelConnect)
	s.client(alter(t, 2, 7, negotiateToken))
	s.wantError(ClassState, "authenticated_twice")
	s.again().server(s.faultPDU(2, StatusProtoError))
	if s.c.SecurityContexts() != 1 {
		t.Error("the context of alice is forgotten")
	}
}

func TestNamesThatNoAccountHasAreCut(t *testing.T) {
	s := challenged(t, AuthNTLM)
	s.client(s.auth3(7, LevelConnect, authenticateToken(strings.Repeat("d", maxName), strings.Repeat("\u4e00", 512))))
	k := s.last().Security
	if k.Domain != strings.Repeat("d", maxName) {
		t.Errorf("a domain of %d bytes is kept as %d", maxName, len(k.Domain))
	}
	if want := strings.Repeat("\u4e00", maxName/3) + "\u2026"; k.User != want {
		t.Errorf("user %q, want %q", k.User, want)
	}
}

// What has no weight does not make a name longer than names are.
func TestCharactersWithoutWeightDoNotCutAName(t *testing.T) {
	for _, r := range []string{"\u0301", "\u20dd", "\u0378", "\u3164", "\u200e", " ", "\x01", "\U000e1000"} {
		s := challenged(t, AuthNTLM)
		s.client(s.auth3(7, LevelConnect, authenticateToken("LAB", "alice"+strings.Repeat(r, 300))))
		if user := s.last().Security.User; user != "alice" {
			t.Errorf("%q: %q", r, user)
		}
	}
	s := challenged(t, AuthNTLM)
	s.client(s.auth3(7, LevelConnect, authenticateToken("LAB", strings.Repeat(" ", 20000)+"alice")))
	if user := s.last().Security.User; user != "alice" {
		t.Errorf("behind spaces: %q", user)
	}
}

func TestProofWithoutANameIsUnread(t *testing.T) {
	token := authenticateToken("LAB", "\x00alice")
	binary.LittleEndian.PutUint16(token[20:], 24) // an NT response
	s := challenged(t, AuthNTLM)
	s.client(s.auth3(7, LevelConnect, token))
	if k := s.c.security[0]; k.Presented != PresentedMalformed {
		t.Errorf("presented %d", k.Presented)
	}
}

// The server may know the code page, and take for an account what is no name here.
func TestUserNameOfUnknownCharactersIsUnread(t *testing.T) {
	const domain, user, flags = 32, 40, 60
	with := func(field int, first uint16, unicode byte) []byte {
		token := authenticateToken("LAB", "alice")
		binary.LittleEndian.PutUint16(token[binary.LittleEndian.Uint32(token[field:]):], first)
		token[flags] = unicode
		return token
	}
	for name, tc := range map[string]struct {
		token []byte
		want  Presented
	}{
		"OEM":                        {with(user, 0x00e9, 2), PresentedMalformed},
		"a lone surrogate":           {with(user, 0xd800, 1), PresentedMalformed},
		"a replacement character":    {with(user, 0xfffd, 1), PresentedName},
		"OEM in the domain":          {with(domain, 0x00e9, 2), PresentedName},
		"a surrogate in the domain":  {with(domain, 0xd800, 1), PresentedName},
		"ASCII in OEM, cut at a NUL": {with(user, 'a', 2), PresentedName},
	} {
		s := challenged(t, AuthNTLM)
		s.client(s.auth3(7, LevelConnect, tc.token))
		if k := s.c.security[0]; k.Presented != tc.want || k.HasUser() != (tc.want == PresentedName) {
			t.Errorf("%s: presented %d, user %q", name, k.Presented, k.User)
		}
	}
}

func TestUserIsKnownWhateverTheWorkstation(t *testing.T) {
	token := authenticateToken("LAB", "alice")
	token[44]-- // 5 bytes of UTF-16
	s := challenged(t, AuthNTLM)
	s.client(s.auth3(7, LevelConnect, token))
	if e := s.last(); e.Kind != EventUserClaimed || e.Security.Account() != `LAB\alice` {
		t.Errorf("got %v", e)
	}
}

func TestSPNEGOMayEndWithASignatureOfItsOwn(t *testing.T) {
	s := challenged(t, AuthSPNEGO)
	leg := func(token string, answer string) {
		v := func(token string) *Verifier {
			return &Verifier{Type: AuthSPNEGO, Level: LevelConnect, ContextID: 7, Token: []byte(token)}
		}
		s.client(must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, 2), HasVerifier: true, Verifier: *v(token)})))
		s.server(s.ackPDU(PTypeAlterContextResp, 2, v(answer)))
	}
	const incomplete, completed = "\xa1\x07\x30\x05\xa0\x03\x0a\x01\x01", "\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00"
	leg(string(authenticateToken("LAB", "alice")), incomplete)
	if s.c.security[0].Accepted() {
		t.Error("accepted before the end")
	}
	leg("\xa1\x16\x30\x14\xa3\x12\x04\x10"+strings.Repeat("\x00", 16), completed)
	if e := s.last(); e.Kind != EventAuthenticated || e.Security.User != "alice" {
		t.Errorf("got %v, error %v", e, s.err)
	}
}

func TestNTLMMayFollowATicketThatTheServerDidNotChoose(t *testing.T) {
	v := func(token []byte) *Verifier {
		return &Verifier{Type: AuthSPNEGO, Level: LevelConnect, ContextID: 7, Token: token}
	}
	leg := func(token []byte) []byte {
		return must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, 1), HasVerifier: true, Verifier: *v(token)}))
	}
	s := newScript(t)
	s.client(s.bindPDU(v([]byte{tagAPReq, 0})))
	s.server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR, acceptNDR64, acceptNDR, acceptNDR))
	if k := s.c.security[0]; k.Mechanism != MechanismKerberos || k.Settled() {
		t.Errorf("a ticket is offered: %v, settled %t", k, k.Settled())
	}
	s.client(s.mapCall(5), leg(negotiateToken)).server(s.ackPDU(PTypeAlterContextResp, 1, v(challengeToken)))
	s.client(leg(authenticateToken("LAB", "alice")))
	if e := s.last(); e.Kind != EventUserClaimed || !e.Security.Settled() {
		t.Errorf("got %v, error %v", e, s.err)
	}
	s.server(s.response(5, 0, make([]byte, 8), nil))
	if s.c.security[0].Accepted() {
		t.Error("what the ticket was good for proves the name that came later")
	}
}
