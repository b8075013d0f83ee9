package rfri

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// Answer is the output of RfrGetNewDSA (MS-OXABREF 3.1.4.1) or of
// RfrGetFQDNFromServerDN (3.1.4.2).
type Answer struct {
	Opnum  uint16
	Unused Name   // RfrGetNewDSA: behind two pointers
	Server Name   // the server to use; RfrGetNewDSA: behind two pointers, else behind one
	Code   uint32 // return value: 0, or an error, with which the server is undefined
}

// Refers reports whether the answer leads its client to a server.
func (a Answer) Refers() bool { return a.Code == 0 && a.Server.Present() && a.Server.Text != "" }

// ParseAnswer decodes the whole stub of a response to the operation opnum.
func ParseAnswer(opnum uint16, stub []byte, s Syntax, o wire.Order) (Answer, error) {
	r := newReader(stub, s, o)
	a := Answer{Opnum: opnum}
	switch opnum {
	case OpnumGetNewDSA:
		a.Unused = r.nested("unused", MaxUnused)
		a.Server = r.nested("server", MaxServer)
	case OpnumGetFQDNFromServerDN:
		a.Server = r.name("server", MaxServer)
	default:
		r.Fail(wire.ClassInvalid, "opnum", "%d, of two operations", opnum)
	}
	a.Code = r.U32("return_value")
	if r.Left() != 0 {
		r.Fail(wire.ClassInvalid, "stub_length", "%d bytes behind the return value", r.Left())
	}
	if r.Err != nil {
		return Answer{}, r.Err
	}
	return a, nil
}

// AppendAnswer appends the stub of a to dst. NDR64 is written little-endian
// whatever o says. The error is [wire.ClassLimit] if a string is too long.
func AppendAnswer(dst []byte, a Answer, s Syntax, o wire.Order) ([]byte, error) {
	w := newWriter(dst, s, o)
	if a.Opnum == OpnumGetNewDSA {
		w.nested("unused", a.Unused, MaxUnused)
		w.nested("server", a.Server, MaxServer)
	} else {
		w.name("server", a.Server, MaxServer)
	}
	w.U32(a.Code)
	return w.Done()
}
