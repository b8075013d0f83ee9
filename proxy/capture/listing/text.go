package listing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Text comes from the network. It prints itself quoted, and in JSON every
// character that a terminal may act upon, or that cannot be seen, is escaped.
type Text string

// String returns the text quoted, in ASCII.
func (t Text) String() string { return strconv.QuoteToASCII(string(t)) }

// MarshalJSON implements json.Marshaler.
func (t Text) MarshalJSON() ([]byte, error) {
	quoted, err := json.Marshal(string(t))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for len(quoted) > 0 {
		r, n := utf8.DecodeRune(quoted)
		switch {
		case unicode.IsPrint(r):
			b.Write(quoted[:n])
		case r > 0xffff:
			high, low := surrogates(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		quoted = quoted[n:]
	}
	return b.Bytes(), nil
}

// surrogates returns the UTF-16 code units of r.
func surrogates(r rune) (high, low rune) {
	r -= 0x10000
	return 0xd800 + r>>10, 0xdc00 + r&0x3ff
}
