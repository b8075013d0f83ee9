package rpcparse

import (
	"errors"
	"testing"
)

func TestHeaderFields(t *testing.T) {
	for _, tc := range []struct {
		name, hex string
		want      Header
	}{
		{"little-endian", "05000483 10000000 9600 2000 78563412",
			Header{Version: 5, Type: 4, Flags: 0x83, Drep: DrepLittleEndian, FragLength: 0x96, AuthLength: 32, CallID: 0x12345678}},
		{"big-endian", "05010083 01010000 0096 0020 12345678",
			Header{Version: 5, MinorVersion: 1, Flags: 0x83, Drep: Drep{1, 1, 0, 0}, FragLength: 0x96, AuthLength: 32, CallID: 0x12345678}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := unhex(t, tc.hex)
			b[2] = byte(PTypeRequest)
			tc.want.Type = PTypeRequest
			h, err := ParseHeader(b)
			if err != nil || h != tc.want {
				t.Errorf("%+v, %v, expected %+v", h, err, tc.want)
			}
			if again := AppendHeader(nil, h); string(again) != string(b) {
				t.Errorf("written as %x", again)
			}
		})
	}
}

func TestHeaderErrorsAreNamedAndKnownAtTheirByte(t *testing.T) {
	good := "05000003100000001800000001000000"
	for _, tc := range []struct {
		name   string
		at     int
		value  string
		known  int // the error is known once so many bytes are there
		offset int
	}{
		{"rpc_vers", 0, "04", 1, 0},
		{"rpc_vers", 0, "16", 1, 0}, // a TLS record
		{"rpc_vers", 0, "47", 1, 0}, // GET
		{"rpc_vers_minor", 1, "02", 2, 1},
		{"ptype", 2, "01", 3, 2},
		{"ptype", 2, "04", 3, 2},
		{"ptype", 2, "0a", 3, 2},
		{"ptype", 2, "15", 3, 2},
		{"ptype", 2, "ff", 3, 2},
		{"drep", 4, "20", 5, 4},
		{"drep", 4, "f0", 5, 4},
		{"frag_length", 8, "0000", 16, 8},
		{"frag_length", 8, "0f00", 16, 8},
		{"auth_length", 10, "0100", 16, 10},
		{"auth_length", 10, "ffff", 16, 10},
	} {
		b := unhex(t, good)
		copy(b[tc.at:], unhex(t, tc.value))
		for n := range len(b) + 1 {
			want := ClassShort
			if n >= tc.known {
				want = ClassInvalid
			}
			_, err := ParseHeader(b[:n])
			if ClassOf(err) != want || want == ClassInvalid && !errors.Is(err, &Error{Name: tc.name}) {
				t.Errorf("%s=%s, %d bytes: %v", tc.name, tc.value, n, err)
			}
			var e *Error
			if want == ClassInvalid && errors.As(err, &e) && e.Offset != tc.offset {
				t.Errorf("%s=%s: offset %d", tc.name, tc.value, e.Offset)
			}
		}
	}
}

func TestAuthLengthMustLeaveTheFixedPartAlone(t *testing.T) {
	for _, tc := range []struct {
		p     PType
		flags Flags
		fixed int
	}{
		{PTypeRequest, 0, 24}, {PTypeRequest, FlagObjectUUID, 40}, {PTypeResponse, FlagObjectUUID, 24},
		{PTypeFault, 0, 32}, {PTypeBind, 0, 25}, {PTypeBindAck, 0, 26}, {PTypeBindNak, 0, 19},
		{PTypeAlterContext, 0, 25}, {PTypeAlterContextResp, 0, 26}, {PTypeAuth3, 0, 20},
		{PTypeShutdown, 0, 16}, {PTypeCoCancel, 0, 16}, {PTypeOrphaned, 0, 16}, {PTypeRTS, 0, 20},
	} {
		least := tc.fixed + VerifierSize + 16
		for length, want := range map[int]Class{least: 0, least - 1: ClassInvalid, 16: ClassInvalid} {
			b := AppendHeader(nil, Header{Type: tc.p, Flags: tc.flags, Drep: DrepLittleEndian, FragLength: uint16(length), AuthLength: 16})
			if _, err := ParseHeader(b); ClassOf(err) != want {
				t.Errorf("%v flags %v, %d bytes: %v", tc.p, tc.flags, length, err)
			}
		}
	}
}

func TestZeroVersionIsWrittenAsFivePointZero(t *testing.T) {
	if b := AppendHeader(nil, Header{MinorVersion: 1}); b[0] != 5 || b[1] != 0 {
		t.Errorf("version %d.%d", b[0], b[1])
	}
	if b := AppendHeader(nil, Header{Version: 5, MinorVersion: 1}); b[0] != 5 || b[1] != 1 {
		t.Errorf("version %d.%d", b[0], b[1])
	}
}
