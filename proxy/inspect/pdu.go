package inspect

import (
	"slices"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// pduMode says how a PDU gets to the other side.
type pduMode uint8

const (
	// untouched: not protected, or with keys that are not known, or of no interest.
	untouched pduMode = iota
	// decryptedCopy: a copy was verified and decrypted; the PDU itself goes on if
	// it goes on.
	decryptedCopy
	// reseal: it was verified and decrypted in place and has to be protected
	// again, because the receiver expects other numbers than the sender has.
	reseal
)

// protectedPDU is a PDU on its way through the inspector, parsed once. Raw is
// what is read: the PDU itself, or with decryptedCopy a copy whose body is
// plaintext.
type protectedPDU struct {
	rpcparse.PDU
	wire    []byte // the PDU in the buffer of who drives the inspector
	mode    pduMode
	context *secctx.Context // nil: no keys
	layout  secctx.Layout   // with context
}

// parse begins the way of a PDU.
func (x *protectedPDU) parse(h rpcparse.Header, wire []byte) {
	x.Parse(h, wire)
	x.wire = wire
}

// openCopy verifies and decrypts a copy. A request may turn out to be withheld,
// a response to be replaced, so the receiver's half of the state stays behind
// until that is decided. What does not verify is the receiver's to judge, and
// nothing of that context can be read any more in that direction.
func (x *protectedPDU) openCopy(d rpcparse.Direction) (verified bool) {
	x.context.Fork(d)
	plain := slices.Clone(x.wire)
	if x.context.Open(d, plain, x.layout) != nil {
		x.context.Join(d)
		return false
	}
	x.Rebase(plain)
	x.mode, x.Opened = decryptedCopy, true
	return true
}

// finish lets the PDU go on: what was opened arrives as the receiver expects it.
func (x *protectedPDU) finish(d rpcparse.Direction) error {
	switch x.mode {
	case untouched:
	case decryptedCopy:
		x.context.Join(d)
	case reseal:
		return x.context.Seal(d, x.wire, x.layout)
	}
	return nil
}
