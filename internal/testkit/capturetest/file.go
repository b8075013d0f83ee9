package capturetest

import (
	"bytes"
	"encoding/binary"
)

// Link types (tcpdump.org/linktypes.html).
const (
	LinkNull     = 0
	LinkEthernet = 1
	LinkPPP      = 9
	LinkPPPHDLC  = 50
	LinkPPPoE    = 51
	LinkRaw      = 101
	LinkCHDLC    = 104
	LinkLoop     = 108
	LinkENC      = 109
	LinkSLL      = 113
	LinkPFLOG    = 117
	LinkPPI      = 192
	LinkPPPDir   = 204
	LinkNFLOG    = 239
	LinkUSBPcap  = 249
	LinkSLL2     = 276
)

// Frame is one captured packet.
type Frame struct {
	Data []byte
	Sent int // bytes on the wire; 0: as many as were captured
}

// snapLength is what the files' headers say.
const snapLength = 262144

// firstSecond is the time of the first frame; each is a second after the one
// before.
const firstSecond = 1700000000

// Pcap writes a capture file with microseconds, little-endian.
func Pcap(link uint32, frames ...Frame) []byte { return pcap(binary.LittleEndian, link, frames) }

// PcapBigEndian writes the same as a big-endian machine does.
func PcapBigEndian(link uint32, frames ...Frame) []byte { return pcap(binary.BigEndian, link, frames) }

func pcap(o binary.AppendByteOrder, link uint32, frames []Frame) []byte {
	b := o.AppendUint32(nil, 0xa1b2c3d4)
	b = o.AppendUint16(o.AppendUint16(b, 2), 4)
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(o.AppendUint32(b, snapLength), link)
	for i, f := range frames {
		b = o.AppendUint32(b, firstSecond+uint32(i))
		b = o.AppendUint32(b, 0)
		b = o.AppendUint32(b, uint32(len(f.Data)))
		b = o.AppendUint32(b, uint32(max(f.Sent, len(f.Data))))
		b = append(b, f.Data...)
	}
	return b
}

// PcapNanoseconds writes a capture file with nanoseconds.
func PcapNanoseconds(link uint32, frames ...Frame) []byte {
	b := Pcap(link, frames...)
	binary.LittleEndian.PutUint32(b, 0xa1b23c4d)
	return b
}

// PcapModified writes the format of patches of libpcap 0.4, whose frames have an interface, a protocol and a direction.
func PcapModified(link uint32, frames ...Frame) []byte {
	b := Pcap(link)
	binary.LittleEndian.PutUint32(b, 0xa1b2cd34)
	const header = 16
	for i, f := range frames {
		one := Pcap(link, f)[24:]
		binary.LittleEndian.PutUint32(one, firstSecond+uint32(i))
		b = append(b, one[:header]...)
		b = append(b, 1, 0, 0, 0, 8, 0, 4, 0)
		b = append(b, one[header:]...)
	}
	return b
}

// PcapNG writes a pcapng file with one interface. Every other frame is in a
// simple packet block, which has no time.
func PcapNG(link uint16, frames ...Frame) []byte {
	o := binary.LittleEndian
	section := o.AppendUint32(nil, 0x1a2b3c4d)
	section = o.AppendUint16(o.AppendUint16(section, 1), 0)
	section = o.AppendUint64(section, ^uint64(0))
	b := block(nil, 0x0a0d0d0a, section)
	b = block(b, 1, o.AppendUint32(o.AppendUint16(o.AppendUint16(nil, link), 0), snapLength))
	b = block(b, 0x80000bad, []byte("a block nobody knows"))
	for i, f := range frames {
		sent := uint32(max(f.Sent, len(f.Data)))
		if i%2 == 1 && f.Sent == 0 {
			b = block(b, 3, append(o.AppendUint32(nil, sent), f.Data...))
			continue
		}
		micros := uint64(firstSecond+i) * 1e6
		e := o.AppendUint32(nil, 0)
		e = o.AppendUint32(o.AppendUint32(e, uint32(micros>>32)), uint32(micros))
		e = o.AppendUint32(o.AppendUint32(e, uint32(len(f.Data))), sent)
		b = block(b, 6, append(e, f.Data...))
	}
	return b
}

// PcapNGMixed writes a pcapng file whose second interface is of another link type and has a frame behind the last one
// of the first. Options, names, secrets, statistics and blocks of makers are there, too, and a second section in
// big-endian order, which is empty.
func PcapNGMixed(frames []Frame) []byte {
	o := binary.LittleEndian
	b := PcapNG(LinkEthernet, frames...)
	b = block(b, 1, []byte{LinkUSBPcap, 0, 0, 0, 0, 0, 4, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0})
	b = block(b, 4, []byte{1, 0, 9, 0, 10, 0, 0, 1, 'd', 'c', '1', '.', 0, 0, 0, 0, 0, 0, 0, 0})
	b = block(b, 10, append([]byte{'K', 'S', 'L', 'T', 4, 0, 0, 0}, "none"...))
	b = block(b, 5, make([]byte, 16))
	b = block(b, 0xbad, []byte{0, 0, 0, 1, 'm', 'i', 'n', 'e'})
	usb := append(o.AppendUint32(nil, 1), make([]byte, 8)...)
	usb = o.AppendUint32(o.AppendUint32(usb, 27), 27)
	b = block(b, 6, append(usb, make([]byte, 27)...))
	section := be.AppendUint32(be.AppendUint32([]byte{0x0a, 0x0d, 0x0d, 0x0a}, 28), 0x1a2b3c4d)
	section = append(section, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)
	return append(b, be.AppendUint32(section, 28)...)
}

// block appends a pcapng block.
func block(b []byte, kind uint32, body []byte) []byte {
	o := binary.LittleEndian
	body = append(bytes.Clone(body), make([]byte, (4-len(body)%4)%4)...)
	b = o.AppendUint32(b, kind)
	b = o.AppendUint32(b, uint32(len(body)+12))
	b = append(b, body...)
	return o.AppendUint32(b, uint32(len(body)+12))
}

// Whole makes frames of packets that were captured whole.
func Whole(packets ...[]byte) []Frame {
	frames := make([]Frame, len(packets))
	for i, p := range packets {
		frames[i] = Frame{Data: p}
	}
	return frames
}
