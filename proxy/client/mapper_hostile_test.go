package client

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func faultPDU(callID uint32) []byte {
	return must(rpcparse.AppendFault(nil, rpcparse.Fault{
		Header: headerOf(rpcparse.PTypeFault, callID), Status: rpcparse.StatusServerTooBusy}))
}

func TestBindThatIsNotAcceptedIsANamedError(t *testing.T) {
	var nak *Nak
	var rejected *Rejected
	var refused *Fault
	var parse *rpcparse.Error
	for _, tc := range []struct {
		name   string
		answer func(id uint32) []byte
		err    error
		as     any
	}{
		{name: "bind_nak", as: &nak, answer: func(id uint32) []byte {
			return must(rpcparse.AppendBindNak(nil, rpcparse.BindNak{
				Header: headerOf(rpcparse.PTypeBindNak, id), Reason: rpcparse.NakLocalLimitExceeded}))
		}},
		{name: "rejection", as: &rejected, answer: func(id uint32) []byte {
			return bindAck(id, rpcparse.ContextResult{Result: rpcparse.ResultProviderRejection, Reason: 1})
		}},
		{name: "fault", as: &refused, answer: faultPDU},
		{name: "neither accepted nor rejected", err: ErrProtocol, answer: func(id uint32) []byte {
			return bindAck(id, rpcparse.ContextResult{Result: rpcparse.ResultNegotiateAck})
		}},
		{name: "no result", err: ErrProtocol, answer: func(id uint32) []byte { return bindAck(id) }},
		{name: "two results", err: ErrProtocol, answer: func(id uint32) []byte { return bindAck(id, accepted, accepted) }},
		{name: "syntax not offered", err: ErrProtocol, answer: func(id uint32) []byte {
			return bindAck(id, rpcparse.ContextResult{Transfer: rpcparse.SyntaxNDR64})
		}},
		{name: "other call", err: ErrProtocol, answer: func(id uint32) []byte { return bindAck(id+1, accepted) }},
		{name: "response", err: ErrProtocol, answer: func(id uint32) []byte { return wholePDU(id, nil) }},
		{name: "no DCE/RPC", as: &parse, answer: func(uint32) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n") }},
		{name: "client's PDU", as: &parse, answer: func(id uint32) []byte {
			return must(rpcparse.AppendRequest(nil, rpcparse.Request{Header: headerOf(rpcparse.PTypeRequest, id)}))
		}},
		{name: "longer than offered", as: &parse, answer: func(id uint32) []byte {
			return bindAck(id, slices.Repeat([]rpcparse.ContextResult{accepted}, 255)...)
		}},
		{name: "end", err: io.EOF, answer: func(uint32) []byte { return nil }},
		{name: "end inside a PDU", err: io.EOF, answer: func(id uint32) []byte { return bindAck(id, accepted)[:40] }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := fakeServer(t, func(c *fakeConn) {
				if h, ok := c.read(); ok {
					c.send(tc.answer(h.CallID))
				}
				_ = c.Conn.(*net.TCPConn).CloseWrite()
				c.wait() // it must not be the server's end that ends the connection
			})
			c, err := DialMapper(testContext(t), addr)
			if c != nil || tc.err != nil && !errors.Is(err, tc.err) || tc.as != nil && !errors.As(err, tc.as) {
				t.Errorf("%v, %v", c, err)
			}
		})
	}
	if nak.Reason != rpcparse.NakLocalLimitExceeded || rejected.Result.Reason != 1 || refused.Status != rpcparse.StatusServerTooBusy {
		t.Errorf("%v, %v, %v", nak, rejected, refused)
	}
}

func TestAnswerThatIsWrongEndsTheConnection(t *testing.T) {
	good := encode(mapAnswer(49670, 49678))
	const first, last = rpcparse.FlagFirstFrag, rpcparse.FlagLastFrag
	signed := func(id uint32) []byte {
		return must(rpcparse.AppendResponse(nil, rpcparse.Response{Header: headerOf(rpcparse.PTypeResponse, id), Stub: good,
			HasVerifier: true, Verifier: rpcparse.Verifier{Type: 10, Level: 2, Token: make([]byte, 16)}}))
	}
	bigEndian := must(rpcparse.AppendResponse(nil, rpcparse.Response{
		Header: rpcparse.Header{Flags: last, Drep: rpcparse.DrepBigEndian, CallID: 2}, Stub: good[50:]}))

	for _, tc := range []struct {
		name string
		send func(c *fakeConn, id uint32)
		err  error
		as   any
	}{
		{"fault", func(c *fakeConn, id uint32) { c.send(faultPDU(id)) }, nil, new(*Fault)},
		{"fault of another call", func(c *fakeConn, id uint32) { c.send(faultPDU(id + 1)) }, ErrProtocol, nil},
		{"another call", func(c *fakeConn, id uint32) { c.send(wholePDU(id+1, good)) }, ErrProtocol, nil},
		{"bind_ack", func(c *fakeConn, id uint32) { c.send(bindAck(id, accepted)) }, ErrProtocol, nil},
		{"signed", func(c *fakeConn, id uint32) { c.send(signed(id)) }, ErrProtocol, nil},
		{"no first fragment", func(c *fakeConn, id uint32) { c.send(responsePDU(id, last, good)) }, ErrProtocol, nil},
		{"two first fragments", func(c *fakeConn, id uint32) {
			c.send(responsePDU(id, first, good[:50]), responsePDU(id, first|last, good[50:]))
		}, ErrProtocol, nil},
		{"two byte orders", func(c *fakeConn, id uint32) { c.send(responsePDU(id, first, good[:50]), bigEndian) }, ErrProtocol, nil},
		{"another call between fragments", func(c *fakeConn, id uint32) {
			c.send(responsePDU(id, first, good[:50]), wholePDU(id+1, good))
		}, ErrProtocol, nil},
		{"too much", func(c *fakeConn, id uint32) {
			flags := first
			for range maxMapperAnswer/5000 + 1 {
				c.send(responsePDU(id, flags, make([]byte, 5000)))
				flags = 0
			}
		}, ErrLimit, nil},
		{"empty fragments without end", func(c *fakeConn, id uint32) {
			flags := first
			for range maxMapperAnswer / rpcparse.HeaderSize {
				c.send(responsePDU(id, flags, nil))
				flags = 0
			}
		}, ErrLimit, nil},
		{"PDU over the limit", func(c *fakeConn, id uint32) { c.send(wholePDU(id, make([]byte, rpcparse.DefaultFragment))) }, nil, new(*rpcparse.Error)},
		{"garbage", func(c *fakeConn, _ uint32) { c.send([]byte("garbage")) }, nil, new(*rpcparse.Error)},
		{"end inside a PDU", func(c *fakeConn, id uint32) {
			c.send(wholePDU(id, good)[:60])
			_ = c.Conn.(*net.TCPConn).CloseWrite()
		}, io.EOF, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := fakeServer(t, func(c *fakeConn) {
				if !c.bind() {
					return
				}
				if h, ok := c.read(); ok {
					tc.send(c, h.CallID)
				}
				c.wait()
			})
			c := dialMapper(t, addr)
			got, err := c.Map(testContext(t), nspi.Interface)
			if got != nil || tc.err != nil && !errors.Is(err, tc.err) || tc.as != nil && !errors.As(err, tc.as) {
				t.Errorf("%v, %v", got, err)
			}
			if _, err := c.Map(testContext(t), nspi.Interface); !errors.Is(err, ErrClosed) {
				t.Errorf("again: %v", err)
			}
			if err := c.Idle(testContext(t), time.Hour); !errors.Is(err, ErrClosed) {
				t.Errorf("idle: %v", err)
			}
		})
	}
}

func TestBytesBehindAnAnswerAreNotTakenForTheNext(t *testing.T) {
	addr := fakeServer(t, func(c *fakeConn) {
		if !c.bind() {
			return
		}
		if h, ok := c.read(); ok {
			good := encode(mapAnswer(1))
			c.send(slices.Concat(wholePDU(h.CallID, good), wholePDU(h.CallID+1, good)))
		}
		c.wait()
	})
	c := dialMapper(t, addr)
	if _, err := c.Map(testContext(t), nspi.Interface); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Map(testContext(t), nspi.Interface); !errors.Is(err, ErrProtocol) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestSilentServerIsWaitedForAsLongAsTheContextSays(t *testing.T) {
	short := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	canceled := func(t *testing.T) context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel)
		t.Cleanup(cancel)
		return ctx
	}
	mute := fakeServer(t, (*fakeConn).wait)
	half := fakeServer(t, func(c *fakeConn) { c.bind(); c.wait() })
	for name, ctx := range map[string]func(*testing.T) context.Context{"deadline": short, "cancel": canceled} {
		t.Run(name, func(t *testing.T) {
			ends := func(err error) bool {
				return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || isTimeout(err)
			}
			if c, err := DialMapper(ctx(t), mute); c != nil || !ends(err) {
				t.Errorf("dialled %v, %v", c, err)
			}
			c := dialMapper(t, half)
			if _, err := c.Map(ctx(t), nspi.Interface); !ends(err) {
				t.Errorf("asked: %v", err)
			}
			if _, err := c.Map(testContext(t), nspi.Interface); !errors.Is(err, ErrClosed) {
				t.Errorf("again: %v", err)
			}
		})
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func TestCallIDsEndBeforeWindowsRefusesThem(t *testing.T) {
	dc := startDC(t, simdc.Config{})
	c := dialMapper(t, dc.EPMAddr())
	c.conn.inFlight.lastID = maxCallID - 1
	if _, err := c.Map(testContext(t), nspi.Interface); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Map(testContext(t), nspi.Interface); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
}

func TestErrorsSayWhatTheServerSaid(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&Nak{Reason: 2}, "bind_nak local_limit_exceeded"},
		{&Rejected{Result: rpcparse.ContextResult{Result: 2, Reason: 1}}, "context 0: result 2, reason 1"},
		{&Fault{Status: 5}, "fault access_denied"},
		{&StatusError{Status: 0x16C9A0CD}, "ept_map: ept_s_cant_perform_op"},
		{protocolf("%d", 1), "protocol error: 1"},
		{limitf("%d", 1), "over the limit: 1"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestNobodyListensIsAnErrorOfDialling(t *testing.T) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	var op *net.OpError
	if c, err := DialMapper(testContext(t), addr); c != nil || !errors.As(err, &op) || op.Op != "dial" {
		t.Errorf("%v, %v", c, err)
	}
}
