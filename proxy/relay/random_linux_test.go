package relay

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"pgregory.net/rapid"
)

// plan is what a handler does with one client PDU, and the model's view of it.
type plan struct {
	hold     int // times it is held before the verdict
	action   Action
	toServer [][]byte
	toClient [][]byte
}

// injectedID is the first call id of injected PDUs, to tell them apart.
const injectedID = 1 << 20

func drawPlans(t *rapid.T, n int) (plans []plan) {
	id := uint32(injectedID)
	injected := func(name string, ptype rpcparse.PType) (out [][]byte) {
		for range max(0, rapid.IntRange(-3, 2).Draw(t, name)) {
			out = append(out, pdu(ptype, id, rapid.IntRange(24, 6000).Draw(t, name+" size")))
			id++
		}
		return out
	}
	for range n {
		plans = append(plans, plan{
			hold:     max(0, rapid.IntRange(-4, 2).Draw(t, "hold")),
			action:   rapid.SampledFrom([]Action{Forward, Forward, Drop}).Draw(t, "action"),
			toServer: injected("to server", rpcparse.PTypeRequest),
			toClient: injected("to client", rpcparse.PTypeResponse),
		})
	}
	return plans
}

// planner carries out plans; every hold is ended by another goroutine.
type planner struct {
	plans []plan
	at    int
}

func (k *planner) decide(c *Conn) Verdict {
	p := &k.plans[k.at]
	if p.hold > 0 {
		p.hold--
		go c.Wake()
		return Verdict{Action: Hold}
	}
	k.at++
	return Verdict{Action: p.action, ToServer: slices.Concat(p.toServer...), ToClient: slices.Concat(p.toClient...)}
}

func TestStreamsFollowTheVerdicts(t *testing.T) {
	r := newRig(t, Options{}, nil)
	rapid.Check(t, func(t *rapid.T) {
		up := drawStream(t, "up", rpcparse.PTypeRequest, rpcparse.PTypeBind)
		down := drawStream(t, "down", rpcparse.PTypeResponse, rpcparse.PTypeBindAck)
		plans := drawPlans(t, len(up.pdus))
		r.configure(func(p *probe) {
			k := &planner{plans: slices.Clone(plans)}
			p.fromClient = func(rpcparse.Header, []byte) Verdict { return k.decide(p.conn) }
			p.resume = func() Verdict { return k.decide(p.conn) }
		})
		var wantServer, wantInjected [][]byte
		for i, p := range plans {
			if p.action == Forward {
				wantServer = append(wantServer, up.pdus[i])
			}
			wantServer = append(wantServer, p.toServer...)
			wantInjected = append(wantInjected, p.toClient...)
		}

		client, server, p := r.connect()
		go func() { _ = up.writeTo(client); _ = client.CloseWrite() }()
		atServer := make(chan []byte, 1)
		go func() {
			go func() { _ = down.writeTo(server) }()
			b, _ := io.ReadAll(server)
			atServer <- b
		}()
		gotServer := <-atServer
		if !bytes.Equal(gotServer, slices.Concat(wantServer...)) {
			t.Fatalf("the server got %d bytes, want %d", len(gotServer), len(slices.Concat(wantServer...)))
		}
		var gotDown, gotInjected [][]byte
		for len(gotDown) < len(down.pdus) || len(gotInjected) < len(wantInjected) {
			one, id := readPDU(t, client)
			if id >= injectedID {
				gotInjected = append(gotInjected, one)
			} else {
				gotDown = append(gotDown, one)
			}
		}
		if !slices.EqualFunc(gotDown, down.pdus, bytes.Equal) || !slices.EqualFunc(gotInjected, wantInjected, bytes.Equal) {
			t.Fatal("the client got other PDUs")
		}
		_ = server.CloseWrite()
		r.ends(p, CauseEnd)
	})
}

// readPDU reads one whole PDU: wherever one is injected, it is between others.
func readPDU(t *rapid.T, c io.Reader) (b []byte, callID uint32) {
	b = make([]byte, rpcparse.HeaderSize)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	h, err := rpcparse.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, make([]byte, int(h.FragLength)-len(b))...)
	if _, err := io.ReadFull(c, b[rpcparse.HeaderSize:]); err != nil {
		t.Fatal(err)
	}
	return b, h.CallID
}
