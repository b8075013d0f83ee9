package rpcparse

import (
	"fmt"
	"testing"
)

func TestNames(t *testing.T) {
	for want, v := range map[string]fmt.Stringer{
		"request":            PTypeRequest,
		"response":           PTypeResponse,
		"fault":              PTypeFault,
		"bind":               PTypeBind,
		"bind_ack":           PTypeBindAck,
		"bind_nak":           PTypeBindNak,
		"alter_context":      PTypeAlterContext,
		"alter_context_resp": PTypeAlterContextResp,
		"auth3":              PTypeAuth3,
		"shutdown":           PTypeShutdown,
		"co_cancel":          PTypeCoCancel,
		"orphaned":           PTypeOrphaned,
		"rts":                PTypeRTS,
		"ptype(7)":           PType(7),
		"ptype(200)":         PType(200),
		"0x83":               FlagsWhole | FlagObjectUUID,
		"spnego":             AuthSPNEGO,
		"ntlm":               AuthNTLM,
		"tls":                AuthTLS,
		"kerberos":           AuthKerberos,
		"netlogon":           AuthNetlogon,
		"auth_type(3)":       AuthType(3),
		"connect":            LevelConnect,
		"call":               LevelCall,
		"packet":             LevelPacket,
		"integrity":          LevelIntegrity,
		"privacy":            LevelPrivacy,
		"auth_level(7)":      AuthLevel(7),
		"c":                  ClientToServer,
		"s":                  ServerToClient,
		"ndr":                TransferNDR,
		"ndr64":              TransferNDR64,
		"other":              TransferOther,
		"transfer(9)":        TransferSyntax(9),
	} {
		if got := v.String(); got != want {
			t.Errorf("%#v is named %q, expected %q", v, got, want)
		}
	}
	if AuthNone.String() != "none" || LevelNone.String() != "none" || TransferNone.String() != "none" ||
		AuthDefault.String() != "default" || LevelDefault.String() != "default" {
		t.Error("the zeros and defaults are named otherwise")
	}
}

func TestStatusNamesAreDistinct(t *testing.T) {
	seen := map[string]uint32{}
	for _, s := range []uint32{
		StatusAccessDenied, StatusServerUnavailable, StatusNoCallActive, StatusBadStubData, StatusSecPkgError,
		StatusOpRangeError, StatusUnknownIf, StatusProtoError, StatusServerTooBusy, StatusManagerNotEntered,
		StatusUnspecified, StatusContextMismatch, StatusRemoteNoMemory, StatusUnsupportedAuthnLevel, 0x80040111,
	} {
		if other, ok := seen[StatusName(s)]; ok {
			t.Errorf("%#x and %#x are both %q", s, other, StatusName(s))
		}
		seen[StatusName(s)] = s
		if !FaultStatusAllowed(s) {
			t.Errorf("%s is forbidden in faults", StatusName(s))
		}
	}
	if StatusName(0x80040111) != "0x80040111" {
		t.Error("a status without a name is not shown in hex")
	}
}

func TestFaultStatusesThatWindowsKeepsForItselfAreForbidden(t *testing.T) {
	for _, s := range []uint32{0, 0x80000001, 0x80000003, 0xC0000005, 0xC000001D, 0xC00000FD, 0xC0000194, 0xC0000235, 0xC0000409, 0xC0000420} {
		if FaultStatusAllowed(s) {
			t.Errorf("%#x is allowed", s)
		}
	}
}

func TestBindNakReasonsHaveNames(t *testing.T) {
	for reason, want := range map[uint16]string{
		0: "not_specified", 1: "temporary_congestion", 2: "local_limit_exceeded", 3: "reason(3)",
		4: "protocol_version_not_supported", 8: "authentication_type_not_recognized", 9: "invalid_checksum",
	} {
		if got := NakReasonName(reason); got != want {
			t.Errorf("%d is %q, expected %q", reason, got, want)
		}
	}
}

func TestHandshakePDUsAreThoseThatCarryLegs(t *testing.T) {
	for p := range PType(numPTypes) {
		want := p == PTypeBind || p == PTypeBindAck || p == PTypeAlterContext || p == PTypeAlterContextResp || p == PTypeAuth3
		if p.Handshake() != want {
			t.Errorf("%v: %v", p, p.Handshake())
		}
	}
}

func TestDirectionOther(t *testing.T) {
	if ClientToServer.Other() != ServerToClient || ServerToClient.Other() != ClientToServer {
		t.Error("the other of two directions")
	}
}

func TestPadTo(t *testing.T) {
	for _, tc := range []struct {
		n, align int
		want     uint8
	}{{0, 16, 0}, {1, 16, 15}, {28, 16, 4}, {44, 16, 4}, {48, 16, 0}, {24, 4, 0}, {25, 4, 3}, {5, 1, 0}, {5, 0, 0}, {-3, 16, 0}} {
		if got := PadTo(tc.n, tc.align); got != tc.want {
			t.Errorf("PadTo(%d, %d) = %d, expected %d", tc.n, tc.align, got, tc.want)
		}
	}
}
