package rpcparse

import "fmt"

// bindNakFixedSize is where the versions of a bind_nak start.
const bindNakFixedSize = 19

// Why a server refuses a bind (C706 12.6.3.1, p_reject_reason_t; MS-RPCE
// 2.2.2.5).
const (
	NakNotSpecified                = 0 // also Samba's answer to an unknown association
	NakTemporaryCongestion         = 1 // treated as NakLocalLimitExceeded
	NakLocalLimitExceeded          = 2 // RPC_S_SERVER_TOO_BUSY
	NakProtocolVersionNotSupported = 4
	NakAuthTypeNotRecognized       = 8
	NakInvalidChecksum             = 9 // the security package failed
)

// NakReasonName returns a reason's name for logs and tables.
func NakReasonName(reason uint16) string {
	switch reason {
	case NakNotSpecified:
		return "not_specified"
	case NakTemporaryCongestion:
		return "temporary_congestion"
	case NakLocalLimitExceeded:
		return "local_limit_exceeded"
	case NakProtocolVersionNotSupported:
		return "protocol_version_not_supported"
	case NakAuthTypeNotRecognized:
		return "authentication_type_not_recognized"
	case NakInvalidChecksum:
		return "invalid_checksum"
	}
	return fmt.Sprintf("reason(%d)", reason)
}

// BindNak refuses a bind (C706 12.6.4.5, MS-RPCE 2.2.2.9).
type BindNak struct {
	Header
	Reason      uint16 // 16
	Versions    []byte // 19: (major, minor) pairs that the server speaks; their count is at 18
	Rest        []byte // padding to 4, then perhaps a signature UUID and extended error information
	Verifier    Verifier
	HasVerifier bool
}

// ParseBindNak reads exactly one bind_nak. It does not allocate.
func ParseBindNak(pdu []byte) (x BindNak, err error) {
	if err := x.parse(pdu); err != nil {
		return BindNak{}, err
	}
	return x, nil
}

func (x *BindNak) parse(pdu []byte) error {
	if err := x.Header.parse(pdu); err != nil {
		return err
	}
	return x.parseBody(pdu)
}

// parseBody reads the PDU behind its header, which x already has.
func (x *BindNak) parseBody(pdu []byte) error {
	if err := x.check(pdu, PTypeBindNak); err != nil {
		return err
	}
	n := 2 * int(pdu[18])
	versionsEnd := bindNakFixedSize + n
	if bodyEnd := len(pdu) - trailerSize(x.AuthLength); versionsEnd > bodyEnd {
		return Errorf(ClassInvalid, "n_protocols", 18, "%d need %d bytes, %d left", n/2, n, bodyEnd-bindNakFixedSize)
	}
	o := orderOf(pdu[4])
	end, err := x.Verifier.split(pdu, x.AuthLength, o, versionsEnd)
	if err != nil {
		return err
	}
	x.HasVerifier = x.AuthLength > 0
	x.Reason = o.Uint16(pdu[16:])
	x.Versions = pdu[bindNakFixedSize:versionsEnd:versionsEnd]
	x.Rest = pdu[versionsEnd:end:end]
	return nil
}

// Len returns the number of bytes that AppendBindNak writes.
func (x BindNak) Len() int {
	return bindNakFixedSize + len(x.Versions) + len(x.Rest) + sizeOf(x.Verifier, x.HasVerifier)
}

// AppendBindNak appends x. Rest is written as given, so it starts with the
// padding that makes the versions end at a multiple of four.
func AppendBindNak(dst []byte, x BindNak) ([]byte, error) {
	if n := len(x.Versions); n%2 != 0 || n/2 > maxListLength {
		return dst, Errorf(ClassLimit, "n_protocols", 18, "%d bytes of versions, expected at most %d pairs", n, maxListLength)
	}
	dst, err := beginPDU(dst, x.Header, PTypeBindNak, x.Len(), x.Verifier, x.HasVerifier)
	if err != nil {
		return dst, err
	}
	o := x.Order()
	dst = o.AppendUint16(dst, x.Reason)
	dst = append(dst, byte(len(x.Versions)/2))
	dst = append(dst, x.Versions...)
	dst = append(dst, x.Rest...)
	return appendVerifier(dst, o, x.Verifier, x.HasVerifier), nil
}
