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

// Call ids of injected PDUs, to tell them apart: of the client's PDUs and of the
// server's.
const (
	injectedByClient = 1 << 20
	injectedByServer = 1 << 21
)

// drawPlans makes a plan for each of n PDUs. Only the client's PDUs put something
// into the stream to the server, which has not ended while they come.
func drawPlans(t *rapid.T, n int, id uint32) (plans []plan) {
	injected := func(name string, ptype rpcparse.PType) (out [][]byte) {
		for range max(0, rapid.IntRange(-3, 2).Draw(t, name)) {
			out = append(out, pdu(ptype, id, rapid.IntRange(24, 6000).Draw(t, name+" size")))
			id++
		}
		return out
	}
	for range n {
		p := plan{
			hold:     max(0, rapid.IntRange(-4, 2).Draw(t, "hold")),
			action:   rapid.SampledFrom([]Action{Forward, Forward, Drop}).Draw(t, "action"),
			toClient: injected("to client", rpcparse.PTypeResponse),
		}
		if id < injectedByServer {
			p.toServer = injected("to server", rpcparse.PTypeRequest)
		}
		plans = append(plans, p)
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

// follow is what one side gets of a stream: its PDUs, and what the plans put in
// their places.
func follow(plans []plan, pdus [][]byte, injected func(plan) [][]byte) (want [][]byte) {
	for i, p := range plans {
		if p.action == Forward {
			want = append(want, pdus[i])
		}
		want = append(want, injected(p)...)
	}
	return want
}

func TestStreamsFollowTheVerdicts(t *testing.T) {
	r := newRig(t, Options{}, nil)
	rapid.Check(t, func(t *rapid.T) {
		up := drawStream(t, "up", rpcparse.PTypeRequest, rpcparse.PTypeBind)
		down := drawStream(t, "down", rpcparse.PTypeResponse, rpcparse.PTypeBindAck)
		upPlans := drawPlans(t, len(up.pdus), injectedByClient)
		downPlans := drawPlans(t, len(down.pdus), injectedByServer)
		r.configure(func(p *probe) {
			planners := map[rpcparse.Direction]*planner{
				rpcparse.ClientToServer: {plans: slices.Clone(upPlans)},
				rpcparse.ServerToClient: {plans: slices.Clone(downPlans)},
			}
			decide := func(d rpcparse.Direction) Verdict { return planners[d].decide(p.conn) }
			p.fromClient = func(rpcparse.Header, []byte) Verdict { return decide(rpcparse.ClientToServer) }
			p.fromServer = func(rpcparse.Header, []byte) Verdict { return decide(rpcparse.ServerToClient) }
			p.resume = func(d rpcparse.Direction, _ rpcparse.Header, _ []byte) Verdict { return decide(d) }
		})
		wantServer := follow(upPlans, up.pdus, func(p plan) [][]byte { return p.toServer })
		wantDown := follow(downPlans, down.pdus, func(p plan) [][]byte { return p.toClient })
		var wantInjected [][]byte // to the client, somewhere between these
		for _, p := range upPlans {
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
		for len(gotDown) < len(wantDown) || len(gotInjected) < len(wantInjected) {
			one, id := readPDU(t, client)
			if id >= injectedByClient && id < injectedByServer {
				gotInjected = append(gotInjected, one)
			} else {
				gotDown = append(gotDown, one)
			}
		}
		if !slices.EqualFunc(gotDown, wantDown, bytes.Equal) || !slices.EqualFunc(gotInjected, wantInjected, bytes.Equal) {
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
