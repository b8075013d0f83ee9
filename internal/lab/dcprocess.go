package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// Questions to the domain controller's process: a line on its standard input. It answers each with a line of JSON.
const (
	askCount = "count" // a DCCount
	askPeers = "peers" // a DCPeers
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
	dc, err := simdc.Start(o.config())
	if err != nil {
		return err
	}
	defer dc.Close()
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := out.Encode(answerAbout(dc, lines.Text())); err != nil {
			return err
		}
	}
	return lines.Err()
}

func answerAbout(dc *simdc.Server, question string) any {
	switch question {
	case askCount:
		return DCCount{Sessions: dc.TotalSessions(), Connections: dc.Connections(), Binds: dc.Requests()[nspi.OpnumBind]}
	case askPeers:
		return DCPeers{Connections: dc.Peers(), Sessions: dc.SessionPeers()}
	}
	return nil
}

func (o DCOptions) config() simdc.Config {
	c := simdc.Config{
		Address: o.Address, EPMPort: portEPM, NSPIPort: o.NSPIPort, MorePorts: o.MorePorts,
		Domain: Domain, Limit: -1, AnonymousBind: o.Anonymous, Delay: o.delay,
		Users: []simdc.User{{Name: Alice.Name, Password: Alice.Password}, {Name: Bob.Name, Password: Bob.Password}},
	}
	if c.Addresses = o.Addresses; o.Address6 != "" {
		c.Addresses = append(c.Addresses, o.Address6)
	}
	return c
}

func (o DCOptions) delay(iface rpcparse.SyntaxID, opnum uint16) time.Duration {
	switch {
	case iface == nspi.Interface && opnum == nspi.OpnumBind:
		return o.BindDelay
	case iface == tower.EPMInterface:
		return o.MapDelay
	}
	return 0
}
