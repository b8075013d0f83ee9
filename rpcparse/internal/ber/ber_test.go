package ber

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func TestElementsAreReadInEveryForm(t *testing.T) {
	for _, tc := range []struct {
		name, in, content, rest string
		tag                     byte
	}{
		{"short length", "\x30\x02ab", "ab", "", 0x30},
		{"one octet of length", "\x30\x81\x02ab", "ab", "", 0x30},
		{"three octets of length", "\x30\x83\x00\x00\x02ab", "ab", "", 0x30},
		{"four octets of length", "\x30\x84\x00\x00\x00\x02ab", "ab", "", 0x30},
		{"nine octets of length", "\x30\x89\x00\x00\x00\x00\x00\x00\x00\x00\x02ab", "ab", "", 0x30},
		{"bytes behind", "\x30\x02abcd", "ab", "cd", 0x30},
		{"a small number in the long form", "\x7f\x0e\x02ab", "ab", "", 0x6e},
		{"a small number in a longer form", "\x7f\x80\x0e\x02ab", "ab", "", 0x6e},
		{"a large number", "\x7f\x81\x0e\x02ab", "ab", "", TagOther},
		{"no content", "\x05\x00", "", "", 0x05},
		{"indefinite length", "\x30\x80\x04\x01a\x00\x00cd", "\x04\x01a", "cd", 0x30},
		{"nested indefinite lengths", "\x30\x80\x30\x80\x05\x00\x00\x00\x00\x00", "\x30\x80\x05\x00\x00\x00", "", 0x30},
	} {
		e, rest, err := Next([]byte(tc.in))
		if err != nil || e.Tag != tc.tag || string(e.Content) != tc.content || string(rest) != tc.rest {
			t.Errorf("%s: %+v %q %v", tc.name, e, rest, err)
		}
	}
}

func TestBrokenElementsAreErrors(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		class    wire.Class
	}{
		{"empty", "", wire.ClassShort},
		{"a tag alone", "\x30", wire.ClassShort},
		{"a long tag alone", "\x7f\x8e", wire.ClassShort},
		{"a tag of large numbers", "\x7f" + string(bytes.Repeat([]byte{0xff}, 100)), wire.ClassShort},
		{"a length that is cut off", "\x30\x84\x00\x00", wire.ClassShort},
		{"a content that is cut off", "\x30\x05abcd", wire.ClassShort},
		{"an indefinite length of a string", "\x04\x80\x00\x00", wire.ClassInvalid},
		{"an indefinite length without an end", "\x30\x80\x05\x00", wire.ClassShort},
		{"indefinite lengths that nest deep", string(bytes.Repeat([]byte{0x30, 0x80}, maxDepth+1)), wire.ClassLimit},
		{"a length that turns over", "\x30\x89\x01\x00\x00\x00\x00\x00\x00\x00\x02ab", wire.ClassInvalid},
	} {
		if _, _, err := Next([]byte(tc.in)); !errors.Is(err, &wire.Error{Class: tc.class}) {
			t.Errorf("%s: %v, want class %v", tc.name, err, tc.class)
		}
	}
}

func TestInsideDescends(t *testing.T) {
	in := []byte("\xa0\x04\x30\x02ab")
	if b, err := Inside(in, 0xa0, 0x30); err != nil || string(b) != "ab" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := Inside(in, 0xa0, 0x31); !errors.Is(err, &wire.Error{Class: wire.ClassInvalid}) {
		t.Errorf("another tag: %v", err)
	}
	if _, err := Inside(in[:5], 0xa0); err == nil {
		t.Error("cut off and no error")
	}
}

// Every element takes bytes off, and nothing outside the input is returned.
func TestElementsAddUpToTheInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.SampledFrom([]byte{0, 1, 2, 3, 0x1f, 0x30, 0x7f, 0x80, 0x81, 0x84, 0xa0, 0xff})).Draw(t, "bytes")
		for len(b) > 0 {
			e, rest, err := Next(b)
			if err != nil {
				return
			}
			if len(e.Content)+len(rest) > len(b)-2 {
				t.Fatalf("%d bytes of content and %d behind it in %d", len(e.Content), len(rest), len(b))
			}
			b = rest
		}
	})
}
