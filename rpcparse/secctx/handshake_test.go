package secctx_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// want checks how far a handshake was followed.
func want(t *testing.T, h *secctx.Handshake, r secctx.Result) {
	t.Helper()
	if o := h.Outcome(); o.Result != r || (h.Context() != nil) != (r == secctx.KeyFound) {
		t.Errorf("%v, context: %t; want %v", o, h.Context() != nil, r)
	}
}

func TestNTLMOutcomeSaysWhyThereAreNoKeys(t *testing.T) {
	known := &keys{password: password}
	for _, tc := range []struct {
		name   string
		keys   *keys
		client func(*ntlm.Initiator)
		want   secctx.Result
	}{
		{"the right key", known, func(*ntlm.Initiator) {}, secctx.KeyFound},
		{"no MIC", known, func(i *ntlm.Initiator) { i.NoMIC = true }, secctx.KeyFound},
		{"no key exchange", known, func(i *ntlm.Initiator) { i.Without = ntlm.FlagKeyExchange }, secctx.KeyFound},
		{"56 bits", known, func(i *ntlm.Initiator) { i.Without = ntlm.Flag128 }, secctx.KeyFound},
		{"no key of the account", &keys{}, func(*ntlm.Initiator) {}, secctx.NoKey},
		{"an old password", &keys{password: "another"}, func(*ntlm.Initiator) {}, secctx.Undecryptable},
		{"the client's password is wrong", known, func(i *ntlm.Initiator) { i.Password = "guess" }, secctx.Undecryptable},
		{"without extended session security", known, func(i *ntlm.Initiator) { i.Without = ntlm.FlagExtendedSessionSecurity }, secctx.Unsupported},
		{"anonymous", known, func(i *ntlm.Initiator) { i.User = "" }, secctx.Unsupported},
	} {
		t.Run(tc.name, func(t *testing.T) {
			i, s := ntlmEnds()
			tc.client(i)
			want(t, exchange(t, i, s).follow(tc.keys), tc.want)
		})
	}
}

func TestMICCoversAllMessagesOfAnNTLMHandshake(t *testing.T) {
	i, s := ntlmEnds()
	m := exchange(t, i, s)
	for name, alter := range map[string]func(*messages){
		"negotiate":         func(m *messages) { m.negotiate[len(m.negotiate)-1] ^= 1 },
		"challenge's flags": func(m *messages) { m.challenge[23] ^= 0x80 },
		"workstation": func(m *messages) {
			at := strings.Index(string(m.authenticate), "P\x00C\x001\x00")
			m.authenticate[at] ^= 1
		},
		"the MIC itself": func(m *messages) { m.authenticate[72] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			altered := messages{slices.Clone(m.negotiate), slices.Clone(m.challenge), slices.Clone(m.authenticate)}
			alter(&altered)
			want(t, altered.follow(&keys{password: password}), secctx.Undecryptable)
		})
	}
	want(t, m.follow(&keys{password: password}), secctx.KeyFound)
}

func TestNTLMMessagesOutOfOrderLeaveTheContextWithoutKeys(t *testing.T) {
	i, s := ntlmEnds()
	m := exchange(t, i, s)
	for name, tell := range map[string]func(*secctx.Handshake){
		"authenticate first":      func(h *secctx.Handshake) { h.FromClient(m.authenticate) },
		"no challenge":            func(h *secctx.Handshake) { h.FromClient(m.negotiate); h.FromClient(m.authenticate) },
		"challenge of the client": func(h *secctx.Handshake) { h.FromClient(m.negotiate); h.FromClient(m.challenge) },
		"negotiate of the server": func(h *secctx.Handshake) { h.FromServer(m.negotiate) },
		"no message type":         func(h *secctx.Handshake) { h.FromClient([]byte("NTLMSSP\x00")) },
		"a challenge of a whole PDU": func(h *secctx.Handshake) {
			h.FromClient(m.negotiate)
			h.FromServer(append(m.challenge, make([]byte, 60_000)...))
		},
		"a token longer than any can be": func(h *secctx.Handshake) { h.FromClient(make([]byte, 65536)) },
		"authenticate cut off": func(h *secctx.Handshake) {
			h.FromClient(m.negotiate)
			h.FromServer(m.challenge)
			h.FromClient(m.authenticate[:40])
		},
		"a challenge that is none": func(h *secctx.Handshake) {
			h.FromClient(m.negotiate)
			h.FromServer(m.challenge[:12])
			h.FromClient(m.authenticate)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := secctx.NewHandshake(&keys{password: password})
			tell(h)
			want(t, h, secctx.Malformed)
		})
	}
}

// TestListMICCountsOnlyWhereItIsSeen: a signature of the mechanism list has a
// number. Peers that follow with PDUs of their own would notice a wrong count.
func TestListMICCountsOnlyWhereItIsSeen(t *testing.T) {
	offer := []spnego.OID{spnego.OIDNTLM}
	list := spnego.AppendMechTypes(nil, offer)
	for name, signs := range map[string][2]bool{
		"nobody signs": {}, "the client signs": {true, false}, "the server signs": {false, true}, "both sign": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			i, s := ntlmEnds()
			m := exchange(t, i, s)
			accepted, err := s.Accept(m.authenticate)
			must(t, 0, err)
			mine, err := i.Session()
			must(t, 0, err)
			last, yes := spnego.Token{MechToken: m.authenticate}, spnego.Token{HasState: true}
			if signs[rpcparse.ClientToServer] {
				mic := mine.Send.ListMIC(list)
				last.ListMIC = mic[:]
				must(t, 0, accepted.Session.Receive.VerifyListMIC(list, mic[:]))
			}
			if signs[rpcparse.ServerToClient] {
				mic := accepted.Session.Send.ListMIC(list)
				yes.ListMIC = mic[:]
				must(t, 0, mine.Receive.VerifyListMIC(list, mic[:]))
			}
			h := secctx.NewHandshake(&keys{password: password})
			h.FromClient(spnego.AppendInit(nil, spnego.Token{MechTypes: offer, MechToken: m.negotiate}))
			h.FromServer(spnego.AppendResp(nil, spnego.Token{HasState: true, State: spnego.StateAcceptIncomplete, MechToken: m.challenge}))
			h.FromClient(spnego.AppendResp(nil, last))
			h.FromServer(spnego.AppendResp(nil, yes))
			want(t, h, secctx.KeyFound)
			p := &peers{context: h.Context(), client: end{mine.Send, mine.Receive}, server: end{accepted.Session.Send, accepted.Session.Receive}}
			for _, d := range dirs {
				p.peek(t, d, []byte("the first PDU"), true)
			}
		})
	}
}

func TestListMICOfKerberosIsVerifiedToo(t *testing.T) {
	offer := []spnego.OID{spnego.OIDMSKerberos, spnego.OIDKerberos}
	list := spnego.AppendMechTypes(nil, offer)
	for _, altered := range []bool{false, true} {
		p, k := krb5Peers(t, 18), newKDC(18)
		signed := make([]byte, k.stream(t, 0).TokenSize(false))
		must(t, 0, p.client.send.(interface {
			MIC(message, token []byte) error
		}).MIC(list, signed))
		must(t, 0, p.server.receive.(interface {
			VerifyMIC(message, token []byte) error
		}).VerifyMIC(list, signed))
		if altered {
			signed[len(signed)-1] ^= 1
		}
		h := secctx.NewHandshake(k.keys(t))
		h.FromClient(spnego.AppendInit(nil, spnego.Token{MechTypes: offer, MechToken: k.request(t)}))
		h.FromServer(spnego.AppendResp(nil, spnego.Token{HasState: true, State: spnego.StateAcceptIncomplete, MechToken: k.answer(t)}))
		h.FromClient(spnego.AppendResp(nil, spnego.Token{MechToken: k.third(t), ListMIC: signed}))
		if altered {
			want(t, h, secctx.Undecryptable)
			continue
		}
		want(t, h, secctx.KeyFound)
		p.context = h.Context()
		p.peek(t, rpcparse.ClientToServer, []byte("the first PDU"), true)
	}
}

func TestAlteredListMICLeavesTheContextWithoutKeys(t *testing.T) {
	i, s := ntlmEnds()
	m := exchange(t, i, s)
	h := secctx.NewHandshake(&keys{password: password})
	h.FromClient(spnego.AppendInit(nil, spnego.Token{MechTypes: []spnego.OID{spnego.OIDNTLM}, MechToken: m.negotiate}))
	h.FromServer(spnego.AppendResp(nil, spnego.Token{MechToken: m.challenge}))
	h.FromClient(spnego.AppendResp(nil, spnego.Token{MechToken: m.authenticate, ListMIC: make([]byte, 16)}))
	want(t, h, secctx.Undecryptable)
}

func TestKerberosOutcomeSaysWhyThereAreNoKeys(t *testing.T) {
	k := newKDC(18)
	other := newKDC(18)
	other.service.KeyValue[0] ^= 1
	for _, tc := range []struct {
		name   string
		keys   *keys
		want   secctx.Result
		detail string
	}{
		{"the right key", k.keys(t), secctx.KeyFound, ""},
		{"no keytab", &keys{}, secctx.NoKey, "no key"},
		{"a keytab for another encryption type", newKDC(17).keys(t), secctx.NoKey, servicePrincipal},
		{"an old password's key", &keys{service: k.keytab(t, other.service, 4).Service("")}, secctx.WrongVersion, "5"},
		{"another key of this version", &keys{service: k.keytab(t, other.service, 5).Service("")}, secctx.Undecryptable, servicePrincipal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := secctx.NewHandshake(tc.keys)
			h.FromClient(k.request(t))
			h.FromServer(k.answer(t))
			want(t, h, tc.want)
			if !strings.Contains(h.Outcome().Detail, tc.detail) {
				t.Errorf("%v does not mention %s", h.Outcome(), tc.detail)
			}
		})
	}
}

func TestBrokenKerberosLegsLeaveTheContextWithoutKeys(t *testing.T) {
	k, other := newKDC(18), newKDC(18)
	other.session.KeyValue[0] ^= 1
	for _, tc := range []struct {
		name string
		tell func(*secctx.Handshake)
		want secctx.Result
	}{
		{"an AP-REQ that is cut off", func(h *secctx.Handshake) { h.FromClient(k.request(t)[:100]) }, secctx.Malformed},
		{"an answer to somebody else", func(h *secctx.Handshake) { h.FromClient(k.request(t)); h.FromServer(other.answer(t)) }, secctx.Undecryptable},
		{"somebody else's third leg", func(h *secctx.Handshake) {
			h.FromClient(k.request(t))
			h.FromServer(k.answer(t))
			h.FromClient(other.third(t))
		}, secctx.Undecryptable},
		{"an AP-REP without an AP-REQ", func(h *secctx.Handshake) { h.FromServer(k.answer(t)) }, secctx.Pending},
		{"an AP-REQ of the server", func(h *secctx.Handshake) { h.FromServer(k.request(t)); h.FromServer(k.answer(t)) }, secctx.Pending},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := secctx.NewHandshake(k.keys(t))
			tc.tell(h)
			want(t, h, tc.want)
		})
	}
}

// krbError is a message that begins like a KRB-ERROR: nothing else is read of it.
var krbError = []byte{0x7e, 0x03, 0x30, 0x01, 0x00}

func TestServersErrorLetsTheClientTryAgain(t *testing.T) {
	good, bad := newKDC(18), newKDC(18)
	bad.service.KeyValue[0] ^= 1
	for name, first := range map[string]*kdc{"after a ticket that opens": good, "after one that does not": bad} {
		t.Run(name, func(t *testing.T) {
			h := secctx.NewHandshake(good.keys(t))
			h.FromClient(first.request(t))
			h.FromServer(krbError)
			want(t, h, secctx.Pending)
			h.FromServer(good.answer(t)) // there is no ticket that it could be for
			want(t, h, secctx.Pending)
			want(t, good.follow(t, h), secctx.KeyFound)
		})
	}
}

func TestRefusedHandshakesSaySo(t *testing.T) {
	k := newKDC(18)
	h := secctx.NewHandshake(k.keys(t))
	h.FromClient(k.request(t))
	h.Refused()
	want(t, h, secctx.Refused)

	h = k.follow(t, secctx.NewHandshake(k.keys(t)))
	h.Refused()
	want(t, h, secctx.KeyFound)
}

func TestTokensOfNoMechanismAreUnread(t *testing.T) {
	for _, token := range [][]byte{{}, {0}, []byte("NEGOEXTS"), {0x60, 0}, {0xa1, 0x80}, krbError} {
		h := secctx.NewHandshake(&keys{password: password})
		h.FromServer(token)
		want(t, h, secctx.Pending)
		h.FromClient(token)
		want(t, h, secctx.Malformed)
		if why, ok := h.Unread(); !ok || why.Result != secctx.Malformed {
			t.Errorf("% x: %v", token, why)
		}
	}
}

func TestResultsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := secctx.Pending; r <= secctx.Unsupported; r++ {
		if s := r.String(); s == "" || s == "unknown" || seen[s] {
			t.Errorf("%d is called %q", r, s)
		}
		seen[r.String()] = true
	}
	if secctx.Result(200).String() != "unknown" {
		t.Error("a name for nothing")
	}
}
