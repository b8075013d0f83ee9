package ntlm

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// maxName bounds a name on the wire, in bytes. Account names have at most 256
// characters and DNS domain names 255; user principal names of more than 512
// characters exist in theory only.
const maxName = 1024

// decodeName decodes a name field. Lone surrogates and, because nothing
// declares the code page, OEM bytes outside ASCII become U+FFFD, so that such
// a name equals no real account. The result may hold any other character,
// control characters included: escape it at every sink.
func decodeName(b []byte, unicode bool, name string, at int) (string, error) {
	if len(b) > maxName {
		return "", wire.Errorf(wire.ClassLimit, name, at, "%d bytes, at most %d", len(b), maxName)
	}
	if !unicode {
		return decodeOEM(b), nil
	}
	if len(b)%2 != 0 {
		return "", wire.Errorf(wire.ClassInvalid, name, at, "%d bytes of UTF-16", len(b))
	}
	return DecodeUTF16(b), nil
}

func decodeOEM(b []byte) string {
	var sb strings.Builder
	for _, c := range b {
		if c >= utf8.RuneSelf {
			sb.WriteRune(utf8.RuneError)
			continue
		}
		sb.WriteByte(c)
	}
	return sb.String()
}

// DecodeUTF16 decodes UTF-16LE; lone surrogates become U+FFFD and an odd last
// byte is dropped.
func DecodeUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
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
