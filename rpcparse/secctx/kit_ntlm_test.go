package secctx_test

import (
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

const password = "Secret.123"

// ntlmEnds are the two ends of an NTLM handshake. Tests change what theirs do
// differently.
func ntlmEnds() (*ntlm.Initiator, *ntlm.Acceptor) {
	i := &ntlm.Initiator{Domain: "LAB", User: "alice", Password: password, Workstation: "PC1"}
	s := &ntlm.Acceptor{
		Lookup: func(string, string) (ntlm.Hash, bool) { return ntlm.NTHash(password), true },
		Domain: "LAB", Computer: "DC1", DNSDomain: "lab.test", DNSComputer: "dc1.lab.test",
		Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
	return i, s
}

// messages are the three messages of an NTLM handshake.
type messages struct{ negotiate, challenge, authenticate []byte }

func exchange(t testing.TB, i *ntlm.Initiator, s *ntlm.Acceptor) (m messages) {
	t.Helper()
	var err error
	m.negotiate, err = i.Negotiate()
	must(t, 0, err)
	m.challenge, err = s.Challenge(m.negotiate)
	must(t, 0, err)
	m.authenticate, err = i.Authenticate(m.challenge)
	must(t, 0, err)
	return m
}

// follow shows a handshake to who has these keys.
func (m messages) follow(k secctx.Keys) *secctx.Handshake {
	h := secctx.NewHandshake(k)
	h.FromClient(m.negotiate)
	h.FromServer(m.challenge)
	h.FromClient(m.authenticate)
	return h
}

// ntlmPeers have finished a handshake, raw or in SPNEGO with a signature of
// the mechanism list in either direction.
func ntlmPeers(t testing.TB, inSPNEGO bool) *peers {
	t.Helper()
	i, s := ntlmEnds()
	m := exchange(t, i, s)
	accepted, err := s.Accept(m.authenticate)
	must(t, 0, err)
	mine, err := i.Session()
	must(t, 0, err)
	p := &peers{name: "NTLM", client: end{mine.Send, mine.Receive}, server: end{accepted.Session.Send, accepted.Session.Receive}}
	h := secctx.NewHandshake(&keys{password: password})
	if !inSPNEGO {
		h = m.follow(&keys{password: password})
	} else {
		p.name = "NTLM in SPNEGO"
		offer := []spnego.OID{spnego.OIDNTLM}
		list := spnego.AppendMechTypes(nil, offer)
		fromClient, fromServer := mine.Send.ListMIC(list), accepted.Session.Send.ListMIC(list)
		must(t, 0, accepted.Session.Receive.VerifyListMIC(list, fromClient[:]))
		must(t, 0, mine.Receive.VerifyListMIC(list, fromServer[:]))
		h.FromClient(spnego.AppendInit(nil, spnego.Token{MechTypes: offer, MechToken: m.negotiate}))
		h.FromServer(spnego.AppendResp(nil, spnego.Token{HasState: true, State: spnego.StateAcceptIncomplete, MechToken: m.challenge}))
		h.FromClient(spnego.AppendResp(nil, spnego.Token{MechToken: m.authenticate, ListMIC: fromClient[:]}))
		h.FromServer(spnego.AppendResp(nil, spnego.Token{HasState: true, ListMIC: fromServer[:]}))
	}
	if p.context = h.Context(); p.context == nil {
		t.Fatalf("%s: %v", p.name, h.Outcome())
	}
	return p
}
