package inspect

import (
	"runtime"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// der is an element with a definite length.
func der(tag byte, content []byte) []byte {
	n := len(content)
	switch {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	}
	return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
}

// manyMechanisms is a NegTokenInit that offers unknown mechanisms, in about so many bytes.
func manyMechanisms(size int) []byte {
	list := []byte(strings.Repeat("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x63", size/12))
	inner := der(0xa0, der(0x30, der(0xa0, der(0x30, list))))
	return der(0x60, append([]byte("\x06\x06\x2b\x06\x01\x05\x05\x02"), inner...))
}

// legPDU is a token for a security context.
func legPDU(t testing.TB, ptype rpcparse.PType, id uint32, authType rpcparse.AuthType, token []byte) []byte {
	return bindPDU(t, ptype, id, 0, &rpcparse.Verifier{Type: authType, Level: rpcparse.LevelConnect, ContextID: id, Token: token})
}

// heapOf returns how many bytes more are in use, after f.
func heapOf(f func()) int64 {
	in := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := in()
	f()
	return in() - before
}

// TestConnectionKeepsNoMoreThanItsBudget, whatever its client sends: the connection is closed, and what was kept until then
// is what docs/security.md says.
func TestConnectionKeepsNoMoreThanItsBudget(t *testing.T) {
	long := ntlm.Negotiate{Domain: strings.Repeat("d", 4000)}
	negotiate, err := ntlm.AppendNegotiate(nil, long)
	if err != nil {
		t.Fatal(err)
	}
	beginning := der(0x60, make([]byte, 60000))[:5000] // of a token that goes on
	for name, next := range map[string]func(d *driver, n uint32) []byte{
		"lists of mechanisms": func(_ *driver, n uint32) []byte {
			return legPDU(t, rpcparse.PTypeAlterContext, n, rpcparse.AuthSPNEGO, manyMechanisms(20000))
		},
		"first messages of NTLM": func(_ *driver, n uint32) []byte {
			return legPDU(t, rpcparse.PTypeAlterContext, n, rpcparse.AuthNTLM, negotiate)
		},
		"parts of tokens": func(_ *driver, n uint32) []byte {
			return legPDU(t, rpcparse.PTypeAlterContext, n, rpcparse.AuthSPNEGO, beginning)
		},
		"parts of NspiUnbind": func(_ *driver, n uint32) []byte {
			return rpc{id: n, opnum: nspi.OpnumUnbind}.part(rpcparse.FlagFirstFrag).request(t, make([]byte, 3000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.deps.Keys = keyring{keytabKeys{}}
			d := s.connect()
			d.bound(nil)
			kept := heapOf(func() {
				for n := uint32(10); n < 3000 && !d.closed; n++ {
					pdu := next(d, n)
					d.client(pdu)
					if pdu[2] == byte(rpcparse.PTypeAlterContext) && !d.closed {
						d.server(ackPDU(t, rpcparse.PTypeAlterContextResp, n, 1, nil))
					}
					d.take(rpcparse.ClientToServer)
					d.take(rpcparse.ServerToClient)
				}
			})
			if all := eventsOf[Violation](s.events); !d.closed || len(all) != 1 || rpcparse.ClassOf(all[0].Err) != rpcparse.ClassLimit {
				t.Errorf("closed: %t, %+v", d.closed, all)
			}
			if most := int64(128<<10 + recordSize*d.inspector.conv.SecurityContexts()); kept > most {
				t.Errorf("%d bytes are kept, at most %d", kept, most)
			}
			t.Logf("%d bytes in the end, %d by the account", kept, d.kept)
			runtime.KeepAlive(d)
		})
	}
}

// TestAsManyContextsAsServersAllowAreNotTooMuch: a suite of tests may begin them all.
func TestAsManyContextsAsServersAllowAreNotTooMuch(t *testing.T) {
	s := newSite(t)
	s.deps.Keys = keyring{keytabKeys{}}
	d := s.connect()
	d.bound(nil)
	negotiate, err := ntlm.AppendNegotiate(nil, ntlm.Negotiate{Domain: "LAB", Workstation: "CLIENT17"})
	if err != nil {
		t.Fatal(err)
	}
	kept := heapOf(func() {
		for n := uint32(10); n < 10+2049; n++ {
			d.client(legPDU(t, rpcparse.PTypeAlterContext, n, rpcparse.AuthNTLM, negotiate))
			d.server(ackPDU(t, rpcparse.PTypeAlterContextResp, n, 1, nil))
			d.take(rpcparse.ClientToServer)
			d.take(rpcparse.ServerToClient)
		}
	})
	d.wantOpen()
	if most := int64(3 << 20); kept > most {
		t.Errorf("%d bytes are kept, at most %d", kept, most)
	}
	if d.kept < 2049*recordSize || int64(d.kept) > 2*kept || 2*int64(d.kept) < kept {
		t.Errorf("%d bytes by the account, %d in use", d.kept, kept)
	}
	t.Logf("%d bytes, %d by the account", kept, d.kept)
	runtime.KeepAlive(d)
}

// TestWhatIsFinishedIsAwaitedNoMore: the relay times a client that owes the rest.
func TestWhatIsFinishedIsAwaitedNoMore(t *testing.T) {
	s := newSite(t)
	d := s.connect()
	d.bound(nil)
	call := nspiBind(2, nil)
	parts := inParts(t, call, 3)
	d.client(parts[0], parts[1])
	if !d.unfinished || d.kept == 0 {
		t.Errorf("half an NspiBind: %d bytes, unfinished %t", d.kept, d.unfinished)
	}
	d.client(parts[2])
	if d.unfinished || d.kept != 0 {
		t.Errorf("a whole NspiBind: %d bytes, unfinished %t", d.kept, d.unfinished)
	}
	d.server(call.response(t, call.grantedStub(handle(1))))
	unbind := rpc{id: 3, opnum: nspi.OpnumUnbind}
	stub := unbind.unbindStub(handle(1))
	d.client(unbind.part(rpcparse.FlagFirstFrag).request(t, stub[:8]))
	if !d.unfinished {
		t.Error("half an NspiUnbind is not awaited")
	}
	d.client(unbind.part(rpcparse.FlagLastFrag).request(t, stub[8:]))
	if d.unfinished || d.kept != 0 {
		t.Errorf("a whole NspiUnbind: %d bytes, unfinished %t", d.kept, d.unfinished)
	}
	d.server(unbind.response(t, unbind.unboundStub(nspi.UnbindSuccess)))
	s.wantSlots(0, 0, 0, 0)
}

// TestConnectionWithoutTheAddressBookIsNotTimed; one with it is, until there is a session in its association.
func TestConnectionWithoutTheAddressBookIsNotTimed(t *testing.T) {
	s := newSite(t)
	other := s.connect()
	b := rpcparse.Bind{Header: header(rpcparse.PTypeBind, 1), MaxXmitFrag: 5840, MaxRecvFrag: 5840,
		Contexts: rpcparse.NewContextList(offers[ctxOther])}
	pdu, err := rpcparse.AppendBind(nil, b)
	other.client(must(t, pdu, err))
	a := rpcparse.BindAck{Header: header(rpcparse.PTypeBindAck, 1), MaxXmitFrag: 5840, MaxRecvFrag: 5840, AssocGroupID: 77,
		SecondaryAddress: []byte("1\x00"), Results: rpcparse.NewResultList(rpcparse.ContextResult{Transfer: rpcparse.SyntaxNDR})}
	ack, err := rpcparse.AppendBindAck(nil, a)
	other.server(must(t, ack, err))
	if other.awaits {
		t.Error("a connection to another interface awaits a session")
	}

	d := s.connect()
	group := d.bound(nil)
	if !d.awaits || !d.inspector.Sessionless() {
		t.Errorf("awaits %t, sessionless %t", d.awaits, d.inspector.Sessionless())
	}
	joined := s.connect()
	joined.joined(group, group, nil)
	d.granted(nspiBind(2, nil), handle(1))
	d.unbound(rpc{id: 3}, handle(1))
	for _, c := range []*driver{d, joined} {
		if c.inspector.Sessionless() {
			t.Error("its association has had a session")
		}
	}
}
