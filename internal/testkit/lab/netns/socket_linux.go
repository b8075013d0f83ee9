package netns

import (
	"net"
	"net/netip"
	"time"
)

// dialTimeout ends dialling, also where nobody answers: longer than the slowest lab machine needs.
const dialTimeout = 20 * time.Second

// Dial connects from the namespace to address, an IP address and port. A valid local is the source address. The connection
// may be used anywhere: its namespace is fixed.
func (n *Namespace) Dial(address string, local netip.Addr) (conn *net.TCPConn, err error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: dialTimeout}
	if local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	err = n.Do(func() error {
		c, err := d.Dial("tcp", to.String()) // on this thread, as there is one address and no name to look up
		if err == nil {
			conn = c.(*net.TCPConn)
		}
		return err
	})
	return conn, err
}

// DialUDP makes a UDP socket in the namespace that sends to address, an IP address and port.
func (n *Namespace) DialUDP(address string) (conn *net.UDPConn, err error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	err = n.Do(func() (err error) {
		conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		return err
	})
	return conn, err
}

// Listen accepts TCP connections in the namespace, on an IP address and port.
func (n *Namespace) Listen(address string) (l *net.TCPListener, err error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	err = n.Do(func() (err error) {
		l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		return err
	})
	return l, err
}

// ListenUDP receives datagrams in the namespace, on an IP address and port.
func (n *Namespace) ListenUDP(address string) (conn *net.UDPConn, err error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	err = n.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		return err
	})
	return conn, err
}
