//go:build lab

package transparent

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// The flags of a TCP segment (RFC 9293 3.1).
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// segment is one of TCP over IPv4 that no socket sends.
type segment struct {
	from, to netip.AddrPort
	seq, ack uint32
	flags    byte
}

// inject sends segments from a namespace, by a raw socket: from whatever address.
func (n namespace) inject(t testing.TB, segments ...segment) {
	t.Helper()
	err := n.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, s := range segments {
			if err := unix.Sendto(fd, s.packet(), 0, &unix.SockaddrInet4{Addr: s.to.Addr().As4()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// packet is the segment behind an IPv4 header, whose check sum the kernel adds.
func (s segment) packet() []byte {
	const header = 20
	b := make([]byte, 2*header)
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_TCP
	from, to := s.from.Addr().As4(), s.to.Addr().As4()
	copy(b[12:], from[:])
	copy(b[16:], to[:])
	tcp := b[header:]
	binary.BigEndian.PutUint16(tcp[0:], s.from.Port())
	binary.BigEndian.PutUint16(tcp[2:], s.to.Port())
	binary.BigEndian.PutUint32(tcp[4:], s.seq)
	binary.BigEndian.PutUint32(tcp[8:], s.ack)
	tcp[12], tcp[13] = header/4<<4, s.flags
	binary.BigEndian.PutUint16(tcp[14:], 1<<15)
	sum := uint32(unix.IPPROTO_TCP + header)
	for i := 12; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(tcp[16:], ^uint16(sum))
	return b
}

// ends returns the addresses and ports of a connection.
func (c *conn) ends() (client, server netip.AddrPort) {
	return netip.MustParseAddrPort(c.LocalAddr().String()), netip.MustParseAddrPort(c.RemoteAddr().String())
}
