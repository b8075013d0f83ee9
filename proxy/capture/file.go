package capture

import (
	"bufio"
	"bytes"
	"encoding/binary"
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

// The first bytes of the formats that are read.
var (
	magicPcapNG = []byte{0x0a, 0x0d, 0x0d, 0x0a}
	magicsPcap  = [][]byte{
		{0xd4, 0xc3, 0xb2, 0xa1}, {0xa1, 0xb2, 0xc3, 0xd4}, // microseconds
		{0x4d, 0x3c, 0xb2, 0xa1}, {0xa1, 0xb2, 0x3c, 0x4d}, // nanoseconds
	}
)

// openFrames reads the file header. Compressed files are read as they are.
func openFrames(r io.Reader) (*frames, error) {
	b, err := decompressed(bufio.NewReaderSize(r, readAhead))
	if err != nil {
		return nil, &FileError{Err: err}
	}
	f, err := sniff(b)
	if err != nil {
		return nil, &FileError{Err: err}
	}
	return f, nil
}

func sniff(r *bufio.Reader) (*frames, error) {
	start, err := r.Peek(foreignStart)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(start, magicPcapNG):
		return openPcapNG(r)
	case bytes.HasPrefix(start, modifiedLittle[:]):
		return openModified(r, binary.LittleEndian)
	case bytes.HasPrefix(start, modifiedBig[:]):
		return openModified(r, binary.BigEndian)
	}
	for _, m := range magicsPcap {
		if bytes.HasPrefix(start, m) {
			return openPcap(r)
		}
	}
	return nil, unread(start)
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

func openPcapNG(r *bufio.Reader) (*frames, error) {
	p, err := pcapgo.NewNgReader(&blocks{r: r, order: binary.LittleEndian}, pcapgo.NgReaderOptions{WantMixedLinkType: true})
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
