package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// tamper changes what a server says: it returns the PDUs that take the place of
// one. The PDU is its to keep.
type tamper func(h rpcparse.Header, pdu []byte) []byte

// tamperedStage is a stage whose domain controller says what the test makes of
// it, with a name for the proxy and the keys of its users.
func tamperedStage(t *testing.T, change tamper) *stage {
	t.Helper()
	n := byte(stages.Add(1))
	address := func(host byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 1, n, host}) }
	dc, err := simdc.Start(simdc.Config{Address: address(10).String(), AnonymousBind: true, Refer: refer,
		Users: []simdc.User{{Name: alice, Password: alicePassword}, {Name: bob, Password: bobPassword}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	port := tampering(t, address(11), dc.NSPIAddr(), change)

	config := policy.Defaults()
	config.Policy.Default.Limit = 3
	config.Identity.Keytabs = []policy.File{policy.File(keytabOf(t, map[string]string{alice: alicePassword, bob: bobPassword}))}
	config.Listeners = []policy.Listener{{Name: "front", Mode: policy.ModeForward, Backend: "dc1", Address: address(20), ReferralName: proxyName}}
	config.Backends = []policy.Backend{{Name: "dc1", Address: address(11), NSPIPort: port}}
	s := &stage{t: t, dc: dc, log: &book{}, address: fmt.Sprintf("%v:%d", address(20), port)}
	if s.proxy, err = New(&config, Options{Log: zerolog.New(s.log)}); err != nil {
		t.Fatal(err)
	}
	if err := s.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.proxy.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return s
}

// tampering relays connections to target, and returns the port where it does.
func tampering(t *testing.T, address netip.Addr, target netip.AddrPort, change tamper) uint16 {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(address, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", target.String())
			if err != nil {
				c.Close()
				return
			}
			go func() { defer s.Close(); _, _ = io.Copy(s, c) }()
			go func() { defer c.Close(); tamperWith(s, c, change) }()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

func tamperWith(from io.Reader, to io.Writer, change tamper) {
	for {
		pdu := make([]byte, rpcparse.HeaderSize)
		if _, err := io.ReadFull(from, pdu); err != nil {
			return
		}
		h, err := rpcparse.ParseHeader(pdu)
		if err != nil {
			return
		}
		pdu = append(pdu, make([]byte, int(h.FragLength)-len(pdu))...)
		if _, err := io.ReadFull(from, pdu[rpcparse.HeaderSize:]); err != nil {
			return
		}
		if _, err := to.Write(change(h, pdu)); err != nil {
			return
		}
	}
}
