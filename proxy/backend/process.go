package backend

import (
	"context"
	"errors"
	"slices"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// process is where the further interfaces of the process of NSPI are, as far as an
// endpoint mapper has said so on one connection. It is asked about all of them when
// the connection begins, and about one more with each later question for NSPI: their
// ports change with the process only, whose end ends the connection as well, but after
// its start services register one after the other.
type process struct {
	interfaces []rpcparse.SyntaxID
	ports      [][]uint16 // by interface, of those that were asked about on this connection
	turn       int        // the interface that is asked about next, when all have been
}

// begin forgets what an earlier connection has said.
func (p *process) begin() { p.ports, p.turn = p.ports[:0], 0 }

// all returns the ports of all interfaces, in ascending order, each once.
func (p *process) all() []uint16 {
	all := slices.Concat(p.ports...)
	slices.Sort(all)
	return slices.Compact(all)
}

// askProcess asks about the further interfaces, and reports their ports when all have
// been asked about.
func (w *watcher) askProcess(ctx context.Context, c *client.Mapper) error {
	p := &w.process
	if len(p.interfaces) == 0 {
		return nil
	}
	if len(p.ports) == len(p.interfaces) {
		ports, err := w.portsOf(ctx, c, p.interfaces[p.turn])
		if err != nil {
			return err
		}
		p.ports[p.turn] = ports
		p.turn = (p.turn + 1) % len(p.interfaces)
		w.learnProcess(false)
		return nil
	}
	for _, iface := range p.interfaces[len(p.ports):] {
		ports, err := w.portsOf(ctx, c, iface)
		if err != nil {
			return err
		}
		p.ports = append(p.ports, ports)
	}
	w.learnProcess(true)
	return nil
}

// portsOf asks about one further interface. That it is not registered is an answer, and
// so is a status: where NSPI is does not depend on it.
func (w *watcher) portsOf(ctx context.Context, c *client.Mapper, iface rpcparse.SyntaxID) ([]uint16, error) {
	ports, err := w.ask(ctx, c, iface)
	var status *client.StatusError
	if errors.Is(err, client.ErrNotRegistered) || errors.As(err, &status) {
		return nil, nil
	}
	return ports, err
}

// learnProcess takes the ports of all further interfaces. fresh says that they have not
// been asked about on this connection before.
func (w *watcher) learnProcess(fresh bool) {
	e := w.dc.observe(observation{kind: processAnswered, ports: w.process.all()})
	if e.portsChanged || fresh {
		w.set.o.OnPorts(w.dc, w.dc.Ports())
	}
}
