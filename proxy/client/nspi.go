package client

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// codePage is what the client asks strings in: Western European.
const codePage = 1252

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
	r := nspi.BindRequest{CodePage: codePage, HasGUID: true, GUID: [16]byte{0xbc, 0x21, 0xce}}
	return nspi.AppendBindRequest(nil, r, c.syntax(c.ContextID), c.order(c.ContextID))
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
	return r.Handle, nil
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
