package directory

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// etypes are the encryption types that have tokens of RFC 4121.
var etypes = []int32{17, 18, 19, 20}

// bindTo binds to a server whose end of GSSAPI is a.
func bindTo(t *testing.T, a *acceptor) error {
	t.Helper()
	s := newFakeServer(t, true)
	s.sasl = a.sasl
	c := s.config()
	where, err := parseURL(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	l := &link{config: &c, server: where}
	ctx, cancel := context.WithTimeout(t.Context(), c.Timeout)
	defer cancel()
	if l.raw, err = net.Dial("tcp", where.address); err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if err := l.start(ctx); err != nil {
		t.Fatal(err)
	}
	return l.bindGSSAPI(a.client())
}

func TestKerberosBindChoosesNoSecurityLayer(t *testing.T) {
	for _, etype := range etypes {
		for _, subkey := range []bool{true, false} {
			t.Run(fmt.Sprint(etype, " subkey ", subkey), func(t *testing.T) {
				a := newAcceptor(t, etype)
				if !subkey {
					a.subkey = types.EncryptionKey{}
				}
				if err := bindTo(t, a); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(a.chosen, []byte{1, 0, 0, 0}) || a.step != 3 {
					t.Errorf("chosen %x in step %d", a.chosen, a.step)
				}
			})
		}
	}
}

// The tokens of another implementation, from the tests of the Kerberos library.
func TestTokensAreThoseOfOthers(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	g := &initiator{key: types.EncryptionKey{KeyType: 17, KeyValue: unhex("14f9bde6b50ec508201a97f74c4e5bd3")}}
	offer, err := g.unwrap(unhex("050401ff000c000000000000575e85d601010000853b728d5268525a1386c19f"))
	if err != nil || !bytes.Equal(offer, []byte{1, 1, 0, 0}) {
		t.Errorf("%x, %v", offer, err)
	}
	token, err := g.wrap([]byte{1, 1, 0, 0})
	if want := "050400ff000c000000000000000000000101000079a033510b6f127212242b97"; err != nil || hex.EncodeToString(token) != want {
		t.Errorf("%x, want %s, %v", token, want, err)
	}
}

func TestServerMayRotateItsToken(t *testing.T) {
	for _, count := range []int{1, 4, 12, 16, 17, 40, 65535} {
		a := newAcceptor(t, 18)
		a.answers = func(step int, answer []byte, code int) ([]byte, int) {
			if step == 2 {
				header, body := answer[:16], answer[16:]
				n := len(body) - count%len(body)
				answer = append(append(bytes.Clone(header), body[n:]...), body[:n]...)
				answer[6], answer[7] = byte(count>>8), byte(count)
			}
			return answer, code
		}
		if err := bindTo(t, a); err != nil {
			t.Errorf("rotated by %d: %v", count, err)
		}
	}
}

// in answers one step of the bind otherwise.
func in(step int, change func(answer []byte) ([]byte, int)) func(*acceptor) {
	return func(a *acceptor) {
		a.answers = func(now int, answer []byte, code int) ([]byte, int) {
			if now == step {
				return change(answer)
			}
			return answer, code
		}
	}
}

func TestServerThatIsNotTheOneIsRefused(t *testing.T) {
	const more = ldap.LDAPResultSaslBindInProgress
	krbError := func() []byte {
		e := messages.NewKRBError(types.NewPrincipalName(2, "ldap/127.0.0.1"), "LAB.EXAMPLE", errorcode.KRB_AP_ERR_SKEW, "")
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return frame(tokenError, b)
	}()
	for name, tc := range map[string]struct {
		change func(*acceptor)
		want   string
	}{
		"other session key":      {func(a *acceptor) { a.reply = func(*messages.EncAPRepPart) { a.session = secretKey(18, 9) } }, "does not open"},
		"answers another AP-REQ": {func(a *acceptor) { a.reply = func(p *messages.EncAPRepPart) { p.Cusec ^= 1 } }, "another AP-REQ"},
		"another second":         {func(a *acceptor) { a.reply = func(p *messages.EncAPRepPart) { p.CTime = p.CTime.Add(time.Second) } }, "another AP-REQ"},
		"clocks differ":          {in(1, func([]byte) ([]byte, int) { return krbError, more }), "KRB_AP_ERR_SKEW"},
		"its own AP-REQ":         {in(1, func(b []byte) ([]byte, int) { return bytes.Replace(b, tokenAPRep[:], tokenAPReq[:], 1), more }), "type 0100"},
		"no AP-REP":              {in(1, func([]byte) ([]byte, int) { return nil, more }), ""},
		"empty AP-REP":           {in(1, func([]byte) ([]byte, int) { return []byte{}, more }), "GSS-API"},
		"success without AP-REP": {in(1, func([]byte) ([]byte, int) { return nil, ldap.LDAPResultSuccess }), "GSS-API"},
		"SPNEGO": {in(1, func(b []byte) ([]byte, int) {
			return bytes.Replace(b, mechanism, bytes.Repeat([]byte{6, 0, 5}, 4)[:11], 1), more
		}), "another mechanism"},
		"bytes behind the AP-REP": {in(1, func(b []byte) ([]byte, int) { return append(b, 0), more }), "GSS-API"},
		"a token of 17 KiB":       {in(1, func([]byte) ([]byte, int) { return make([]byte, 17<<10), more }), "at most 16384"},
		"ends early":              {in(2, func([]byte) ([]byte, int) { return nil, ldap.LDAPResultSuccess }), "before the security layer"},
		"demands a layer":         {func(a *acceptor) { a.offer[0] = 6 }, "demands a security layer"},
		"short offer":             {func(a *acceptor) { a.offer = a.offer[:3] }, "3 bytes"},
		"empty offer":             {func(a *acceptor) { a.offer = []byte{} }, "0 bytes"},
		"its key without saying":  {in(2, func(b []byte) ([]byte, int) { b[2] &^= 4; return b, more }), "flags 0x1"},
		"sealed":                  {in(2, func(b []byte) ([]byte, int) { b[2] |= 2; return b, more }), "flags 0x7"},
		"a token of the client":   {in(2, func(b []byte) ([]byte, int) { b[2] &^= 1; return b, more }), "acceptor flag"},
		"RC4":                     {in(2, func([]byte) ([]byte, int) { return []byte("\x60\x2b\x06\x09" + strings.Repeat("x", 40)), more }), "as only AES has"},
		"offers twice":            {in(3, func([]byte) ([]byte, int) { return []byte{1, 2, 3}, more }), "out of turn"},
		"refuses":                 {in(3, func([]byte) ([]byte, int) { return nil, ldap.LDAPResultInvalidCredentials }), "Invalid Credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAcceptor(t, 18)
			tc.change(a)
			err := bindTo(t, a)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// established returns the client's end after the AP-REP, and what the server
// would send next.
func established(t *testing.T, etype int32) (*acceptor, *initiator, []byte) {
	t.Helper()
	a := newAcceptor(t, etype)
	g := a.client()
	request, more, err := g.InitSecContext("ldap/127.0.0.1", nil)
	if err != nil || !more {
		t.Fatal(err)
	}
	reply, _ := a.sasl(request)
	if _, more, err := g.InitSecContext("ldap/127.0.0.1", reply); err != nil || more {
		t.Fatal(err)
	}
	return a, g, a.wrap(a.offer)
}

func TestTokenThatWasChangedIsRefused(t *testing.T) {
	for _, etype := range etypes {
		_, g, token := established(t, etype)
		for i := range token {
			for bit := range 8 {
				changed := bytes.Clone(token)
				changed[i] ^= 1 << bit
				if n := len(token) - 16; i == 6 && int(changed[6])<<8%n == 0 || i == 7 && int(changed[7])%n == 0 {
					continue // rotated by nothing
				}
				if _, err := g.NegotiateSaslAuth(changed, ""); err == nil {
					t.Fatalf("type %d: bit %d of byte %d", etype, bit, i)
				}
			}
		}
		for n := range token {
			if _, err := g.NegotiateSaslAuth(token[:n], ""); err == nil {
				t.Fatalf("type %d: the first %d bytes", etype, n)
			}
		}
		if _, err := g.NegotiateSaslAuth(token, ""); err != nil {
			t.Error(err)
		}
	}
}

func TestReplyThatWasCutOffIsRefused(t *testing.T) {
	a := newAcceptor(t, 18)
	g := a.client()
	request, _, err := g.InitSecContext("ldap/127.0.0.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, _ := a.sasl(request)
	for n := range reply {
		if _, _, err := g.InitSecContext("ldap/127.0.0.1", reply[:n]); err == nil {
			t.Fatalf("the first %d bytes", n)
		}
	}
}

// The Kerberos library slices a ciphertext that is too short beyond its end.
func TestPanicOfTheLibraryIsAnError(t *testing.T) {
	for _, etype := range append([]int32{0, 23}, etypes...) {
		for n := range 64 {
			a := newAcceptor(t, 18)
			g := a.client()
			if _, _, err := g.InitSecContext("ldap/127.0.0.1", nil); err != nil {
				t.Fatal(err)
			}
			reply := a.answerWith(types.EncryptedData{EType: etype, Cipher: bytes.Repeat([]byte{7}, n)})
			if _, _, err := g.InitSecContext("ldap/127.0.0.1", reply); err == nil {
				t.Fatalf("type %d, %d bytes", etype, n)
			}
		}
	}
	var err error
	func() {
		defer recovered(&err)
		panic("the key is 0123")
	}()
	if !errors.Is(err, errMalformed) || strings.Contains(err.Error(), "0123") {
		t.Error(err)
	}
}

func TestStepsOutOfTurnAreRefused(t *testing.T) {
	g := newAcceptor(t, 18).client()
	if _, err := g.NegotiateSaslAuth(make([]byte, 64), ""); err == nil {
		t.Error("negotiated before the server has proved who it is")
	}
	_, g, token := established(t, 18)
	if _, _, err := g.InitSecContext("ldap/127.0.0.1", nil); err == nil {
		t.Error("established twice")
	}
	if _, err := g.NegotiateSaslAuth(token, "dn:CN=svc"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.NegotiateSaslAuth(token, ""); err == nil {
		t.Error("negotiated twice")
	}
	if err := g.DeleteSecContext(); err != nil || !bytes.Equal(g.key.KeyValue, make([]byte, 32)) || !bytes.Equal(g.session.KeyValue, make([]byte, 32)) {
		t.Error("the keys are still there", err)
	}
}

func FuzzTokensOfTheServer(f *testing.F) {
	a := newAcceptor(f, 18)
	request, _, err := a.client().InitSecContext("ldap/127.0.0.1", nil)
	if err != nil {
		f.Fatal(err)
	}
	reply, _ := a.sasl(request)
	f.Add(reply, a.wrap(a.offer))
	f.Add([]byte{}, []byte{})
	f.Add(frame(tokenError, []byte{0x7e, 0}), bytes.Repeat([]byte{5, 4}, 16))
	f.Fuzz(func(t *testing.T, reply, offer []byte) {
		a := newAcceptor(t, 18)
		g := a.client()
		if _, _, err := g.InitSecContext("ldap/127.0.0.1", nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := g.InitSecContext("ldap/127.0.0.1", reply); err == nil {
			t.Fatal("a reply to another request is taken")
		}
		g.stage, g.key, g.subkey = stageEstablished, a.subkey, true
		_, _ = g.NegotiateSaslAuth(offer, "")
	})
}
