package backend

import (
	"context"
	"net/netip"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// ProbeEPM is a [Prober] that asks the endpoint mapper whether NSPI is registered
// and connects to its port; a fixed port it only connects to. It shows that the
// service runs, not that it works.
func ProbeEPM(ctx context.Context, t Target) (r Result) {
	began := time.Now()
	defer func() { r.Duration = time.Since(began) }()
	port := t.NSPIPort
	if port == 0 {
		c, err := client.DialMapper(ctx, netip.AddrPortFrom(t.Addr, t.EPMPort))
		r.Reachable = !isDial(err)
		if err != nil {
			r.Err = err.Error()
			return r
		}
		defer c.Close()
		ports, err := c.Map(ctx, nspi.Interface)
		if err != nil {
			r.Err = err.Error()
			return r
		}
		port = ports[0]
	}
	if err := dialTCP(ctx, netip.AddrPortFrom(t.Addr, port)); err != nil {
		r.Err = err.Error()
		return r
	}
	r.Reachable, r.Serving = true, true
	return r
}
