package lab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// What ICMP and ICMPv6 call a question and its answer.
const (
	echoRequest, echoReply   = 8, 0
	echoRequest6, echoReply6 = 128, 129
)

// Ping asks an address for an echo by ICMP, or ICMPv6, as ping does. It fails the test when none comes back.
func (m *Machine) Ping(t testing.TB, to netip.Addr) {
	t.Helper()
	network, kind, reply := "ip4:icmp", byte(echoRequest), byte(echoReply)
	if to.Is6() {
		network, kind, reply = "ip6:ipv6-icmp", echoRequest6, echoReply6
	}
	var conn net.Conn
	err := m.Do(func() (err error) {
		conn, err = net.Dial(network, to.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	question := append([]byte{kind, 0, 0, 0, 0x4e, 0x53, 0, 1}, "nspiproxy!"...)
	binary.BigEndian.PutUint16(question[2:], checksum(question)) // the kernel does that for ICMPv6
	_ = conn.SetDeadline(time.Now().Add(SettleTime))
	if _, err := conn.Write(question); err != nil {
		t.Fatalf("%s pings %s: %v", m.Name, to, err)
	}
	answer := make([]byte, 1500)
	for {
		n, err := conn.Read(answer)
		if err != nil {
			t.Fatalf("%s pings %s: %v", m.Name, to, err)
		}
		at := n - len(question) // behind the IP header, which IPv4 has
		if at >= 0 && answer[at] == reply && bytes.Equal(answer[at+4:n], question[4:]) {
			return
		}
	}
}

// checksum is that of RFC 1071, of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for n := 0; n < len(b); n += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[n:]))
	}
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum>>16 + sum)
}

// Datagram sends a datagram from one machine to a port of another one, and back. It fails the test when either is lost.
func Datagram(t testing.TB, from, to *Machine, addr netip.AddrPort) {
	t.Helper()
	server, err := to.ListenUDP(addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := from.ns.DialUDP(addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := passDatagram(client, server); err != nil {
		t.Fatalf("a datagram from %s to %s: %v", from.Name, addr, err)
	}
}

func passDatagram(client net.Conn, server *net.UDPConn) error {
	limit := time.Now().Add(SettleTime)
	for _, c := range []net.Conn{client, server} {
		if err := c.SetDeadline(limit); err != nil {
			return err
		}
	}
	const text = "any"
	if _, err := client.Write([]byte(text)); err != nil {
		return err
	}
	b := make([]byte, 100)
	n, peer, err := server.ReadFromUDPAddrPort(b)
	if err != nil {
		return err
	}
	if local := client.LocalAddr().String(); string(b[:n]) != text || peer.String() != local {
		return fmt.Errorf("%q has come from %s instead of %s", b[:n], peer, local)
	}
	if _, err := server.WriteToUDPAddrPort(b[:n], peer); err != nil {
		return err
	}
	_, err = client.Read(b)
	return err
}
