package soak

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const (
	controlUser     = "control"
	controlPassword = "C0ntrol-Passw0rd!"
	limit           = 3 // sessions per user
	controlPause    = 20 * time.Millisecond
)

// control is a client whose conversations are never broken, with a domain controller of its own.
type control struct {
	dc     *simdc.Server
	client netip.Addr
	front  netip.AddrPort
	levels []rpcparse.AuthLevel
	rounds int

	mu sync.Mutex // held by a round
}

// newControl makes one for a proxy with the keys of the accounts or without. Without keys a refusal ends a security context
// that signs, so the control does not sign there.
func newControl(t testing.TB, keys bool, client, server, front netip.Addr) *control {
	t.Helper()
	levels := []rpcparse.AuthLevel{rpcparse.LevelConnect}
	if keys {
		levels = append(levels, rpcparse.LevelPacket, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy)
	}
	dc, err := simdc.Start(simdc.Config{Address: server.String(), Users: []simdc.User{{Name: controlUser, Password: controlPassword}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	return &control{dc: dc, client: client, front: netip.AddrPortFrom(front, dc.NSPIAddr().Port()), levels: levels}
}

// round fills the limit, is refused above it, frees a slot, takes it again, and ends every session.
func (c *control) round() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rounds++
	level := c.levels[c.rounds%len(c.levels)]
	conn, err := client.Connect(c.front.String(), c.client)
	if err != nil {
		return fmt.Errorf("control: connect: %w", err)
	}
	defer conn.Close()
	conn.Timeout = answerTime
	security := &client.Security{Level: level, Domain: "LAB", User: controlUser, Password: controlPassword}
	if err := conn.Bind(client.Options{Security: security}); err != nil {
		return fmt.Errorf("control: bind at level %s: %w", level, err)
	}
	var handles []nspi.Handle
	for n := range limit {
		h, err := conn.NspiBind()
		if err != nil {
			return fmt.Errorf("control: session %d of %d: %w", n+1, limit, err)
		}
		handles = append(handles, h)
	}
	if err := c.refused(conn); err != nil {
		return err
	}
	if err := conn.NspiUnbind(handles[0]); err != nil {
		return fmt.Errorf("control: unbind: %w", err)
	}
	if handles[0], err = conn.NspiBind(); err != nil {
		return fmt.Errorf("control: bind after an unbind: %w", err)
	}
	if err := c.refused(conn); err != nil {
		return err
	}
	for _, h := range handles {
		if err := conn.NspiUnbind(h); err != nil {
			return fmt.Errorf("control: unbind: %w", err)
		}
	}
	return nil
}

// refused makes a call above the limit.
func (c *control) refused(conn *client.Conn) error {
	_, err := conn.NspiBind()
	if client.IsCode(err, nspi.LogonFailed) || client.IsFault(err, rpcparse.StatusAccessDenied) {
		return nil
	}
	if err == nil {
		err = errors.New("granted")
	}
	return fmt.Errorf("control: a session above the limit: %w", err)
}
