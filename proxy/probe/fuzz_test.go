package probe_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// record returns what a server says in a probe, each PDU behind its length.
func record(t testing.TB, server netip.AddrPort, target probe.Target) []byte {
	var mu sync.Mutex
	var said []byte
	keep := func(c *net.TCPConn, pdu []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		said = binary.LittleEndian.AppendUint16(said, uint16(len(pdu)))
		said = append(said, pdu...)
		_, err := c.Write(pdu)
		return err == nil
	}
	target.NSPIPort, target.EPMPort = serve(t, func(client *net.TCPConn) {
		up, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(server))
		if err != nil {
			return
		}
		defer up.Close()
		go func() { eofTo(up, client); _ = up.CloseWrite() }()
		passOn(client, up, func(int) bool { return true }, keep)
	}).Port(), 0
	if r := probe.Run(t.Context(), target); r.Outcome != probe.OutcomeOK {
		t.Fatal(r.Err)
	}
	mu.Lock()
	defer mu.Unlock()
	return bytes.Clone(said)
}

// FuzzServer is a server that answers the n-th PDU of a connection with the n-th
// piece of its script. Whatever it is, the probe ends, with a report.
func FuzzServer(f *testing.F) {
	dc := start(f, simdc.Config{AnonymousBind: true})
	ways := []probe.Target{at(dc), ntlm(f, at(dc), probe.LevelConnect), ntlm(f, at(dc), probe.LevelIntegrity), ntlm(f, at(dc), probe.LevelPrivacy)}
	raw := ntlm(f, at(dc), probe.LevelPrivacy)
	raw.Raw = true
	ways = append(ways, raw)
	for i, target := range ways {
		f.Add(record(f, dc.NSPIAddr(), target), uint8(i))
	}
	f.Fuzz(func(t *testing.T, script []byte, way uint8) {
		port := serve(t, func(c *net.TCPConn) {
			left := script
			for in := make([]byte, 65536); len(left) > 2; {
				if _, err := c.Read(in); err != nil {
					return
				}
				n := min(int(binary.LittleEndian.Uint16(left)), len(left)-2)
				if _, err := c.Write(left[2 : 2+n]); err != nil {
					return
				}
				left = left[2+n:]
			}
		}).Port()
		target := ways[int(way)%len(ways)]
		target.NSPIPort, target.EPMPort, target.Timeout = port, 0, 200*time.Millisecond
		allocates(t, enough, func() {
			if r := probe.Run(t.Context(), target); r.Outcome == "" || len(r.Steps) == 0 || (r.Err == "") != r.Outcome.Good() {
				t.Errorf("%+v", r)
			}
		})
	})
}
