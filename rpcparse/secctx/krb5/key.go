package krb5

import (
	"fmt"
)

// Key is a Kerberos key: the long-term key of an account, a session key or a
// subkey. It prints its encryption type and never its value, however it is
// printed. Package fmt does not ask Key when it is in an unexported field of
// another struct: there, keep it sealed.
type Key struct {
	Etype int32
	Value []byte
}

// String names the encryption type only.
func (k Key) String() string {
	return fmt.Sprintf("key(etype %d)", k.Etype)
}

// GoString is what %#v prints.
func (k Key) GoString() string {
	return k.String()
}

// Format prints the same whatever the verb.
func (k Key) Format(s fmt.State, _ rune) {
	_, _ = s.Write([]byte(k.String()))
}

// MarshalJSON gives the printed form as a JSON string.
func (k Key) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%q", k.String()), nil
}

// MarshalText gives the printed form to every other encoder.
func (k Key) MarshalText() ([]byte, error) {
	return []byte(k.String()), nil
}

// sealed is a key where package fmt cannot find it: it prints the fields of a
// struct without asking their methods, with some verbs follows pointers, but of
// a function it prints the address. nil is no key.
type sealed func() Key

// seal hides k, whose bytes it does not copy.
func seal(k Key) sealed {
	return func() Key { return k }
}

// wipe overwrites the bytes of the key.
func (s sealed) wipe() {
	if s != nil {
		clear(s().Value)
	}
}
