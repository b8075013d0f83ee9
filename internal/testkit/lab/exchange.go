package lab

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// Exchange is a client's end of a handshake whose every token a test makes, at level connect. What goes wrong is an
// answer, since most of it is about what servers do not accept.
type Exchange struct {
	tcp  net.Conn
	Type rpcparse.AuthType
	ID   uint32 // of the security context
	// Group is the association of the connection, once it is bound.
	Group uint32
	// Handle is that of the session that was opened last.
	Handle nspi.Handle
	call   uint32
}

// DialExchange connects to the port of NSPI at address.
func DialExchange(t testing.TB, address string, authType rpcparse.AuthType) *Exchange {
	t.Helper()
	d := net.Dialer{Timeout: callTimeout}
	conn, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	x := &Exchange{tcp: conn, Type: authType, ID: 1}
	t.Cleanup(x.Close)
	return x
}

// Close ends the connection.
func (x *Exchange) Close() { _ = x.tcp.Close() }

// Local is the client's own end.
func (x *Exchange) Local() netip.AddrPort { return x.tcp.LocalAddr().(*net.TCPAddr).AddrPort() }

func (x *Exchange) verifier(token []byte) rpcparse.Verifier {
	return rpcparse.Verifier{Type: x.Type, Level: rpcparse.LevelConnect, ContextID: x.ID, Token: token}
}

func (x *Exchange) header(t rpcparse.PType) rpcparse.Header {
	x.call++
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: x.call}
}

// Leg sends a token, in a bind first and in an alter_context later, and returns the one of the answer. ok is false where
// the server does not accept the PDU: then reason says what it answered.
func (x *Exchange) Leg(token []byte) (answer []byte, ok bool, reason string) {
	ptype := rpcparse.PTypeAlterContext
	if x.call == 0 {
		ptype = rpcparse.PTypeBind
	}
	pdu, err := rpcparse.AppendBind(nil, rpcparse.Bind{
		Header: x.header(ptype), MaxXmitFrag: rpcparse.DefaultFragment, MaxRecvFrag: rpcparse.DefaultFragment,
		Contexts: rpcparse.NewContextList(client.Context(0, nspi.Interface)), HasVerifier: token != nil, Verifier: x.verifier(token),
	})
	if err != nil {
		return nil, false, err.Error()
	}
	got, err := x.roundTrip(pdu)
	if err != nil {
		return nil, false, err.Error()
	}
	a, err := rpcparse.ParseBindAck(got)
	if err != nil {
		return nil, false, describePDU(got)
	}
	if a.AssocGroupID != 0 {
		x.Group = a.AssocGroupID
	}
	return a.Verifier.Token, true, ""
}

// Last sends a token in an auth3, which has no answer.
func (x *Exchange) Last(token []byte) error {
	pdu, err := rpcparse.AppendAuth3(nil, rpcparse.Auth3{Header: x.header(rpcparse.PTypeAuth3), HasVerifier: true, Verifier: x.verifier(token)})
	if err != nil {
		return err
	}
	_, err = x.tcp.Write(pdu)
	return err
}

// NspiBind opens a session without a verifier. It returns "granted", "refused" for MAPI_E_LOGON_FAILED, or what was
// answered else.
func (x *Exchange) NspiBind() string {
	pdu, err := AppendNspiBind(nil, x.header(rpcparse.PTypeRequest).CallID)
	if err != nil {
		return err.Error()
	}
	stub, why := x.ask(pdu)
	if why != "" {
		return why
	}
	answer, err := nspi.ParseBindResponse(stub, nspi.NDR, rpcparse.LittleEndian)
	switch {
	case err != nil:
		return err.Error()
	case answer.Code == nspi.Success:
		x.Handle = answer.Handle
		return "granted"
	case answer.Code == nspi.LogonFailed:
		return "refused"
	}
	return fmt.Sprintf("code %#x", uint32(answer.Code))
}

// NspiUnbind ends the session that was opened last, as the user of the context x.ID, and returns what was answered:
// "unbound", or else.
func (x *Exchange) NspiUnbind() string {
	stub := nspi.AppendUnbindRequest(nil, nspi.UnbindRequest{Handle: x.Handle}, nspi.NDR, rpcparse.LittleEndian)
	v := x.verifier(make([]byte, 16))
	v.PadLength = rpcparse.PadTo(len(stub), 16)
	pdu, err := rpcparse.AppendRequest(nil, rpcparse.Request{
		Header: x.header(rpcparse.PTypeRequest), AllocHint: uint32(len(stub)), Opnum: nspi.OpnumUnbind, Stub: stub, HasVerifier: true, Verifier: v,
	})
	if err != nil {
		return err.Error()
	}
	answer, why := x.ask(pdu)
	if why != "" {
		return why
	}
	u, err := nspi.ParseUnbindResponse(answer, nspi.NDR, rpcparse.LittleEndian)
	if err == nil && u.Code == nspi.UnbindSuccess {
		return "unbound"
	}
	return fmt.Sprintf("code %#x, %v", uint32(u.Code), err)
}

// ask returns the stub of the response to a request, or what was answered else.
func (x *Exchange) ask(request []byte) (stub []byte, why string) {
	got, err := x.roundTrip(request)
	if err != nil {
		return nil, err.Error()
	}
	r, err := rpcparse.ParseResponse(got)
	if err != nil {
		return nil, describePDU(got)
	}
	return r.Stub, ""
}

func (x *Exchange) roundTrip(pdu []byte) ([]byte, error) {
	if _, err := x.tcp.Write(pdu); err != nil {
		return nil, err
	}
	_ = x.tcp.SetReadDeadline(time.Now().Add(callTimeout))
	return NextPDU(x.tcp)
}

// describePDU says what a PDU is that was not expected.
func describePDU(pdu []byte) string {
	if f, err := rpcparse.ParseFault(pdu); err == nil {
		return fmt.Sprintf("fault %#x", f.Status)
	}
	h, _ := rpcparse.ParseHeader(pdu)
	return h.Type.String()
}
