package tower

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/ndr"
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// reader walks a stub of the endpoint mapper's.
type reader struct{ ndr.Reader }

func newReader(stub []byte, s Syntax, o wire.Order) *reader {
	return &reader{ndr.NewReader(stub, s, o)}
}

func (r *reader) uuid(name string) wire.UUID {
	r.Align(4)
	if b := r.Bytes(wire.UUIDSize, name); b != nil {
		return wire.ReadUUID(b, r.Order)
	}
	return wire.UUID{}
}

func (r *reader) handle() (h Handle) {
	r.Align(4)
	copy(h[:], r.Bytes(HandleSize, "entry_handle"))
	return h
}

// array reads what comes in front of the elements of a conformant varying array
// (maximum, offset, actual count; C706 14.3.3.4) that a separate field said to
// have num elements of at least size bytes each. It returns the maximum and the
// actual count; after a failure both are zero.
func (r *reader) array(num uint32, size int) (most, actual int) {
	most = r.Count("array_max", MaxTowers)
	offset := r.Word("array_offset")
	actual = r.Count("array_actual", MaxTowers)
	switch {
	case r.Err != nil:
	case offset != 0:
		r.Fail(wire.ClassInvalid, "array_offset", "%d, expected 0", offset)
	case actual > most:
		r.Fail(wire.ClassInvalid, "array_actual", "%d of at most %d elements", actual, most)
	case uint64(num) != uint64(actual):
		r.Fail(wire.ClassInvalid, "array_actual", "%d elements, announced as %d", actual, num)
	case r.Left() < actual*size:
		r.Err = wire.Short("array_elements", r.At, r.Left(), actual*size)
	default:
		return most, actual
	}
	return 0, 0
}

// status reads the status, which must be the last thing in the stub.
func (r *reader) status() uint32 {
	r.Align(4)
	// Whether NDR64 pads the last tower to eight bytes is not settled by any
	// capture: every tower seen there ends on a multiple of both. The length of
	// the stub tells which it was.
	if r.Syntax == NDR64 && r.At%8 == 4 && r.Left() == 8 {
		r.Align(8)
	}
	status := r.U32("status")
	if r.Left() != 0 {
		r.Fail(wire.ClassInvalid, "stub_length", "%d bytes behind the status", r.Left())
	}
	return status
}
