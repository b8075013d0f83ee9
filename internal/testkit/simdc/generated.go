package simdc

import (
	"context"
	"errors"

	gen "github.com/oiweiwei/go-msrpc/msrpc/nspi/nspi/v56"
	"github.com/oiweiwei/go-msrpc/ndr"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// maxGeneratedStub bounds the stubs that the generated decoders are given, in
// bytes. They trust counts more than is good; the operations that hasMethod
// lets through allocate a few times the size of the stub at most.
const maxGeneratedStub = 16 << 10

// hasMethod reports whether the address book implements an operation.
func hasMethod(opnum uint16) bool {
	switch opnum {
	case opnumUpdateStat, opnumQueryRows, opnumGetSpecialTable:
		return true
	}
	return false
}

// The operations on tables that there are (MS-NSPI 3.1.4).
const (
	opnumUpdateStat      uint16 = 2
	opnumQueryRows       uint16 = 3
	opnumGetSpecialTable uint16 = 12
)

// call decodes a stub with the generated code, runs the method and encodes its
// answer.
func (b addressBook) call(x *call) ([]byte, uint32) {
	if len(x.stub) > maxGeneratedStub {
		return nil, rpcparse.StatusBadStubData
	}
	var out []byte
	err := guard(func() error {
		op, err := gen.NspiServerHandle(context.Background(), b, int(x.opnum), x.reader())
		if err != nil {
			return err
		}
		out, err = x.encode(op)
		return err
	})
	if err != nil {
		return nil, rpcparse.StatusBadStubData
	}
	return out, 0
}

// guard turns a panic of the generated code into an error.
func guard(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("simdc: the generated code panicked")
		}
	}()
	return f()
}

// operation is the answer of a method in the words of the generated code.
type operation interface {
	MarshalNDRResponse(context.Context, ndr.Writer) error
}

// reader reads the stub of x in its transfer syntax and byte order.
func (x *call) reader() ndr.NDR { return x.coder(x.stub) }

func (x *call) coder(b []byte) ndr.NDR {
	if x.context.ndr64() {
		return ndr.NDR64(b)
	}
	drep := ndr.DefaultDataRepresentation
	if x.stubOrder() == rpcparse.BigEndian {
		drep = ndr.DataRepresentation(ndr.ByteOrderBigEndian)
	}
	return ndr.NDR20(b, drep)
}

func (x *call) encode(op operation) ([]byte, error) {
	w := x.coder(nil)
	if err := op.MarshalNDRResponse(context.Background(), w); err != nil {
		return nil, err
	}
	return w.Bytes(), w.Err()
}
