package client_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// peer is a server that answers the n-th write of a client with the n-th of
// answers, whatever it says.
func peer(t *testing.T, answers ...[]byte) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 65536)
		for _, a := range answers {
			if _, err := c.Read(buf); err != nil {
				return
			}
			_, _ = c.Write(a)
		}
	}()
	return l.Addr().String()
}

func header(t rpcparse.PType, call uint32) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: call}
}

func must(t *testing.T, b []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ack(t *testing.T, results ...rpcparse.ContextResult) []byte {
	b, err := rpcparse.AppendBindAck(nil, rpcparse.BindAck{Header: header(rpcparse.PTypeBindAck, 1), MaxXmitFrag: 4280,
		MaxRecvFrag: 4280, AssocGroupID: 5, Results: rpcparse.NewResultList(results...)})
	return must(t, b, err)
}

var accepted = rpcparse.ContextResult{Transfer: rpcparse.SyntaxNDR}

func TestAnswersThatMakeNoSenseAreErrors(t *testing.T) {
	response := func(call uint32, flags rpcparse.Flags, v *rpcparse.Verifier) []byte {
		r := rpcparse.Response{Header: header(rpcparse.PTypeResponse, call)}
		r.Flags = flags
		if v != nil {
			r.Verifier, r.HasVerifier = *v, true
		}
		b, err := rpcparse.AppendResponse(nil, r)
		return must(t, b, err)
	}
	for name, tc := range map[string]struct {
		answers [][]byte
		want    string
	}{
		"end of connection":         {[][]byte{nil}, "EOF"},
		"not a PDU":                 {[][]byte{[]byte("HTTP/1.1 400")}, "rpc_vers"},
		"response to bind":          {[][]byte{response(1, rpcparse.FlagsWhole, nil)}, "answered by response"},
		"no result":                 {[][]byte{ack(t)}, "0 results"},
		"rejected":                  {[][]byte{ack(t, rpcparse.ContextResult{Result: 2, Reason: 1})}, "reason 1"},
		"bind_ack to call":          {[][]byte{ack(t, accepted), ack(t, accepted)}, "unexpected bind_ack"},
		"continuation first":        {[][]byte{ack(t, accepted), response(2, rpcparse.FlagLastFrag, nil)}, "out of order"},
		"unknown security":          {[][]byte{ack(t, accepted), response(2, rpcparse.FlagsWhole, &rpcparse.Verifier{Token: []byte{1}})}, "unknown security"},
		"another call":              {[][]byte{ack(t, accepted), response(9, rpcparse.FlagsWhole, nil)}, "call 9, which was not made"},
		"a stub that is not NSPI's": {[][]byte{ack(t, accepted), response(2, rpcparse.FlagsWhole, nil)}, "invalid"},
	} {
		c, err := client.Connect(peer(t, tc.answers...), netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		if err = c.Bind(client.Options{}); err == nil {
			_, err = c.NspiBind()
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		c.Close()
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	fault := fmt.Errorf("calling: %w", &client.Fault{Status: rpcparse.StatusAccessDenied})
	nak := fmt.Errorf("binding: %w", &client.Nak{Reason: rpcparse.NakLocalLimitExceeded})
	code := fmt.Errorf("opening: %w", &client.CodeError{Code: nspi.LogonFailed})
	if !client.IsFault(fault, rpcparse.StatusAccessDenied) || client.IsFault(fault, 1) || client.IsFault(nak, 5) {
		t.Error("faults")
	}
	if !client.IsNak(nak, rpcparse.NakLocalLimitExceeded) || client.IsNak(nak, 0) || client.IsNak(code, 2) {
		t.Error("naks")
	}
	if !client.IsCode(code, nspi.LogonFailed) || client.IsCode(code, nspi.Success) || client.IsCode(fault, 5) {
		t.Error("codes")
	}
	for want, err := range map[string]error{"access_denied": fault, "local_limit_exceeded": nak, "MAPI_E_LOGON_FAILED": code} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func TestSilentServersTimeOut(t *testing.T) {
	c, err := client.Connect(peer(t, nil, nil), netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Timeout = 20 * time.Millisecond
	var timeout net.Error
	if err := c.Bind(client.Options{}); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v", err)
	}
}

func TestResetIsSeenAsReset(t *testing.T) {
	dc, err := simdc.Start(simdc.Config{AnonymousBind: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dc.Close()
	c, err := client.Dial(dc.NSPIAddr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Group == 0 || c.MaxFragment != rpcparse.DefaultFragment || !c.Multiplexed || c.Transfer(0) != rpcparse.TransferNDR ||
		c.Transfer(1) != rpcparse.TransferNone || !c.Local().Addr().IsLoopback() {
		t.Errorf("%+v", c)
	}
	c.Reset()
	if err := c.Write([]byte{5}); err == nil {
		t.Error("wrote after the reset")
	}
	if _, _, err := c.ReadPDU(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("read after the reset: %v", err)
	}
}

func TestContextsAndContextIDsAreTheCallersChoice(t *testing.T) {
	dc, err := simdc.Start(simdc.Config{AnonymousBind: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dc.Close()
	c, err := client.Dial(dc.NSPIAddr().String(), client.Options{Contexts: []rpcparse.ContextElement{
		client.Context(40, rpcparse.SyntaxID{}), client.Context(41, simdc.EchoInterface), client.Context(42, nspi.Interface),
	}})
	if err != nil || c.ContextID != 41 {
		t.Fatalf("%+v, %v", c, err)
	}
	defer c.Close()
	if got, err := c.Call(simdc.EchoOpnum, []byte("first accepted")); err != nil || string(got) != "first accepted" {
		t.Errorf("%q, %v", got, err)
	}
	c.ContextID = 42
	h, err := c.NspiBind()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.NspiUnbind(h); err != nil {
		t.Error(err)
	}
}

func TestEveryConnectionIsOpenedByConnectWhereThereIsOne(t *testing.T) {
	dc, err := simdc.Start(simdc.Config{AnonymousBind: true})
	if err != nil {
		t.Fatal(err)
	}
	defer dc.Close()
	var asked []string
	o := client.Options{Local: netip.MustParseAddr("127.0.0.2"), Connect: func(addr string, local netip.Addr) (*net.TCPConn, error) {
		asked = append(asked, fmt.Sprint(addr, " from ", local))
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))}
		c, err := d.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		return c.(*net.TCPConn), nil
	}}
	if _, err := client.Map(dc.EPMAddr().String(), nspi.Interface, o); err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(dc.NSPIAddr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := []string{fmt.Sprint(dc.EPMAddr(), " from 127.0.0.2"), fmt.Sprint(dc.NSPIAddr(), " from 127.0.0.2")}
	if !slices.Equal(asked, want) || c.Local().Addr() != o.Local {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	dc.Close()
	if _, err := client.Dial(dc.NSPIAddr().String(), o); err == nil {
		t.Error("connected to nobody")
	}
}
