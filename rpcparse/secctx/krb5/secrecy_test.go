package krb5

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// leak tells in which form text shows four bytes or more of key; it is empty
// when it shows none.
func leak(text string, key []byte) string {
	lower := strings.ToLower(text)
	for _, f := range formsOf(string(key)) {
		if strings.Contains(text, f.text) || strings.Contains(lower, f.text) {
			return f.name
		}
	}
	return ""
}

// keyForm is how a piece of a key may show up in a text.
type keyForm struct{ name, text string }

// keyForms has the forms of each key, which are looked for in many texts.
var keyForms sync.Map

func formsOf(key string) []keyForm {
	if known, ok := keyForms.Load(key); ok {
		return known.([]keyForm)
	}
	all := []keyForm{{"base64", base64.StdEncoding.EncodeToString([]byte(key))[:8]}}
	for i := range len(key) - 3 {
		part := []byte(key[i : i+4])
		spaced, decimals := fmt.Sprintf("% x", part), strings.Trim(fmt.Sprintf("%d", part), "[]")
		all = append(all,
			keyForm{"bytes", string(part)},
			keyForm{"hex", hex.EncodeToString(part)},
			keyForm{"spaced hex", spaced},
			keyForm{"Go syntax", strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", part), "[]byte{"), "}")},
			keyForm{"decimals", decimals},
			keyForm{"JSON decimals", strings.ReplaceAll(decimals, " ", ",")},
			keyForm{"a quoted string", strings.Trim(fmt.Sprintf("%q", part), `"`)},
			keyForm{"escapes", strings.ToLower(`\x` + strings.ReplaceAll(spaced, " ", `\x`))},
		)
	}
	keyForms.Store(key, all)
	return all
}

// holders are all values of this package that hold keys, and what outsiders
// may wrap them in.
func holders(t testing.TB) (values map[string]any, keys []Key) {
	k := newKDC(t, 18)
	kt := Join(k.keys(t), keysOf(t, entry("alice@LAB.TEST", 1, secret(23, 0xa4))))
	in, o := OpenAPReq(k.request(t), kt.Service(""))
	if in == nil {
		t.Fatal(o)
	}
	e, err := in.OpenAPRep(k.answer(t))
	if err != nil {
		t.Fatal(err)
	}
	values = map[string]any{
		"Key":                  k.service,
		"*Key":                 &k.service,
		"[]Key":                []Key{k.service, k.session},
		"map of keys":          map[string]Key{"k": k.service},
		"Keytab":               kt,
		"Keytab by value":      *kt,
		"Entry":                kt.Entries()[0],
		"[]Entry":              kt.Entries(),
		"Initiated":            in,
		"Initiated by value":   *in,
		"Established":          e,
		"Established by value": *e,
		"SessionKeys":          e.Keys(),
		"*SessionKeys":         ptr(e.Keys()),
		"Outcome":              o,
		"PAC":                  in.PAC,
		"hidden in a struct": struct {
			kt *Keytab
			in *Initiated
			e  Established
			v  Initiated
			t  Keytab
			en []Entry
		}{kt, in, *e, *in, *kt, kt.Entries()},
		"Stream":             usedStream(t, *k.server),
		"stream in a struct": struct{ s *Stream }{usedStream(t, *k.server)},
		"shown in a struct": struct {
			KT *Keytab
			K  Key
			S  SessionKeys
			E  *Established
		}{kt, k.service, e.Keys(), e},
	}
	return values, []Key{k.service, k.session, *k.client, *k.server, secret(23, 0xa4)}
}

// usedStream is a stream that has set up its ciphers.
func usedStream(t testing.TB, key Key) *Stream {
	s, err := NewStream(key, Acceptor, true, 1)
	must(t, 0, err)
	must(t, 0, s.MIC(nil, make([]byte, s.TokenSize(false))))
	return s
}

func ptr[T any](v T) *T { return &v }

// printed is a value in every form in which logs, errors and dumps print.
func printed(v any) map[string]string {
	forms := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%o", "%b", "% x", "%t"} {
		forms[verb] = fmt.Sprintf(verb, v)
	}
	forms["error"] = fmt.Errorf("failed: %v: %w", v, fmt.Errorf("%+v", v)).Error()
	forms["Sprint"] = fmt.Sprint(v)
	if b, err := json.Marshal(v); err == nil {
		forms["JSON"] = string(b)
	} else {
		forms["JSON"] = err.Error()
	}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("value", "value", v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("value", "value", v)
	forms["slog"] = b.String()
	return forms
}

func TestKeysAreNeverPrinted(t *testing.T) {
	values, keys := holders(t)
	for name, v := range values {
		for form, text := range printed(v) {
			for _, k := range keys {
				if hit := leak(text, k.Value); hit != "" {
					t.Errorf("%s printed with %s shows a key of type %d as %s", name, form, k.Etype, hit)
				}
			}
		}
	}
}

func TestTheSearchForKeysFindsThem(t *testing.T) {
	type plain struct {
		Etype int32
		Value []byte
	}
	k := plain{18, secret(18, 0x01).Value}
	for form, text := range printed(k) {
		if leak(text, k.Value) == "" && !slices.Contains([]string{"%c", "%U", "%o", "%b", "%t", "%q"}, form) {
			t.Errorf("%s: %.80s", form, text)
		}
	}
}

func TestErrorsShowNoKeys(t *testing.T) {
	k := newKDC(t, 18)
	_, keys := holders(t)
	var errs []error
	collect := func(o Outcome, err error) {
		errs = append(errs, o.Err, err, fmt.Errorf("%s %+v", o, o))
	}
	wrong := keysOf(t, entry("DC1$@LAB.TEST", 5, secret(18, 0xc1)))
	_, o := OpenAPReq(k.request(t), wrong.Service(""))
	collect(o, nil)
	for _, edit := range []func(*kdc){
		func(k *kdc) {
			k.authenticator = func(a *types.Authenticator) { a.SubKey.KeyValue = a.SubKey.KeyValue[:20] }
		},
		func(k *kdc) { k.authenticator = func(a *types.Authenticator) { a.SubKey.KeyType = 77 } },
		func(k *kdc) {
			k.ticket = func(p *messages.EncTicketPart) { p.Key.KeyValue = append(p.Key.KeyValue, 1) }
		},
		func(k *kdc) { k.ticket = func(p *messages.EncTicketPart) { p.Key.KeyType = 3 } },
		func(k *kdc) { k.data = ifRelevant(t, pacElement(k.service.Value)) },
	} {
		k := newKDC(t, 18)
		edit(k)
		in, o := OpenAPReq(k.request(t), k.keys(t).Service(""))
		collect(o, nil)
		if in != nil {
			errs = append(errs, in.PACErr)
		}
	}
	in := opened(t, k)
	k.reply = func(p *messages.EncAPRepPart) { p.Subkey.KeyValue = p.Subkey.KeyValue[:8] }
	_, err := in.OpenAPRep(k.answer(t))
	collect(Outcome{}, err)
	file := keytabFile(t, entry("DC1$@LAB.TEST", 5, k.service))
	for n := range file {
		_, err := ParseKeytab(file[:n])
		errs = append(errs, err)
		for _, change := range []byte{1, 2, 4, 16, 32, 0x80, 0xff} { // a name may run into the key
			broken := slices.Clone(file)
			broken[n] += change
			kt, err := ParseKeytab(broken)
			errs = append(errs, err, fmt.Errorf("%v", kt.Entries()))
		}
	}
	for _, err := range errs {
		for _, key := range append(keys, secret(18, 0xc1)) {
			if hit := leak(fmt.Sprintf("%v %+v %#v", err, err, err), key.Value); hit != "" {
				t.Errorf("%v shows a key as %s", err, hit)
			}
		}
	}
}

// TestPanicsShowNoKeys lets this test program die of a panic with a value that
// holds keys, once for each, and reads its last words.
func TestPanicsShowNoKeys(t *testing.T) {
	const variable = "KRB5_TEST_PANIC"
	values, keys := holders(t)
	if name := os.Getenv(variable); name != "" {
		panic(values[name])
	}
	for name := range values {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPanicsShowNoKeys$")
		cmd.Env = append(os.Environ(), variable+"="+name, "GOTRACEBACK=all")
		out, err := cmd.CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("panic")) {
			t.Fatalf("%s: %v, %s", name, err, out)
		}
		for _, k := range keys {
			if hit := leak(string(out), k.Value); hit != "" {
				t.Errorf("%s: the dump shows a key as %s", name, hit)
			}
		}
	}
}
