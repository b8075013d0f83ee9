// Plainrelay runs the event loops with a handler that forwards everything, to
// measure what they cost by themselves.
//
//	plainrelay -listen 127.0.0.1:7110 -to 127.0.0.1:7000
//
// It prints its counters when it is interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7110", "address to accept clients on")
	to := flag.String("to", "127.0.0.1:7000", "address of the server")
	loops := flag.Int("loops", 0, "event loops; 0: one per processor")
	flag.Parse()
	if err := run(*listen, *to, *loops); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(listen, to string, loops int) error {
	from, err := netip.ParseAddrPort(listen)
	if err != nil {
		return err
	}
	target, err := netip.ParseAddrPort(to)
	if err != nil {
		return err
	}
	g, err := relay.NewGroup(relay.Options{Loops: loops})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ln, err := g.Listen(relay.ListenOptions{Address: from, Route: func(_ *relay.Conn, attempt int) relay.Route {
		if attempt > 0 {
			return relay.Route{}
		}
		return relay.Route{Handler: forwardAll{}, Server: target}
	}})
	if err != nil {
		return err
	}
	fmt.Println("listening", ln.Addr())
	<-ctx.Done()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = g.Shutdown(now)
	fmt.Printf("%+v\n", g.Stats())
	return nil
}

// forwardAll lets everything through and tells nobody.
type forwardAll struct{}

func (forwardAll) FromClient(rpcparse.Header, []byte) relay.Verdict { return relay.Verdict{} }
func (forwardAll) FromServer(rpcparse.Header, []byte) relay.Verdict { return relay.Verdict{} }
func (forwardAll) Closed(relay.CloseReason)                         {}

func (forwardAll) Resume(rpcparse.Direction, rpcparse.Header, []byte) relay.Verdict {
	return relay.Verdict{}
}
