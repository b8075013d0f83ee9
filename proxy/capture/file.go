package capture

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// FileError is why a capture file cannot be read further. Frames before it
// were read.
type FileError struct {
	Frame int // number of the frame that could not be read, 0: the file's header
	Err   error
}

// Error implements error.
func (e *FileError) Error() string {
	if e.Frame == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("frame %d: %v", e.Frame, e.Err)
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// frame is one captured packet. Its data is valid until the next is read.
type frame struct {
	number int // from 1, as Wireshark counts
	time   time.Time
	data   []byte
	link   layers.LinkType
	iface  int // interface in its section of a pcapng file, -1 in others
}

// frames reads the frames of a capture file in order.
type frames struct {
	packets gopacket.ZeroCopyPacketDataSource
	link    func(gopacket.CaptureInfo) (link layers.LinkType, iface int)
	number  int
}

// The first bytes of the formats that can be told apart.
var (
	magicGzip   = []byte{0x1f, 0x8b}
	magicPcapNG = []byte{0x0a, 0x0d, 0x0d, 0x0a}
	magicsPcap  = [][]byte{
		{0xd4, 0xc3, 0xb2, 0xa1}, {0xa1, 0xb2, 0xc3, 0xd4}, // microseconds
		{0x4d, 0x3c, 0xb2, 0xa1}, {0xa1, 0xb2, 0x3c, 0x4d}, // nanoseconds
	}
	magicNetMon = []byte("GMBU")
)

// openFrames reads the file header. Compressed files are read as they are.
func openFrames(r io.Reader) (*frames, error) {
	f, err := sniff(bufio.NewReaderSize(r, 1<<16))
	if err != nil {
		return nil, &FileError{Err: err}
	}
	return f, nil
}

func sniff(r *bufio.Reader) (*frames, error) {
	magic, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(magic, magicGzip) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = bufio.NewReaderSize(z, 1<<16)
		if magic, err = r.Peek(4); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	switch {
	case bytes.Equal(magic, magicPcapNG):
		return openPcapNG(r)
	case bytes.Equal(magic, magicNetMon):
		return nil, errors.New("a Network Monitor file, which cannot be read: convert it with editcap -F pcapng")
	case len(magic) == 0:
		return nil, errors.New("the file is empty")
	}
	for _, m := range magicsPcap {
		if bytes.Equal(magic, m) {
			return openPcap(r)
		}
	}
	return nil, fmt.Errorf("neither pcap nor pcapng: the file begins with % x", magic)
}

func openPcap(r io.Reader) (*frames, error) {
	p, err := pcapgo.NewReader(r)
	if err != nil {
		return nil, headerError(err)
	}
	link := p.LinkType()
	if err := knownLink(link); err != nil {
		return nil, err
	}
	return &frames{packets: p, link: func(gopacket.CaptureInfo) (layers.LinkType, int) { return link, -1 }}, nil
}

func openPcapNG(r io.Reader) (*frames, error) {
	p, err := pcapgo.NewNgReader(r, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
	if err != nil {
		return nil, headerError(err)
	}
	link := func(ci gopacket.CaptureInfo) (layers.LinkType, int) {
		return ci.AncillaryData[0].(layers.LinkType), ci.InterfaceIndex
	}
	return &frames{packets: p, link: link}, nil
}

func headerError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends inside its header")
	}
	return err
}

// next returns the next frame, or io.EOF, or a *FileError.
func (f *frames) next() (frame, error) {
	data, ci, err := f.read()
	if errors.Is(err, io.EOF) && ci.CaptureLength == 0 {
		return frame{}, io.EOF
	}
	f.number++
	if err != nil {
		return frame{}, &FileError{Frame: f.number, Err: frameError(err)}
	}
	link, iface := f.link(ci)
	return frame{number: f.number, time: ci.Timestamp, data: data, link: link, iface: iface}, nil
}

// read calls the library, which promises no panics but gives no proof.
func (f *frames) read() (data []byte, ci gopacket.CaptureInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed: %v", p)
		}
	}()
	return f.packets.ZeroCopyReadPacketData()
}

func frameError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends inside this frame")
	}
	return err
}
