package ntlm

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// MS-NLMP 4.2.4: user "User", domain "Domain", password "Password".
func TestNTLMv2MatchesTheSpecification(t *testing.T) {
	nt := NTHash("Password")
	if got := hex.EncodeToString(nt[:]); got != "a4f49c406510bdcab6824ee7c30fd852" {
		t.Errorf("NT hash %s", got)
	}
	owf := NTOWFv2(nt, "User", "Domain")
	if got := hex.EncodeToString(owf[:]); got != "0c868a403bfd7a93a3001ef22ef02e3f" {
		t.Errorf("NTOWFv2 %s", got)
	}
	pairs := AppendAVPair(nil, AVNbDomainName, AppendUTF16(nil, "Domain"))
	pairs = AppendAVPair(AppendAVPair(pairs, AVNbComputerName, AppendUTF16(nil, "Server")), AVEOL, nil)
	response := responseV2(owf, specServerChallenge, specClientChallenge, 0, pairs)
	if got := hex.EncodeToString(response[:16]); got != "68cd0ab851e51c96aabc927bebef6a1c" {
		t.Errorf("proof %s", got)
	}
	a := Authenticate{Flags: specFlags, User: "User", Domain: "Domain", NTResponse: response,
		SessionKey: unhex(t, "c5dad2544fc9799094ce1ce90bc9d03e")}
	exchange, ok := a.exchangeKey(nt, specServerChallenge)
	if got := hex.EncodeToString(exchange[:]); !ok || got != "8de40ccadbc14a82f15cb0ad0de95ca3" {
		t.Errorf("session base key %s, %v", got, ok)
	}
	if key, err := a.Key(nt, specServerChallenge); err != nil || key != specKey {
		t.Errorf("session key %x, %v", key, err)
	}
}

// MS-NLMP 4.2.3: NTLMv1 with extended session security.
func TestNTLMv1MatchesTheSpecification(t *testing.T) {
	a := Authenticate{
		Flags:      FlagUnicode | FlagExtendedSessionSecurity | Flag56,
		User:       "User",
		Domain:     "Domain",
		LMResponse: append(bytes.Clone(specClientChallenge[:]), make([]byte, 16)...),
		NTResponse: unhex(t, "7537f803ae367128ca458204bde7caf81e97ed2683267232"),
	}
	key, err := a.Key(NTHash("Password"), specServerChallenge)
	if got := hex.EncodeToString(key[:]); err != nil || got != "eb93429a8bd952f8b89c55b87f475edc" {
		t.Errorf("session key %s, %v", got, err)
	}
	a.LMResponse = a.LMResponse[:7]
	if _, err := a.Key(NTHash("Password"), specServerChallenge); wire.ClassOf(err) != wire.ClassAuth {
		t.Errorf("short client challenge: %v", err)
	}
}

func TestWrongHashesAndDialectsGiveNoKey(t *testing.T) {
	nt := NTHash("Password")
	owf := NTOWFv2(nt, "User", "Domain")
	good := Authenticate{Flags: specFlags, User: "User", Domain: "Domain",
		NTResponse: responseV2(owf, specServerChallenge, specClientChallenge, 0, nil), SessionKey: make([]byte, 16)}
	for name, tc := range map[string]struct {
		change func(*Authenticate)
		nt     Hash
		class  wire.Class
	}{
		"right":               {func(*Authenticate) {}, nt, 0},
		"folded user":         {func(a *Authenticate) { a.User = "uSER" }, nt, 0},
		"wrong password":      {func(*Authenticate) {}, NTHash("password"), wire.ClassAuth},
		"another domain":      {func(a *Authenticate) { a.Domain = "DOMAIN" }, nt, wire.ClassAuth},
		"empty response":      {func(a *Authenticate) { a.NTResponse = nil }, nt, wire.ClassAuth},
		"NTLMv1 response":     {func(a *Authenticate) { a.NTResponse = make([]byte, 24); a.LMResponse = make([]byte, 24) }, nt, wire.ClassAuth},
		"old dialect":         {func(a *Authenticate) { a.Flags &^= FlagExtendedSessionSecurity }, nt, wire.ClassState},
		"session key missing": {func(a *Authenticate) { a.SessionKey = nil }, nt, wire.ClassInvalid},
		"no key exchange":     {func(a *Authenticate) { a.Flags &^= FlagKeyExchange; a.SessionKey = nil }, nt, 0},
	} {
		a := good
		tc.change(&a)
		if _, err := a.Key(tc.nt, specServerChallenge); wire.ClassOf(err) != tc.class {
			t.Errorf("%s: %v, want class %v", name, err, tc.class)
		}
	}
}

func TestHandshakesOfEveryKindAgreeOnKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		i   Initiator
		now time.Time
		mic bool
	}{
		"with MIC":            {i: Initiator{}, now: time.Unix(1_700_000_000, 0), mic: true},
		"server without time": {i: Initiator{}},
		"client without MIC":  {i: Initiator{NoMIC: true}, now: time.Unix(1_700_000_000, 0)},
		"no key exchange":     {i: Initiator{Without: FlagKeyExchange}, now: time.Unix(1, 0), mic: true},
		"OEM names":           {i: Initiator{Without: FlagUnicode}, now: time.Unix(1, 0), mic: true},
		"with a target":       {i: Initiator{Target: "exchangeAB/dc1"}, now: time.Unix(1, 0), mic: true},
	} {
		i := tc.i
		i.Domain, i.User, i.Password, i.Workstation = "LAB", "Alice", "Secret.123", "WS1"
		s := &Acceptor{Lookup: accounts, Domain: "LAB", Computer: "DC1", Now: tc.now}
		_, _, token := handshake(t, &i, s)
		got, err := s.Accept(token)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.User != "Alice" || got.Domain != "LAB" || got.Workstation != "WS1" || (got.MIC != nil) != tc.mic || got.Key != i.Key() {
			t.Errorf("%s: %+v", name, got)
		}
		client, err := i.Session()
		if err != nil {
			t.Fatal(err)
		}
		b := pdu(16)
		if err := client.Send.Protect(b, 24, 40, true); err != nil {
			t.Fatal(err)
		}
		if err := got.Session.Receive.Unprotect(b, 24, 40, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r, ok := ParseNTLMv2Response(got.NTResponse); !ok || r.Pairs.Text(AVTargetName) != tc.i.Target || r.Pairs.Text(AVNbDomainName) != "LAB" {
			t.Errorf("%s: target information %+v", name, r)
		}
	}
}

func TestAcceptRefusesWhoCannotProve(t *testing.T) {
	for name, tc := range map[string]struct {
		user, password string
		tamper         int // byte of the AUTHENTICATE to flip; 0: none
	}{
		"wrong password":  {"alice", "wrong", 0},
		"unknown account": {"mallory", "Secret.123", 0},
		"altered flags":   {"alice", "Secret.123", authFlags + 3},
		"altered MIC":     {"alice", "Secret.123", authMIC},
		"altered version": {"alice", "Secret.123", authVersion},
	} {
		i := &Initiator{Domain: "LAB", User: tc.user, Password: tc.password}
		s := &Acceptor{Lookup: accounts, Domain: "LAB", Now: time.Unix(1, 0)}
		_, _, token := handshake(t, i, s)
		if tc.tamper > 0 {
			token[tc.tamper] ^= 0x01
		}
		if got, err := s.Accept(token); wire.ClassOf(err) != wire.ClassAuth {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestAnonymousHandshakeHasNoSession(t *testing.T) {
	i := &Initiator{}
	s := &Acceptor{Lookup: accounts, Now: time.Unix(1, 0)}
	_, _, token := handshake(t, i, s)
	got, err := s.Accept(token)
	if err != nil || !got.Anonymous || got.Session != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := i.Session(); wire.ClassOf(err) != wire.ClassState {
		t.Errorf("client session: %v", err)
	}
}

func TestEndsRefuseWhatIsNoMessage(t *testing.T) {
	if _, err := (&Acceptor{}).Challenge([]byte("x")); err == nil {
		t.Error("NEGOTIATE of one byte accepted")
	}
	if _, err := (&Acceptor{}).Accept([]byte("x")); err == nil {
		t.Error("AUTHENTICATE of one byte accepted")
	}
	if _, err := (&Initiator{}).Authenticate([]byte("x")); err == nil {
		t.Error("CHALLENGE of one byte accepted")
	}
	empty := bytes.NewReader(nil)
	n, _ := (&Initiator{}).Negotiate()
	if _, err := (&Acceptor{Rand: empty}).Challenge(n); err == nil {
		t.Error("a challenge without randomness")
	}
	c, _ := (&Acceptor{}).Challenge(n)
	if _, err := (&Initiator{User: "u", Rand: empty}).Authenticate(c); err == nil {
		t.Error("a response without randomness")
	}
}

func TestHandshakeMICOfAShortMessageCoversAllOfIt(t *testing.T) {
	if HandshakeMIC(specKey, nil, nil, []byte{1}) == HandshakeMIC(specKey, nil, nil, []byte{2}) {
		t.Error("one MIC for two messages")
	}
}

func TestFileTimeCountsFrom1601(t *testing.T) {
	if got := FileTime(time.Unix(0, 100)); got != 116_444_736_000_000_001 {
		t.Errorf("%d", got)
	}
}
