package simdc_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func u32(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

func TestAnswersOvertakeEachOther(t *testing.T) {
	c := dial(t, start(t, simdc.Config{}), echoOptions())
	var sent []uint32
	for _, ms := range []int{300, 150, 0} {
		id, err := c.Send(client.Request{Opnum: simdc.EchoAfterOpnum, Stub: u32(ms)})
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, id)
	}
	for i, id := range sent {
		if got, err := c.Receive(id); err != nil || !bytes.Equal(got, u32([]int{300, 150, 0}[i])) {
			t.Errorf("call %d: %x, %v", id, got, err)
		}
	}
	slices.Reverse(sent)
	if !slices.Equal(c.Answered, sent) {
		t.Errorf("answered in order %v, want %v", c.Answered, sent)
	}
}

func TestCallsWaitForEachOtherWithoutMultiplexing(t *testing.T) {
	for name, o := range map[string]struct {
		server simdc.Config
		client bool
	}{
		"client does not offer": {simdc.Config{}, true},
		"server does not agree": {simdc.Config{NoMultiplexing: true}, false},
	} {
		opts := echoOptions()
		opts.NoMultiplexing = o.client
		c := dial(t, start(t, o.server), opts)
		if c.Multiplexed {
			t.Errorf("%s: multiplexed", name)
		}
		first, _ := c.Send(client.Request{Opnum: simdc.EchoAfterOpnum, Stub: u32(100)})
		second, _ := c.Send(client.Request{Opnum: simdc.EchoOpnum})
		if _, err := c.Receive(second); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.Answered, []uint32{first, second}) {
			t.Errorf("%s: answered %v", name, c.Answered)
		}
	}
}

func TestDelayIsConfiguredByOperation(t *testing.T) {
	const wait = 100 * time.Millisecond
	c := dial(t, start(t, simdc.Config{AnonymousBind: true, Delay: func(i rpcparse.SyntaxID, opnum uint16) time.Duration {
		if i == nspi.Interface && opnum == nspi.OpnumBind {
			return wait
		}
		return 0
	}}), client.Options{})
	began := time.Now()
	slow, err := c.SendNspiBind()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(7, []byte("quick")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReceiveNspiBind(slow); err != nil || time.Since(began) < wait {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if c.Answered[0] == slow {
		t.Error("the delayed call was answered first")
	}
}

func TestFragmentsFollowTheNegotiatedSize(t *testing.T) {
	for _, tc := range []struct {
		server, client uint16
		want           int
	}{{0, 0, 5840}, {0, 4280, 4280}, {0, 1000, 2048}, {2048, 0, 2048}, {0, 60000, 5840}, {0, 4001, 4000}} {
		dc := start(t, simdc.Config{MaxFragment: tc.server})
		for _, security := range []*client.Security{nil, alice(rpcparse.LevelPrivacy)} {
			o := echoOptions()
			o.MaxFragment, o.Security = tc.client, security
			c := dial(t, dc, o)
			if c.MaxFragment != tc.want {
				t.Errorf("%+v: negotiated %d", tc, c.MaxFragment)
			}
			id, err := c.Send(client.Request{Opnum: simdc.EchoSizeOpnum, Stub: u32(50_001)})
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.Await(id)
			if err != nil || !bytes.Equal(a.Stub, simdc.EchoPattern(50_001)) {
				t.Errorf("%+v: %d bytes, %v", tc, len(a.Stub), err)
			}
			if least := 50_001/tc.want + 1; a.Fragments < least || a.Fragments > least+1 {
				t.Errorf("%+v: %d fragments, want %d", tc, a.Fragments, least)
			}
			sent := simdc.EchoPattern(30_000) // in fragments of the client's choice
			if got, err := c.Do(client.Request{Stub: sent, Fragment: 800}); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%+v: %d bytes come back as %d, %v", tc, len(sent), len(got), err)
			}
			if got, err := c.Call(simdc.EchoOpnum, nil); err != nil || len(got) != 0 {
				t.Errorf("%+v: nothing comes back as %d bytes, %v", tc, len(got), err)
			}
		}
	}
}

func TestObjectUUIDsPass(t *testing.T) {
	o := echoOptions()
	o.Security = alice(rpcparse.LevelPrivacy)
	c := dial(t, start(t, simdc.Config{}), o)
	if got, err := c.Do(client.Request{Stub: []byte("with an object"), Object: &rpcparse.UUID{1}}); err != nil || string(got) != "with an object" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOperationsThatDoNotWorkFault(t *testing.T) {
	c := dial(t, start(t, simdc.Config{AnonymousBind: true}), client.Options{
		Contexts: []rpcparse.ContextElement{client.Context(0, nspi.Interface), client.Context(1, simdc.EchoInterface)}})
	echo, missing := uint16(1), uint16(9)
	for name, tc := range map[string]struct {
		r      client.Request
		status uint32
	}{
		"NSPI opnum 21":             {client.Request{Opnum: 21}, rpcparse.StatusOpRangeError},
		"NspiBind of no bytes":      {client.Request{Opnum: 0}, rpcparse.StatusBadStubData},
		"NspiUnbind of no bytes":    {client.Request{Opnum: 1}, rpcparse.StatusBadStubData},
		"NspiQueryRows of no bytes": {client.Request{Opnum: 3}, rpcparse.StatusBadStubData},
		"NspiQueryRows, no handle":  {client.Request{Opnum: 3, Stub: make([]byte, 100)}, rpcparse.StatusContextMismatch},
		"echo opnum 4":              {client.Request{Opnum: 4, ContextID: &echo}, rpcparse.StatusOpRangeError},
		"echo without a number":     {client.Request{Opnum: 2, ContextID: &echo}, rpcparse.StatusBadStubData},
		"echo of a fault":           {client.Request{Opnum: 3, ContextID: &echo, Stub: u32(rpcparse.StatusServerTooBusy)}, rpcparse.StatusServerTooBusy},
		"echo of a forbidden fault": {client.Request{Opnum: 3, ContextID: &echo, Stub: u32(0)}, rpcparse.StatusBadStubData},
		"context that is not there": {client.Request{Opnum: 0, ContextID: &missing}, rpcparse.StatusUnknownIf},
	} {
		if _, err := c.Do(tc.r); !client.IsFault(err, tc.status) {
			t.Errorf("%s: %v, want %s", name, err, rpcparse.StatusName(tc.status))
		}
	}
	bind(t, c) // none of it hurts the connection
}

func TestOrphanedCallsThatWaitDoNotRun(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true, Delay: func(_ rpcparse.SyntaxID, opnum uint16) time.Duration {
		if opnum == nspi.OpnumBind {
			return 100 * time.Millisecond
		}
		return 0
	}})
	c := dial(t, dc, client.Options{})
	id, err := c.SendNspiBind()
	if err != nil {
		t.Fatal(err)
	}
	head := rpcparse.Header{Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: id}
	cancel, _ := rpcparse.AppendCoCancel(nil, rpcparse.CoCancel{Header: head})
	orphaned, _ := rpcparse.AppendOrphaned(nil, rpcparse.Orphaned{Header: head})
	if err := c.Write(append(cancel, orphaned...)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReceiveNspiBind(id); !client.IsFault(err, rpcparse.StatusServerUnavailable) {
		t.Errorf("%v", err)
	}
	if dc.TotalSessions() != 0 {
		t.Error("an orphaned call opened a session")
	}
	id, _ = c.SendNspiBind()
	head.CallID = id
	cancel, _ = rpcparse.AppendCoCancel(nil, rpcparse.CoCancel{Header: head})
	if err := c.Write(cancel); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReceiveNspiBind(id); err != nil {
		t.Errorf("cancelled, which comes too late: %v", err)
	}
}

func TestACallDoesNotOutliveItsConnection(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true, Delay: func(rpcparse.SyntaxID, uint16) time.Duration { return time.Hour }})
	c := dial(t, dc, client.Options{})
	if _, err := c.SendNspiBind(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request has arrived", func() bool { return dc.Requests()[nspi.OpnumBind] == 1 })
	c.Close()
	eventually(t, "the connection is gone", func() bool { return dc.Connections() == 0 })
	dc.Close() // waits for the call
}

func TestAHalfClosedClientGetsItsAnswers(t *testing.T) {
	c := dial(t, start(t, simdc.Config{}), echoOptions())
	id, err := c.Send(client.Request{Opnum: simdc.EchoAfterOpnum, Stub: u32(100)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.TCP.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(id); err != nil {
		t.Error(err)
	}
	if _, _, err := c.ReadPDU(); !ended(err) {
		t.Errorf("the connection goes on: %v", err)
	}
}
