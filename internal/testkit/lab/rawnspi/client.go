package rawnspi

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// MaxFragment is the fragment size that the client offers, in bytes: what Windows and Samba offer over TCP.
const MaxFragment = 5840

// timeout ends dialling and every wait for an answer: what the slowest lab machine needs, many times over.
const timeout = 20 * time.Second

// Client is one connection with one presentation context. It is for one goroutine at a time.
type Client struct {
	Conn  *net.TCPConn
	Group uint32 // the association, as bind_ack named it

	in   reader
	out  []byte // the last PDU sent; kept for its capacity
	call uint32 // the last call id
}

// FaultError is a fault PDU's status (MS-RPCE 2.2.2.7).
type FaultError uint32

func (e FaultError) Error() string { return "fault " + rpcparse.StatusName(uint32(e)) }

// Dial connects to address. A valid local is the source address, so that one machine can be many clients.
func Dial(address string, local netip.Addr) (*Client, error) {
	d := net.Dialer{Timeout: timeout}
	if local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	conn, err := d.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return New(conn.(*net.TCPConn)), nil
}

// New makes a client of a connection, which is its own from now on.
func New(conn *net.TCPConn) *Client { return &Client{Conn: conn} }

// Close ends the connection in order.
func (c *Client) Close() { c.Conn.Close() }

// Reset ends the connection with a TCP reset.
func (c *Client) Reset() {
	_ = c.Conn.SetLinger(0)
	c.Conn.Close()
}

// Release gives the buffers back; the next call has new ones.
func (c *Client) Release() { c.in, c.out = reader{framer: c.in.framer}, nil }

// Bind offers the NSPI interface in a new association, or in one that exists.
func (c *Client) Bind(group uint32) error { return c.bind(nspi.Interface, group) }

func (c *Client) bind(iface rpcparse.SyntaxID, group uint32) error {
	pdu, err := rpcparse.AppendBind(c.out[:0], BindPDU(iface, c.nextCall(), group))
	if err != nil {
		return err
	}
	c.out = pdu
	answer, h, err := c.exchange()
	if err != nil {
		return err
	}
	if h.Type != rpcparse.PTypeBindAck {
		return fmt.Errorf("bind answered by %s", h.Type)
	}
	ack, err := rpcparse.ParseBindAck(answer)
	if err != nil {
		return err
	}
	if ack.Results.Len() != 1 || ack.Results.At(0).Result != rpcparse.ResultAcceptance {
		return errors.New("bind_ack does not accept the context")
	}
	c.Group = ack.AssocGroupID
	return nil
}

// BindPDU is a bind that offers iface with NDR as context 0.
func BindPDU(iface rpcparse.SyntaxID, call, group uint32) rpcparse.Bind {
	return rpcparse.Bind{
		Header:      header(rpcparse.PTypeBind, call),
		MaxXmitFrag: MaxFragment, MaxRecvFrag: MaxFragment, AssocGroupID: group,
		Contexts: rpcparse.NewContextList(rpcparse.ContextElement{
			Abstract: iface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR),
		}),
	}
}

// RequestPDU is a whole request of one fragment on context 0.
func RequestPDU(call uint32, opnum uint16, stub []byte) rpcparse.Request {
	return rpcparse.Request{
		Header: header(rpcparse.PTypeRequest, call), AllocHint: uint32(len(stub)), Opnum: opnum, Stub: stub,
	}
}

func header(t rpcparse.PType, call uint32) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: call}
}

// Call sends a request of one fragment and reads the whole answer. It returns the length of all fragments' stubs and,
// if there was only one, that stub, valid until the next call. A fault is a [FaultError].
func (c *Client) Call(opnum uint16, stub []byte) (answer []byte, total int, err error) {
	c.out, err = rpcparse.AppendRequest(c.out[:0], RequestPDU(c.nextCall(), opnum, stub))
	if err != nil {
		return nil, 0, err
	}
	pdu, h, err := c.exchange()
	for {
		if err != nil {
			return nil, 0, err
		}
		part, err := c.response(pdu, h)
		if err != nil {
			return nil, 0, err
		}
		if total += len(part); h.Last() {
			if !h.First() {
				part = nil
			}
			return part, total, nil
		}
		if pdu, h, err = c.in.next(c.Conn); err != nil {
			return nil, 0, err
		}
	}
}

// response returns the stub of one fragment that answers the call in progress.
func (c *Client) response(pdu []byte, h rpcparse.Header) ([]byte, error) {
	if h.CallID != c.call {
		return nil, fmt.Errorf("call %d answered by call id %d", c.call, h.CallID)
	}
	switch h.Type {
	case rpcparse.PTypeResponse:
		r, err := rpcparse.ParseResponse(pdu)
		return r.Stub, err
	case rpcparse.PTypeFault:
		f, err := rpcparse.ParseFault(pdu)
		if err != nil {
			return nil, err
		}
		return nil, FaultError(f.Status)
	default:
		return nil, fmt.Errorf("request answered by %s", h.Type)
	}
}

// exchange writes c.out and reads one PDU.
func (c *Client) exchange() ([]byte, rpcparse.Header, error) {
	if err := c.Conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, rpcparse.Header{}, err
	}
	if _, err := c.Conn.Write(c.out); err != nil {
		return nil, rpcparse.Header{}, err
	}
	return c.in.next(c.Conn)
}

func (c *Client) nextCall() uint32 {
	c.call++
	return c.call
}
