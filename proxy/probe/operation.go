package probe

import (
	"context"
	"errors"
	"io"

	"github.com/oiweiwei/go-msrpc/ndr"
)

// call is one request: what goes out, and how long the answer may be.
type call struct {
	name    string
	opnum   uint16
	request []byte // stub
	answers []int  // lengths of the stub; nil: whatever fits one PDU
}

// operation is a call in the words of go-msrpc, which runs its methods in
// goroutines of its own. It moves stubs as they are: go-msrpc's generic decoder
// allocates what a server tells it to.
type operation struct {
	call
	size   func() int  // of the answer's stub, once it is there
	answer chan []byte // has room for one
}

var _ ndr.Operation = (*operation)(nil)

// OpNum implements ndr.Operation.
func (o *operation) OpNum() int { return int(o.opnum) }

// OpName implements ndr.Operation.
func (o *operation) OpName() string { return o.name }

// MarshalNDRRequest implements ndr.Operation.
func (o *operation) MarshalNDRRequest(_ context.Context, w ndr.Writer) (err error) {
	defer recoverTo(&err)
	_, err = w.Write(o.request)
	return err
}

// UnmarshalNDRResponse implements ndr.Operation.
func (o *operation) UnmarshalNDRResponse(_ context.Context, r ndr.Reader) (err error) {
	defer recoverTo(&err)
	stub := make([]byte, o.size())
	n, err := r.Read(stub)
	if err == nil && n < len(stub) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		o.answer <- stub
	}
	return err
}

// errNoServer is the error of what only a server calls.
var errNoServer = errors.New("not a server")

// UnmarshalNDRRequest implements ndr.Operation.
func (*operation) UnmarshalNDRRequest(context.Context, ndr.Reader) error { return errNoServer }

// MarshalNDRResponse implements ndr.Operation.
func (*operation) MarshalNDRResponse(context.Context, ndr.Writer) error { return errNoServer }

// recoverTo makes a panic of the function that defers it its error.
func recoverTo(err *error) {
	if p := recover(); p != nil {
		*err = panicError(p)
	}
}
