package lab

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// callTimeout ends dialling and every wait for an answer: what the slowest lab machine needs, many times over.
const callTimeout = 20 * time.Second

// codePage is Windows-1252, which every server has.
const codePage = 1252

// Conn is a connection without authentication, in little endian and NDR. What NSPI answers is a code, since most tests are
// about refusals; below it are the client's own calls, and its TCP connection, to be written to and broken at any byte.
type Conn struct{ *client.Conn }

// NewConn makes a Conn of a TCP connection, which is its own from now on.
func NewConn(tcp *net.TCPConn) *Conn {
	c := &Conn{client.New(tcp)}
	c.Timeout = callTimeout
	return c
}

// DialConn connects to address. A valid local is the source address, so that one machine can be many clients.
func DialConn(address string, local netip.Addr) (*Conn, error) {
	d := net.Dialer{Timeout: callTimeout}
	if local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	conn, err := d.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return NewConn(conn.(*net.TCPConn)), nil
}

// Bind offers the NSPI interface in a new association, or in one that exists.
func (c *Conn) Bind(group uint32) error { return c.Conn.Bind(client.Options{Group: group}) }

// NspiBind opens a session. Without an error, code tells whether the server granted one.
func (c *Conn) NspiBind() (h nspi.Handle, code nspi.Code, err error) {
	h, err = c.Conn.NspiBind()
	code, err = codeOf(err, nspi.Success)
	return h, code, err
}

// NspiUnbind ends a session; nspi.UnbindSuccess is its success.
func (c *Conn) NspiUnbind(h nspi.Handle) (nspi.Code, error) {
	return codeOf(c.Conn.NspiUnbind(h), nspi.UnbindSuccess)
}

// codeOf makes a failure that NSPI returned a code.
func codeOf(err error, success nspi.Code) (nspi.Code, error) {
	var refused *client.CodeError
	if errors.As(err, &refused) {
		return refused.Code, nil
	}
	return success, err
}

// MapPort asks the endpoint mapper that c is connected to for the TCP port of NSPI. No bind may have been before.
func (c *Conn) MapPort() (uint16, error) {
	if err := c.Conn.Bind(client.MapperOptions()); err != nil {
		return 0, err
	}
	all, err := c.Map(nspi.Interface, 1)
	if err != nil {
		return 0, err
	}
	return all[0].Port, nil
}

// AppendBind appends a bind that offers NSPI in NDR, in a new association.
func AppendBind(dst []byte, call uint32) ([]byte, error) {
	return rpcparse.AppendBind(dst, rpcparse.Bind{
		Header:      rpcparse.Header{Type: rpcparse.PTypeBind, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: call},
		MaxXmitFrag: rpcparse.DefaultFragment, MaxRecvFrag: rpcparse.DefaultFragment,
		Contexts: rpcparse.NewContextList(client.Context(0, nspi.Interface)),
	})
}

// AppendNspiBind appends the request of an NspiBind on context 0, in one fragment.
func AppendNspiBind(dst []byte, call uint32) ([]byte, error) {
	stub := nspi.AppendBindRequest(nil, nspi.BindRequest{CodePage: codePage}, nspi.NDR, rpcparse.LittleEndian)
	return rpcparse.AppendRequest(dst, rpcparse.Request{
		Header:    rpcparse.Header{Type: rpcparse.PTypeRequest, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: call},
		AllocHint: uint32(len(stub)), Opnum: nspi.OpnumBind, Stub: stub,
	})
}
