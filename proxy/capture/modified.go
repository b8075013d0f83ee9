package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// The first bytes of pcap as patches of libpcap 0.4 for Linux wrote it. It lives on in devices.
var (
	modifiedLittle = [4]byte{0x34, 0xcd, 0xb2, 0xa1}
	modifiedBig    = [4]byte{0xa1, 0xb2, 0xcd, 0x34}
)

// modified reads that format, which the library does not. Before a frame stand: seconds 4, microseconds 4, bytes
// captured 4, bytes sent 4, interface 4, protocol 2, direction 1, padding 1.
type modified struct {
	r      io.Reader
	order  binary.ByteOrder
	buffer []byte
}

// openModified reads the header of the file: magic 4, version 2 and 2, zone 4, accuracy 4, snap length 4, link type 4.
func openModified(r io.Reader, order binary.ByteOrder) (*frames, error) {
	var header [24]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, headerError(err)
	}
	link := layers.LinkType(order.Uint32(header[20:]))
	if err := knownLink(link); err != nil {
		return nil, err
	}
	m := &modified{r: r, order: order}
	return &frames{packets: m, link: func(gopacket.CaptureInfo) (layers.LinkType, int) { return link, -1 }}, nil
}

// ZeroCopyReadPacketData implements gopacket.ZeroCopyPacketDataSource.
func (m *modified) ZeroCopyReadPacketData() ([]byte, gopacket.CaptureInfo, error) {
	const longest = 256 << 10 // frame, as tcpdump has it
	var header [24]byte
	var ci gopacket.CaptureInfo
	if _, err := io.ReadFull(m.r, header[:]); err != nil {
		return nil, ci, err
	}
	n := m.order.Uint32(header[8:])
	if n > longest {
		return nil, ci, fmt.Errorf("a frame of %d bytes exceeds %d", n, longest)
	}
	micros := time.Duration(m.order.Uint32(header[4:])) * time.Microsecond
	ci.Timestamp = time.Unix(int64(m.order.Uint32(header[:])), 0).Add(micros).UTC()
	ci.CaptureLength, ci.Length = int(n), int(m.order.Uint32(header[12:]))
	if cap(m.buffer) < int(n) {
		m.buffer = make([]byte, n)
	}
	_, err := io.ReadFull(m.r, m.buffer[:n])
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return m.buffer[:n], ci, err
}
