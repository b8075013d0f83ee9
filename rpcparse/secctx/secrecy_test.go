package secctx_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// shows tells whether text holds eight bytes or more of key in a form in which
// package fmt prints bytes.
func shows(text string, key []byte) bool {
	for n := range len(key) - 7 {
		part := key[n : n+8]
		decimals := strings.Trim(fmt.Sprintf("%d", part), "[]")
		for _, form := range []string{
			string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)), fmt.Sprintf("% x", part),
			decimals, strings.ReplaceAll(decimals, " ", ","), strings.Trim(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte"), "{}"),
			strings.Trim(fmt.Sprintf("%q", part), `"`),
		} {
			if strings.Contains(text, form) {
				return true
			}
		}
	}
	return false
}

// secrets are what nobody may read, and what knows them.
func secrets(t *testing.T) (all [][]byte, holders []any) {
	i, s := ntlmEnds()
	m := exchange(t, i, s)
	hash, session := ntlm.NTHash(password), i.Key()
	stream, err := ntlm.NewStream(session, ntlm.FlagExtendedSessionSecurity|ntlm.Flag128, ntlm.FromClient)
	must(t, 0, err)
	k := newKDC(18)
	found := k.keys(t)
	found.password = password
	ntlmHandshake, krbHandshake := m.follow(found), k.follow(t, secctx.NewHandshake(found))
	halfway := secctx.NewHandshake(found)
	halfway.FromClient(k.request(t))
	halfway.FromServer(k.answer(t)) // its keys are not wiped yet
	for _, h := range []*secctx.Handshake{ntlmHandshake, krbHandshake, halfway} {
		holders = append(holders, h, *h, h.Context(), *h.Context(), h.Outcome())
	}
	aes, err := krb5.NewStream(krb5.Key{Etype: 18, Value: k.subkey.KeyValue}, krb5.Initiator, true, 1)
	must(t, 0, err)
	holders = append(holders, stream, aes)
	for n := range holders {
		holders = append(holders, struct{ V any }{holders[n]}, []any{holders[n]})
	}
	return [][]byte{hash[:], session[:], k.service.KeyValue, k.session.KeyValue, k.subkey.KeyValue}, holders
}

func TestKeysAreNotPrinted(t *testing.T) {
	all, holders := secrets(t)
	for _, v := range holders {
		text := fmt.Sprintf("%v %+v %#v %s %q %x %X %d", v, v, v, v, v, v, v, v)
		if b, err := json.Marshal(v); err == nil {
			text += string(b)
		}
		for n, secret := range all {
			if shows(text, secret) {
				t.Errorf("%T shows secret %d", v, n)
			}
		}
	}
}

func TestStreamsPrintTheirNumberOnly(t *testing.T) {
	p := ntlmPeers(t, false)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if text := fmt.Sprintf(verb, p.client.send); text != "NTLM stream at 0" {
			t.Errorf("%s: %s", verb, text)
		}
	}
	if text := fmt.Sprint((*ntlm.Stream)(nil)); text != "<nil>" {
		t.Error(text)
	}
}

func TestTheSearchForKeysFindsThem(t *testing.T) {
	key := bytes.Repeat([]byte("\x01\xfeab"), 4)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "% x"} {
		if text := fmt.Sprintf(verb, key); !shows(text, key) {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

// TestErrorsHoldNoKeys follows handshakes that go wrong at every byte, and
// opens PDUs that do.
func TestErrorsHoldNoKeys(t *testing.T) {
	all, _ := secrets(t)
	i, s := ntlmEnds()
	m := exchange(t, i, s)
	k := newKDC(18)
	found := k.keys(t)
	found.password = password
	session := i.Key()
	all = append(all, session[:])
	var errs []error
	note := func(h *secctx.Handshake) {
		o := h.Outcome()
		errs = append(errs, errors.New(o.Detail), fmt.Errorf("%v %+v", o, o))
	}
	for n := range m.authenticate {
		altered := m
		altered.authenticate = bytes.Clone(m.authenticate)
		altered.authenticate[n] ^= 0x11
		note(altered.follow(found))
	}
	request, answer := k.request(t), k.answer(t)
	for n := 0; n < len(request); n += 3 {
		altered := bytes.Clone(request)
		altered[n] ^= 0x11
		h := secctx.NewHandshake(found)
		h.FromClient(altered)
		note(h)
	}
	for n := range answer {
		altered := bytes.Clone(answer)
		altered[n] ^= 0x11
		h := secctx.NewHandshake(found)
		h.FromClient(request)
		h.FromServer(altered)
		note(h)
	}
	for _, p := range []*peers{ntlmPeers(t, false), krb5Peers(t, 18), krb5Peers(t, 23)} {
		pdu, l := pduOf(t, p.context, rpcparse.ClientToServer, []byte("stub"), true)
		errs = append(errs, p.context.Open(rpcparse.ClientToServer, pdu, l))
	}
	for _, err := range errs {
		for n, secret := range all {
			if text := fmt.Sprintf("%v %+v", err, err); shows(text, secret) {
				t.Errorf("%s: secret %d", text, n)
			}
		}
	}
}
