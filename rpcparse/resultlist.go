package rpcparse

import (
	"iter"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// resultSize is the size of one result, in bytes.
const resultSize = 4 + wire.SyntaxIDSize

// The results that a server gives each context offered (C706 12.6.3.1,
// p_cont_def_result_t; MS-RPCE 2.2.2.4).
const (
	ResultAcceptance        = 0
	ResultUserRejection     = 1
	ResultProviderRejection = 2
	ResultNegotiateAck      = 3 // answers bind-time features; Reason is the mask
)

// The reasons that go with a provider rejection (p_provider_reason_t).
const (
	ReasonNotSpecified               = 0
	ReasonAbstractSyntaxNotSupported = 1
	ReasonTransferSyntaxNotSupported = 2
	ReasonLocalLimitExceeded         = 3
)

// ContextResult answers the context at the same position of the bind.
type ContextResult struct {
	Result   uint16   // +0
	Reason   uint16   // +2
	Transfer SyntaxID // +4: the encoding chosen; zero unless accepted
}

// ResultList is the answers of a bind_ack or alter_context_resp, in the bytes
// they came in. A hostile server may send more or fewer than contexts were
// offered: pair min(n, m), and take a missing one as rejected.
type ResultList struct {
	raw   []byte // a multiple of resultSize
	order Order
}

// NewResultList returns a list of its own of the given results. AppendBindAck
// refuses more than 255.
func NewResultList(results ...ContextResult) ResultList {
	raw := make([]byte, 0, len(results)*resultSize)
	for _, r := range results {
		raw = r.append(raw, LittleEndian)
	}
	return ResultList{raw: raw, order: LittleEndian}
}

// Len returns the number of results.
func (l ResultList) Len() int { return len(l.raw) / resultSize }

// At returns result i. It panics unless 0 <= i < Len.
func (l ResultList) At(i int) (r ContextResult) {
	r.read(l.raw[i*resultSize:], l.order)
	return r
}

// All walks the results in order.
func (l ResultList) All() iter.Seq2[int, ContextResult] {
	return func(yield func(int, ContextResult) bool) {
		var r ContextResult
		for i := range l.Len() {
			r.read(l.raw[i*resultSize:], l.order)
			if !yield(i, r) {
				return
			}
		}
	}
}

func (r *ContextResult) read(b []byte, o Order) {
	r.Result, r.Reason = o.Uint16(b), o.Uint16(b[2:])
	r.Transfer.Read(b[4:], o)
}

// append appends the results in byte order o.
func (l ResultList) append(dst []byte, o Order) []byte {
	if o == l.order {
		return append(dst, l.raw...)
	}
	for i := range l.Len() {
		dst = l.At(i).append(dst, o)
	}
	return dst
}

func (r ContextResult) append(dst []byte, o Order) []byte {
	dst = o.AppendUint16(dst, r.Result)
	dst = o.AppendUint16(dst, r.Reason)
	return r.Transfer.Append(dst, o)
}
