package krb5

import (
	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
)

// KRBError is a KRB-ERROR: a KDC or a server has refused (RFC 4120 5.9.1).
type KRBError struct {
	Code int32
	Data []byte // e-data, as hostile as the message
}

// Error implements error. It names the code; the text of the other side is left out.
func (e *KRBError) Error() string { return errorcode.Lookup(e.Code) }

// ParseKRBError reads a KRB-ERROR.
func ParseKRBError(b []byte) (*KRBError, error) {
	var m messages.KRBError
	if err := Decode(b, "KRB-ERROR", m.Unmarshal); err != nil {
		return nil, err
	}
	return &KRBError{Code: m.ErrorCode, Data: m.EData}, nil
}

// readKRBError returns the error that a server's token is.
func readKRBError(token []byte) error {
	b, err := message(token, tagKRBError)
	if err != nil {
		return err
	}
	e, err := ParseKRBError(b)
	if err != nil {
		return err
	}
	return e
}
