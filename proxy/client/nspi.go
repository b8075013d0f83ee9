package client

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// opnumUpdateStat is NspiUpdateStat (MS-NSPI 3.1.4.4), a query whose answer has
// a fixed size.
const opnumUpdateStat uint16 = 2

// What the client asks strings in: Western European, English.
const (
	codePage = 1252
	locale   = 0x409
)

// Places in a STAT (MS-NSPI 2.3.7), which is nine u32. All zero but for
// languages, it is the beginning of the global address list.
const (
	statTotalRecs = 5
	statCodePage  = 6
	statTemplate  = 7
	statSort      = 8
)

func appendStat(dst []byte, order rpcparse.Order) []byte {
	for _, v := range [nspi.StatSize / 4]uint32{statCodePage: codePage, statTemplate: locale, statSort: locale} {
		dst = order.AppendUint32(dst, v)
	}
	return dst
}

// syntax returns the transfer syntax of context id in the words of package
// nspi.
func (c *Conn) syntax(id uint16) nspi.Syntax {
	if c.Transfer(id) == rpcparse.TransferNDR64 {
		return nspi.NDR64
	}
	return nspi.NDR
}

// order returns the byte order of requests on context id: NDR64 is
// little-endian only.
func (c *Conn) order(id uint16) rpcparse.Order {
	if c.Transfer(id) == rpcparse.TransferNDR64 {
		return rpcparse.LittleEndian
	}
	return c.Order
}

// BindRequest returns the stub of an NspiBind in the syntax of the current
// context.
func (c *Conn) BindRequest() []byte {
	order := c.order(c.ContextID)
	r := nspi.BindRequest{
		Stat: [nspi.StatSize]byte(appendStat(nil, order)), CodePage: codePage,
		HasGUID: true, GUID: [16]byte{0xbc, 0x21, 0xce},
	}
	return nspi.AppendBindRequest(nil, r, c.syntax(c.ContextID), order)
}

// NspiBind opens a session. A refusal is a [CodeError] or a [Fault].
func (c *Conn) NspiBind() (nspi.Handle, error) {
	id, err := c.SendNspiBind()
	if err != nil {
		return nspi.Handle{}, err
	}
	return c.ReceiveNspiBind(id)
}

// SendNspiBind sends an NspiBind and returns its call id.
func (c *Conn) SendNspiBind() (uint32, error) {
	return c.Send(Request{Opnum: nspi.OpnumBind, Stub: c.BindRequest()})
}

// ReceiveNspiBind waits for the answer to SendNspiBind.
func (c *Conn) ReceiveNspiBind(callID uint32) (nspi.Handle, error) {
	a, err := c.Await(callID)
	if err != nil {
		return nspi.Handle{}, err
	}
	r, err := nspi.ParseBindResponse(a.Stub, c.syntax(c.ContextID), a.Order)
	if err != nil {
		return nspi.Handle{}, err
	}
	if r.Code != nspi.Success {
		return nspi.Handle{}, &CodeError{Code: r.Code}
	}
	if r.Handle.IsZero() {
		return nspi.Handle{}, protocolf("success without a session")
	}
	return r.Handle, nil
}

// NspiUpdateStat returns how many entries the address book has. It is for
// contexts in NDR.
func (c *Conn) NspiUpdateStat(h nspi.Handle) (entries uint32, err error) {
	const reserved, null = 0, 0 // no distance is asked for
	order := c.order(c.ContextID)
	stub := order.AppendUint32(h.Append(nil, order), reserved)
	stub = order.AppendUint32(appendStat(stub, order), null)
	a, err := c.ask(opnumUpdateStat, stub)
	if err != nil {
		return 0, err
	}
	// STAT, a pointer to the distance, which a server may send unasked, and the
	// return value.
	if n := len(a.Stub); n != nspi.StatSize+4+4 && n != nspi.StatSize+4+4+4 {
		return 0, protocolf("an answer of %d bytes to NspiUpdateStat", n)
	}
	if code := nspi.Code(a.Order.Uint32(a.Stub[len(a.Stub)-4:])); code != nspi.Success {
		return 0, &CodeError{Code: code}
	}
	return a.Order.Uint32(a.Stub[4*statTotalRecs:]), nil
}

// NspiUnbind ends a session. Any return value but UnbindSuccess is a
// [CodeError].
func (c *Conn) NspiUnbind(h nspi.Handle) error {
	id, err := c.SendNspiUnbind(h)
	if err != nil {
		return err
	}
	return c.ReceiveNspiUnbind(id)
}

// SendNspiUnbind sends an NspiUnbind and returns its call id.
func (c *Conn) SendNspiUnbind(h nspi.Handle) (uint32, error) {
	stub := nspi.AppendUnbindRequest(nil, nspi.UnbindRequest{Handle: h}, c.syntax(c.ContextID), c.order(c.ContextID))
	return c.Send(Request{Opnum: nspi.OpnumUnbind, Stub: stub})
}

// ReceiveNspiUnbind waits for the answer to SendNspiUnbind.
func (c *Conn) ReceiveNspiUnbind(callID uint32) error {
	a, err := c.Await(callID)
	if err != nil {
		return err
	}
	r, err := nspi.ParseUnbindResponse(a.Stub, c.syntax(c.ContextID), a.Order)
	if err != nil {
		return err
	}
	if r.Code != nspi.UnbindSuccess {
		return &CodeError{Code: r.Code}
	}
	return nil
}
