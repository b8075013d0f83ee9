package simdc_test

import (
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// start starts a domain controller that knows alice and bob.
func start(t testing.TB, cfg simdc.Config) *simdc.Server {
	t.Helper()
	cfg.Users = []simdc.User{
		{Name: "alice", Password: "Secret.123"},
		{Name: "bob", Password: "Other.456", SID: "S-1-5-21-1-2-3-1105"},
	}
	dc, err := simdc.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	return dc
}

// alice returns a new security context of hers.
func alice(level rpcparse.AuthLevel) *client.Security {
	return &client.Security{Level: level, Domain: "LAB", User: "alice", Password: "Secret.123"}
}

func bob(level rpcparse.AuthLevel) *client.Security {
	return &client.Security{Level: level, Domain: "lab.test", User: "Bob", Password: "Other.456", ID: 7}
}

// dial connects to the NSPI port and binds.
func dial(t testing.TB, dc *simdc.Server, o client.Options) *client.Conn {
	t.Helper()
	c, err := client.Dial(dc.NSPIAddr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// echoOptions binds to the echo interface.
func echoOptions() client.Options {
	return client.Options{Contexts: []rpcparse.ContextElement{client.Context(0, simdc.EchoInterface)}}
}

// bind opens a session that must be granted.
func bind(t testing.TB, c *client.Conn) nspi.Handle {
	t.Helper()
	h, err := c.NspiBind()
	if err != nil {
		t.Fatal(err)
	}
	if h.IsZero() {
		t.Fatal("granted without a handle")
	}
	return h
}

// eventually waits for what other goroutines bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within five seconds: " + what)
		}
	}
}

// ended reports whether err is the end of a connection, of whatever kind.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

var loopback2 = netip.MustParseAddr("127.0.0.2")
