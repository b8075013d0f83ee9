package lab

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// Questions to the domain controller's process: a line on its standard input. It answers each with a line of JSON.
const (
	askCount = "count" // a DCCount
	askPeers = "peers" // a DCPeers
	askSlow  = "slow"  // with how long NspiBind and the endpoint mapper take, in nanoseconds; true
)

// serveDC is the domain controller's process, until its standard input ends.
func serveDC() int {
	if err := runDC(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dc:", err)
		return 1
	}
	return 0
}

func runDC(options string) error {
	var o DCOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	var p pace
	p.set(o.BindDelay, o.MapDelay)
	dc, err := simdc.Start(o.config(&p))
	if err != nil {
		return err
	}
	defer dc.Close()
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := out.Encode(answerAbout(dc, &p, lines.Text())); err != nil {
			return err
		}
	}
	return lines.Err()
}

func answerAbout(dc *simdc.Server, p *pace, question string) any {
	var bind, mapper time.Duration
	switch question {
	case askCount:
		return DCCount{
			Sessions: dc.TotalSessions(), Connections: len(slices.DeleteFunc(dc.Peers(), mapped)),
			Binds: dc.Requests()[nspi.OpnumBind], Unbinds: dc.Requests()[nspi.OpnumUnbind], Maps: int(p.maps.Load()),
		}
	case askPeers:
		return DCPeers{Connections: dc.Peers(), Sessions: dc.SessionPeers()}
	}
	if n, err := fmt.Sscanf(question, askSlow+" %d %d", &bind, &mapper); err == nil && n == 2 {
		p.set(bind, mapper)
		return true
	}
	return nil
}

// mapped says whether a connection is one to the endpoint mapper.
func mapped(p simdc.Peer) bool { return p.Server.Port() == PortEPM }

func (o DCOptions) config(p *pace) simdc.Config {
	c := simdc.Config{
		Address: o.Address, EPMPort: PortEPM, NSPIPort: o.NSPIPort, MorePorts: o.MorePorts, ProcessPorts: o.Process,
		Domain: Domain, Limit: cmp.Or(o.Limit, -1), AnonymousBind: o.Anonymous, NoKeepAlive: o.Deaf, KeepAlive: o.KeepAlive, Delay: p.delay,
		Users: []simdc.User{{Name: Alice.Name, Password: Alice.Password}, {Name: Bob.Name, Password: Bob.Password}},
	}
	if c.Addresses = o.Addresses; o.Address6 != "" {
		c.Addresses = append(c.Addresses, o.Address6)
	}
	return c
}

// pace is how long calls take.
type pace struct {
	bind, mapper atomic.Int64 // time.Duration
	maps         atomic.Int64 // calls to the endpoint mapper
}

func (p *pace) set(bind, mapper time.Duration) {
	p.bind.Store(int64(bind))
	p.mapper.Store(int64(mapper))
}

func (p *pace) delay(iface rpcparse.SyntaxID, opnum uint16) time.Duration {
	switch {
	case iface == nspi.Interface && opnum == nspi.OpnumBind:
		return time.Duration(p.bind.Load())
	case iface == tower.EPMInterface:
		p.maps.Add(1)
		return time.Duration(p.mapper.Load())
	}
	return 0
}
