package demo

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// opnumUpdateStat is NspiUpdateStat, a call that needs a session.
const opnumUpdateStat = 2

// tally counts what the clients were told.
type tally struct {
	granted, refused, unbound atomic.Int64
}

// dial finds NSPI with the endpoint mapper at mapper, as Outlook does, and
// connects to it as a user.
func dial(mapper netip.AddrPort, who account) (*client.Conn, error) {
	ends, err := client.Map(mapper.String(), nspi.Interface, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("ept_map: %w", err)
	}
	for _, e := range ends {
		if e.Protocol == tower.ProtocolTCP {
			at := netip.AddrPortFrom(mapper.Addr(), e.Port)
			return client.Dial(at.String(), client.Options{Security: &client.Security{
				Level: rpcparse.LevelConnect, Domain: "LAB", User: who.name, Password: who.password,
			}})
		}
	}
	return nil, errors.New("ept_map: no TCP endpoint of NSPI")
}

// behave binds, asks something, unbinds, again and again.
func behave(ctx context.Context, s *stage, t *tally, pause time.Duration) error {
	c, err := dial(s.mapper, alice)
	if err != nil {
		return err
	}
	defer c.Close()
	for ctx.Err() == nil {
		if err := visit(c, t); err != nil {
			return err
		}
		sleep(ctx, pause)
	}
	return nil
}

// visit is one session as it should be.
func visit(c *client.Conn, t *tally) error {
	h, err := c.NspiBind()
	if err != nil {
		return err
	}
	t.granted.Add(1)
	if _, err := c.Call(opnumUpdateStat, updateStatStub(h)); err != nil {
		return err
	}
	if err := c.NspiUnbind(h); err != nil {
		return err
	}
	t.unbound.Add(1)
	return nil
}

// updateStatStub is the stub of NspiUpdateStat (MS-NSPI 3.1.4.3): handle,
// reserved, STAT, no delta.
func updateStatStub(h nspi.Handle) []byte {
	const codePage, locale = 1252, 0x409
	o := rpcparse.LittleEndian
	b := h.Append(nil, o)
	b = o.AppendUint32(b, 0)
	for _, v := range [9]uint32{6: codePage, 7: locale, 8: locale} {
		b = o.AppendUint32(b, v)
	}
	return o.AppendUint32(b, 0)
}

// leak binds and never unbinds. Its connections stay open until it returns:
// only that ends its sessions.
func leak(ctx context.Context, s *stage, t *tally, binds int, pause time.Duration, done func()) error {
	const perConnection = 8
	var open []*client.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for n := 0; ctx.Err() == nil && (binds == 0 || n < binds); n++ {
		if n%perConnection == 0 && len(open) < perConnection {
			c, err := dial(s.mapper, leaky)
			if err != nil {
				return err
			}
			open = append(open, c)
		}
		_, err := open[n%len(open)].NspiBind()
		switch {
		case err == nil:
			t.granted.Add(1)
		case client.IsCode(err, nspi.LogonFailed):
			t.refused.Add(1)
		default:
			return err
		}
		sleep(ctx, pause)
	}
	if ctx.Err() == nil {
		done()
		<-ctx.Done()
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
