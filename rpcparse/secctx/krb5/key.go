package krb5

import (
	"fmt"
)

// Key is a Kerberos key: the long-term key of an account, a session key or a
// subkey. It prints its encryption type and never its value, however it is
// printed; a struct that keeps one in an unexported field keeps a pointer,
// because package fmt reads the fields of such a struct without asking Key.
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
