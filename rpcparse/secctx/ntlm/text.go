package ntlm

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeName decodes a name field as servers do: it ends at the first NUL (Samba
// handles names as C strings), and an odd last byte is no character. Lone
// surrogates and, because nothing declares the code page, OEM bytes outside ASCII
// become U+FFFD; whole is false then. A name is read to its end, as long as a field
// can be, because servers find an account also under a name with any number of
// spaces before and behind it. The result may hold any other character,
// control characters included: escape it at every sink.
func decodeName(b []byte, unicode bool) (text string, whole bool) {
	if unicode {
		text, whole = decodeUTF16(b)
	} else {
		text, whole = decodeOEM(b)
	}
	text, _, _ = strings.Cut(text, "\x00")
	return text, whole
}

func decodeOEM(b []byte) (text string, whole bool) {
	var sb strings.Builder
	whole = true
	for _, c := range b {
		if c >= utf8.RuneSelf {
			sb.WriteRune(utf8.RuneError)
			whole = false
			continue
		}
		sb.WriteByte(c)
	}
	return sb.String(), whole
}

// DecodeUTF16 decodes UTF-16LE; lone surrogates become U+FFFD and an odd last
// byte is dropped.
func DecodeUTF16(b []byte) string {
	text, _ := decodeUTF16(b)
	return text
}

// decodeUTF16 is DecodeUTF16; whole is false where there are lone surrogates.
func decodeUTF16(b []byte) (text string, whole bool) {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	runes := utf16.Decode(units)
	made := 0
	for _, r := range runes {
		if r == utf8.RuneError {
			made++
		}
	}
	for _, u := range units {
		if u == utf8.RuneError {
			made-- // the client has sent it
		}
	}
	return string(runes), made == 0
}

// AppendUTF16 appends s as UTF-16LE.
func AppendUTF16(dst []byte, s string) []byte {
	for _, u := range utf16.Encode([]rune(s)) {
		dst = binary.LittleEndian.AppendUint16(dst, u)
	}
	return dst
}

// encodeName appends s as flags demand. OEM text other than ASCII becomes '?'.
func encodeName(s string, flags Flags) []byte {
	if flags.Has(FlagUnicode) {
		return AppendUTF16(nil, s)
	}
	var b []byte
	for _, r := range s {
		if r >= utf8.RuneSelf {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return b
}
