package simdc_test

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

func TestContextsAreAnsweredOneByOne(t *testing.T) {
	unknown := rpcparse.SyntaxID{UUID: rpcparse.UUID{9}, Version: 1}
	other := rpcparse.SyntaxID{UUID: rpcparse.UUID{8}, Version: 1}
	newer := nspi.Interface
	newer.Version |= 1 << 16
	offer := []rpcparse.ContextElement{
		client.Context(0, nspi.Interface),
		client.Context(1, nspi.Interface, rpcparse.SyntaxNDR64),
		client.Context(2, nspi.Interface, rpcparse.FeatureSyntax(0xff)),
		client.Context(3, unknown),
		client.Context(4, newer),
		client.Context(5, simdc.EchoInterface, other),
		client.Context(6, simdc.EchoInterface, rpcparse.SyntaxNDR),
	}
	type result struct{ result, reason uint16 }
	for name, tc := range map[string]struct {
		cfg  simdc.Config
		want []result
	}{
		"with NDR64":    {simdc.Config{AnonymousBind: true}, []result{{2, 2}, {0, 0}, {3, 3}, {2, 1}, {2, 1}, {2, 2}, {0, 0}}},
		"without NDR64": {simdc.Config{AnonymousBind: true, NoNDR64: true}, []result{{0, 0}, {2, 2}, {3, 3}, {2, 1}, {2, 1}, {2, 2}, {0, 0}}},
	} {
		c := dial(t, start(t, tc.cfg), client.Options{Contexts: offer})
		for i, r := range c.LastAck.Results.All() {
			if (result{r.Result, r.Reason}) != tc.want[i] {
				t.Errorf("%s, context %d: result %d, reason %d, want %v", name, i, r.Result, r.Reason, tc.want[i])
			}
		}
		bind(t, c)
	}
}

func TestAlterContextAddsAndNeverRedefines(t *testing.T) {
	c := dial(t, start(t, simdc.Config{AnonymousBind: true}), client.Options{})
	if err := c.AlterContext(nil, client.Context(300, nspi.Interface, rpcparse.SyntaxNDR64)); err != nil {
		t.Fatal(err)
	}
	h := bind(t, c)
	c.ContextID = 0
	if err := c.NspiUnbind(h); err != nil {
		t.Errorf("the same session in the other syntax: %v", err)
	}
	if err := c.AlterContext(nil, client.Context(0, nspi.Interface)); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if _, ok := c.AlterContext(nil, client.Context(7, tower.EPMInterface)).(*client.Rejected); !ok {
		t.Error("an interface of another port accepted")
	}
	err := c.AlterContext(nil, client.Context(0, simdc.EchoInterface))
	if !client.IsFault(err, rpcparse.StatusProtoError) {
		t.Errorf("redefined: %v", err)
	}
	if _, _, err := c.ReadPDU(); !ended(err) {
		t.Errorf("the connection goes on: %v", err)
	}
}

// pdus makes PDUs that break the rules of a connection.
type pdus struct{ t *testing.T }

func (p pdus) must(b []byte, err error) []byte {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p pdus) head(t rpcparse.PType, flags rpcparse.Flags, call uint32) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: flags, Drep: rpcparse.DrepLittleEndian, CallID: call}
}

func (p pdus) bind(t rpcparse.PType, contexts ...rpcparse.ContextElement) []byte {
	return p.must(rpcparse.AppendBind(nil, rpcparse.Bind{Header: p.head(t, rpcparse.FlagsWhole, 1),
		MaxXmitFrag: 5840, MaxRecvFrag: 5840, Contexts: rpcparse.NewContextList(contexts...)}))
}

func (p pdus) request(flags rpcparse.Flags, call uint32, change func(*rpcparse.Request)) []byte {
	r := rpcparse.Request{Header: p.head(rpcparse.PTypeRequest, flags, call), Opnum: 7, Stub: make([]byte, 8)}
	if change != nil {
		change(&r)
	}
	return p.must(rpcparse.AppendRequest(nil, r))
}

func (p pdus) auth3(id uint32) []byte {
	return p.must(rpcparse.AppendAuth3(nil, rpcparse.Auth3{Header: p.head(rpcparse.PTypeAuth3, rpcparse.FlagsWhole, 1), HasVerifier: true,
		Verifier: rpcparse.Verifier{Type: rpcparse.AuthNTLM, Level: rpcparse.LevelConnect, ContextID: id, Token: []byte("NTLMSSP")}}))
}

func TestBrokenRulesEndTheConnection(t *testing.T) {
	dc := start(t, simdc.Config{})
	p := pdus{t}
	first, last := rpcparse.FlagFirstFrag, rpcparse.FlagLastFrag
	good := client.Context(0, nspi.Interface)
	minor := p.bind(rpcparse.PTypeBind, good)
	minor[1] = 1
	for name, tc := range map[string]struct {
		unbound bool
		send    []byte
		answer  rpcparse.PType // PTypeRequest: none
		code    uint32
	}{
		"not DCE/RPC":              {true, []byte("GET / HTTP/1.1\r\n\r\n"), rpcparse.PTypeRequest, 0},
		"a server's PDU":           {true, append([]byte{5, 0, 2, 3, 0x10, 0, 0, 0, 24, 0}, make([]byte, 14)...), rpcparse.PTypeRequest, 0},
		"request before bind":      {true, p.request(first|last, 1, nil), rpcparse.PTypeFault, rpcparse.StatusProtoError},
		"alter before bind":        {true, p.bind(rpcparse.PTypeAlterContext, good), rpcparse.PTypeFault, rpcparse.StatusProtoError},
		"bind without contexts":    {true, p.bind(rpcparse.PTypeBind), rpcparse.PTypeBindNak, rpcparse.NakNotSpecified},
		"bind of version 5.1":      {true, minor, rpcparse.PTypeBindNak, rpcparse.NakProtocolVersionNotSupported},
		"one id for two":           {true, p.bind(rpcparse.PTypeBind, good, client.Context(0, simdc.EchoInterface)), rpcparse.PTypeBindNak, 0},
		"second bind":              {false, p.bind(rpcparse.PTypeBind, good), rpcparse.PTypeBindNak, rpcparse.NakNotSpecified},
		"alter without contexts":   {false, p.bind(rpcparse.PTypeAlterContext), rpcparse.PTypeFault, rpcparse.StatusProtoError},
		"auth3 out of nowhere":     {false, p.auth3(4), rpcparse.PTypeFault, rpcparse.StatusProtoError},
		"request with no start":    {false, p.request(last, 1, nil), rpcparse.PTypeFault, rpcparse.StatusProtoError},
		"start in the middle":      {false, append(p.request(first, 1, nil), p.request(first, 2, nil)...), rpcparse.PTypeFault, rpcparse.StatusProtoError},
		"fragment of another call": {false, append(p.request(first, 1, nil), p.request(last, 2, nil)...), rpcparse.PTypeFault, rpcparse.StatusProtoError},
		"opnum that changes": {false, append(p.request(first, 1, nil), p.request(last, 1, func(r *rpcparse.Request) { r.Opnum = 1 })...),
			rpcparse.PTypeFault, rpcparse.StatusProtoError},
		"context that changes": {false, append(p.request(first, 1, nil), p.request(last, 1, func(r *rpcparse.Request) { r.ContextID = 1 })...),
			rpcparse.PTypeFault, rpcparse.StatusProtoError},
		"byte order that changes": {false, append(p.request(first, 1, nil), p.request(last, 1, func(r *rpcparse.Request) {
			r.Drep = rpcparse.DrepOf(rpcparse.BigEndian)
		})...), rpcparse.PTypeFault, rpcparse.StatusProtoError},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := client.Connect(dc.NSPIAddr().String(), loopback2)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if !tc.unbound {
				if err := c.Bind(client.Options{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Write(tc.send); err != nil {
				t.Fatal(err)
			}
			if tc.answer != rpcparse.PTypeRequest {
				expect(t, c, tc.answer, tc.code)
			}
			if _, _, err := c.ReadPDU(); !ended(err) {
				t.Errorf("the connection goes on: %v", err)
			}
		})
	}
}

// expect reads a fault or bind_nak.
func expect(t *testing.T, c *client.Conn, want rpcparse.PType, code uint32) {
	t.Helper()
	pdu, h, err := c.ReadPDU()
	if err != nil {
		t.Fatal(err)
	}
	var got uint32
	switch h.Type {
	case rpcparse.PTypeFault:
		f, err := rpcparse.ParseFault(pdu)
		if err != nil {
			t.Fatal(err)
		}
		got = f.Status
	case rpcparse.PTypeBindNak:
		n, err := rpcparse.ParseBindNak(pdu)
		if err != nil {
			t.Fatal(err)
		}
		got = uint32(n.Reason)
	}
	if h.Type != want || got != code {
		t.Errorf("%v %#x, want %v %#x", h.Type, got, want, code)
	}
}

func TestOutstandingCallIDsAreNotUsedTwice(t *testing.T) {
	c := dial(t, start(t, simdc.Config{}), echoOptions())
	for range 2 {
		if _, err := c.Send(client.Request{Opnum: simdc.EchoAfterOpnum, Stub: u32(1000), CallID: 50}); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, c, rpcparse.PTypeFault, rpcparse.StatusProtoError)
	again := dial(t, start(t, simdc.Config{}), echoOptions())
	for range 3 { // but one that was answered may come again
		if _, err := again.Do(client.Request{CallID: 50}); err != nil {
			t.Error(err)
		}
	}
}

func TestPDUsSplitAnywhereAreRead(t *testing.T) {
	c, err := client.Connect(start(t, simdc.Config{}).NSPIAddr().String(), loopback2)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := pdus{t}
	stream := p.bind(rpcparse.PTypeBind, client.Context(0, simdc.EchoInterface))
	stream = append(stream, p.request(rpcparse.FlagsWhole, 2, func(r *rpcparse.Request) { r.Opnum = 0 })...)
	for i := range stream {
		if err := c.Write(stream[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []rpcparse.PType{rpcparse.PTypeBindAck, rpcparse.PTypeResponse} {
		if _, h, err := c.ReadPDU(); err != nil || h.Type != want {
			t.Errorf("%v, %v, want %v", h.Type, err, want)
		}
	}
}

func TestRequestsOverFourMiBAreRefused(t *testing.T) {
	c := dial(t, start(t, simdc.Config{}), echoOptions())
	if _, err := c.Call(simdc.EchoOpnum, make([]byte, 4<<20+1)); !client.IsFault(err, rpcparse.StatusAccessDenied) {
		t.Errorf("%v", err)
	}
	if _, err := c.Call(simdc.EchoOpnum, []byte("still there")); err != nil {
		t.Error(err)
	}
}
