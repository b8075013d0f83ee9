package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// acceptor is a server of one connection that knows the session key of every
// ticket. It answers a call with its stub, in fragments if there are many bytes.
type acceptor struct {
	session       krb5.Key
	keys          *krb5.Keytab
	headerSigning bool
	alter         func(pdu []byte) // of a protected response
	refuse        bool             // with a KRB-ERROR

	conn          net.Conn
	verifier      rpcparse.Verifier
	established   *krb5.Established
	send, receive *krb5.Stream
	mechs         []byte
}

// serve answers until the client ends the connection or breaks a rule.
func (a *acceptor) serve() error {
	framer := rpcparse.Framer{Dir: rpcparse.ClientToServer}
	var buf []byte
	chunk := make([]byte, 8192)
	for {
		pdu, h, err := framer.Next(buf)
		if err != nil {
			return err
		}
		if pdu == nil {
			n, err := a.conn.Read(chunk)
			if err != nil {
				return nil
			}
			buf = append(buf, chunk[:n]...)
			continue
		}
		buf = bytes.Clone(buf[len(pdu):])
		if err := a.answer(bytes.Clone(pdu), h); err != nil {
			return err
		}
	}
}

func (a *acceptor) answer(pdu []byte, h rpcparse.Header) error {
	if h.Type == rpcparse.PTypeRequest {
		return a.call(pdu)
	}
	b, err := rpcparse.ParseBind(pdu)
	if err != nil {
		return err
	}
	token, err := a.leg(b.Verifier.Token, b.Verifier.Level)
	if err != nil {
		return err
	}
	ack := rpcparse.BindAck{Header: h, MaxXmitFrag: rpcparse.MinFragment, MaxRecvFrag: rpcparse.MinFragment, AssocGroupID: 1}
	ack.Type, ack.Flags = h.Type+1, rpcparse.FlagsWhole
	if a.headerSigning && b.Flags.Has(rpcparse.FlagSupportHeaderSign) {
		ack.Flags |= rpcparse.FlagSupportHeaderSign
	}
	results := make([]rpcparse.ContextResult, b.Contexts.Len())
	for i := range results {
		results[i].Transfer = rpcparse.SyntaxNDR
	}
	ack.Results = rpcparse.NewResultList(results...)
	a.verifier = b.Verifier
	if len(token) > 0 {
		ack.Verifier, ack.HasVerifier = a.verifier, true
		ack.Verifier.Token = token
	}
	out, err := rpcparse.AppendBindAck(nil, ack)
	if err != nil {
		return err
	}
	_, err = a.conn.Write(out)
	return err
}

// leg answers a token of the handshake.
func (a *acceptor) leg(token []byte, level rpcparse.AuthLevel) ([]byte, error) {
	if token == nil {
		return nil, nil
	}
	envelope, err := spnego.Parse(token)
	wrapped := err == nil
	if envelope.Init {
		a.mechs = bytes.Clone(envelope.MechTypeList)
	}
	_, message, ok := spnego.Unwrap(token)
	if !ok {
		return nil, errors.New("no Kerberos message")
	}
	if a.established == nil {
		reply, err := a.reply(message, level)
		if err == nil && wrapped {
			reply = spnego.AppendResp(nil, spnego.Token{HasState: true, State: spnego.StateAcceptIncomplete, SupportedMech: spnego.OIDKerberos, MechToken: reply})
		}
		return reply, err
	}
	if err := a.established.CheckThirdLeg(message); err != nil || !wrapped {
		return nil, err
	}
	last := spnego.Token{HasState: true, State: spnego.StateAcceptCompleted}
	if envelope.ListMIC != nil {
		if err := a.receive.VerifyMIC(a.mechs, envelope.ListMIC); err != nil {
			return nil, err
		}
		last.ListMIC = make([]byte, a.send.TokenSize(false))
		if err := a.send.MIC(a.mechs, last.ListMIC); err != nil {
			return nil, err
		}
	}
	return spnego.AppendResp(nil, last), nil
}

// gssFlags are what a client must ask for at each level: with more, Samba's
// signatures have another size than its server makes room for.
var gssFlags = map[rpcparse.AuthLevel]uint32{
	rpcparse.LevelConnect: 0x100e, rpcparse.LevelPacket: 0x102e, rpcparse.LevelIntegrity: 0x102e, rpcparse.LevelPrivacy: 0x103e,
}

// reply answers an AP-REQ, with a subkey of its own.
func (a *acceptor) reply(request []byte, level rpcparse.AuthLevel) ([]byte, error) {
	if a.refuse {
		const skew = 37
		e := messages.NewKRBError(types.NewPrincipalName(2, "exchangeAB/dc1"), "LAB.TEST", skew, "")
		return e.Marshal()
	}
	in, outcome := krb5.OpenAPReq(request, a.keys.Service(""))
	if in == nil {
		return nil, errors.New(outcome.String())
	}
	if want := gssFlags[level]; in.Flags != want {
		return nil, fmt.Errorf("flags %#x at level %v, want %#x", in.Flags, level, want)
	}
	library := types.EncryptionKey{KeyType: a.session.Etype, KeyValue: a.session.Value}
	part := messages.EncAPRepPart{
		CTime: in.Time.Truncate(time.Second), Cusec: in.Time.Nanosecond() / 1000, SequenceNumber: 0xfffffffe,
		Subkey: types.EncryptionKey{KeyType: a.session.Etype, KeyValue: bytes.Repeat([]byte{7}, len(a.session.Value))},
	}
	plain, err := part.Marshal()
	if err != nil {
		return nil, err
	}
	rep := messages.APRep{PVNO: 5, MsgType: 15}
	if rep.EncPart, err = crypto.GetEncryptedData(plain, library, keyusage.AP_REP_ENCPART, 0); err != nil {
		return nil, err
	}
	answer, err := rep.Marshal()
	if err != nil {
		return nil, err
	}
	if a.established, err = in.OpenAPRep(answer); err != nil {
		return nil, err
	}
	a.receive, a.send, err = a.established.Streams()
	if err != nil {
		return nil, err
	}
	a.receive.SetHeaderSigning(a.headerSigning)
	a.send.SetHeaderSigning(a.headerSigning)
	return answer, nil
}

// call answers one fragment of a request with one of a response.
func (a *acceptor) call(pdu []byte) error {
	r, err := rpcparse.ParseRequest(pdu)
	if err != nil {
		return err
	}
	seal := a.verifier.Level == rpcparse.LevelPrivacy
	protects := a.verifier.Level > rpcparse.LevelConnect
	if protects != r.HasVerifier {
		return fmt.Errorf("a verifier: %v", r.HasVerifier)
	}
	if protects {
		if err := a.receive.Unprotect(pdu, r.StubOffset, r.Verifier.Offset, seal); err != nil {
			return err
		}
	}
	h := r.Header
	h.Type = rpcparse.PTypeResponse
	out := rpcparse.Response{Header: h, ContextID: r.ContextID, Stub: r.Stub, AllocHint: uint32(len(r.Stub))}
	if protects {
		out.Verifier, out.HasVerifier = a.verifier, true
		out.Verifier.PadLength = rpcparse.PadTo(len(r.Stub), 16)
		out.Verifier.Token = make([]byte, a.send.TokenSize(seal))
	}
	b, err := rpcparse.AppendResponse(nil, out)
	if err != nil {
		return err
	}
	if protects {
		parsed, err := rpcparse.ParseResponse(b)
		if err != nil {
			return err
		}
		if err := a.send.Protect(b, parsed.StubOffset, parsed.Verifier.Offset, seal); err != nil {
			return err
		}
	}
	if a.alter != nil {
		a.alter(b)
	}
	_, err = a.conn.Write(b)
	return err
}

// start serves one connection; ended is what became of it.
func (a *acceptor) start(t testing.TB) (addr string, ended chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ended = make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		a.conn = conn
		ended <- a.serve()
	}()
	return l.Addr().String(), ended
}
