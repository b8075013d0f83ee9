package simdc

import (
	"encoding/binary"
	"errors"

	gen "github.com/oiweiwei/go-msrpc/msrpc/nspi/nspi/v56"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// maxNames bounds the names of one request.
const maxNames = 1000

// What a name resolves to (MS-NSPI 2.2.1.9).
const (
	midUnresolved = 0
	midAmbiguous  = 1
)

var errNames = errors.New("simdc: not an NspiResolveNamesW request")

// resolveNames answers NspiResolveNamesW (MS-NSPI 3.1.4.17). The generated code
// takes an array of strings for one string, so the request is decoded here; the
// response, which has none, is encoded there.
func (b *addressBook) resolveNames(x *call) ([]byte, uint32) {
	names, tags, err := parseNames(x)
	if err != nil {
		return nil, rpcparse.StatusBadStubData
	}
	if tags == nil {
		tags = columns
	}
	mids, set := make([]uint32, len(names)), &gen.PropertyRowSet{}
	for i, name := range names {
		switch found := b.resolve(name); len(found) {
		case 0:
			mids[i] = midUnresolved
		case 1:
			mids[i] = b.mid(found[0])
			set.Row = append(set.Row, row(b.values(found[0]), tags))
		default:
			mids[i] = midAmbiguous
		}
	}
	set.RowsCount = uint32(len(set.Row))
	var out []byte
	err = guard(func() (err error) {
		w := x.coder(nil)
		r := &gen.ResolveNamesWResponse{MIDs: tagArray(mids), Rows: set}
		err = r.MarshalNDR(nil, w) //nolint:staticcheck // the generated code ignores its context
		out = w.Bytes()
		return err
	})
	if err != nil {
		return nil, rpcparse.StatusUnspecified
	}
	return out, 0
}

// cursorNDR walks a stub in either transfer syntax.
type cursorNDR struct {
	b     []byte
	at    int
	word  int // size of counts and referents: 4 or 8
	order rpcparse.Order
	bad   bool
}

func (r *cursorNDR) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b)-r.at {
		r.bad = true
		return make([]byte, 8)
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *cursorNDR) align(n int) { r.take((n - r.at%n) % n) }

func (r *cursorNDR) u32() uint32 {
	r.align(4)
	return r.order.Uint32(r.take(4))
}

func (r *cursorNDR) size() uint64 {
	r.align(r.word)
	if r.word == 4 {
		return uint64(r.order.Uint32(r.take(4)))
	}
	return binary.LittleEndian.Uint64(r.take(8))
}

// parseNames reads handle, reserved, STAT, property tags and names.
func parseNames(x *call) (names []string, tags []uint32, err error) {
	r := &cursorNDR{b: x.stub, word: 4, order: x.stubOrder()}
	if x.context.ndr64() {
		r.word = 8
	}
	r.take(nspi.HandleSize + 4 + nspi.StatSize)
	if r.size() != 0 {
		tags = r.tagArray()
	}
	r.size() // maximum count of the array of names
	count := r.u32()
	if r.bad || count > maxNames {
		return nil, nil, errNames
	}
	present := make([]bool, count)
	for i := range present {
		present[i] = r.size() != 0
	}
	for _, p := range present {
		name := ""
		if p {
			name = r.text()
		}
		names = append(names, name)
	}
	if r.bad {
		return nil, nil, errNames
	}
	return names, tags, nil
}

// tagArray reads a PropertyTagArray_r: conformant and varying.
func (r *cursorNDR) tagArray() []uint32 {
	r.size()
	r.u32() // cValues
	r.size()
	n := r.size()
	if n > uint64(len(r.b)/4) {
		r.bad = true
		return nil
	}
	tags := make([]uint32, n)
	for i := range tags {
		tags[i] = r.u32()
	}
	return tags
}

// text reads a UTF-16 string with its NUL.
func (r *cursorNDR) text() string {
	r.size()
	r.size()
	n := r.size()
	if n == 0 || n > uint64(len(r.b)/2) {
		r.bad = true
		return ""
	}
	b := r.take(2 * int(n))
	if r.order == rpcparse.BigEndian {
		for i := 0; i+1 < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	}
	return ntlm.DecodeUTF16(b[:max(0, len(b)-2)])
}
