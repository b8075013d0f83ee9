package capture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Types of pcapng blocks that lead to frames (draft-ietf-opsawg-pcapng section 4). All others are names, secrets,
// statistics, and what makers add.
const (
	blockInterface = 1
	blockPacket    = 2 // of old
	blockSimple    = 3
	blockEnhanced  = 6
)

const (
	// maxInterfaces bounds what a section says about its interfaces, in bytes. An interface takes about 200.
	maxInterfaces = 16 << 20
	// sectionStart is what is looked at of a section's header: type 4, length 4, byte order 4, version 2 and 2.
	sectionStart = 16
)

var errCutBlock = errors.New("the file ends inside a block")

// blocks passes on those blocks of a pcapng file that lead to frames. The library would keep all names of a section,
// and would skip sections of a minor version that it does not know, without a word: those are written as 1.0, which
// they can be read as (section 4.1).
type blocks struct {
	r          *bufio.Reader
	order      binary.ByteOrder
	start      []byte // of a section's header that was changed
	left       int64  // bytes of this block
	interfaces int64  // bytes of this section's so far
	raw        bool   // a block is malformed: the library says how
}

// Read implements io.Reader.
func (b *blocks) Read(p []byte) (int, error) {
	for b.left == 0 && len(b.start) == 0 && !b.raw {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	if len(b.start) > 0 {
		n := copy(p, b.start)
		b.start = b.start[n:]
		return n, nil
	}
	if !b.raw && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

// next looks at the start of a block, and skips it if it leads to no frame.
func (b *blocks) next() error {
	const header, least = 8, 12
	start, err := b.r.Peek(header)
	if err != nil {
		b.raw = true
		return nil
	}
	if bytes.HasPrefix(start, magicPcapNG) {
		return b.section()
	}
	kind, length := b.order.Uint32(start), int64(b.order.Uint32(start[4:]))
	if length < least || length%4 != 0 {
		b.raw = true
		return nil
	}
	switch kind {
	case blockInterface:
		if b.interfaces += length; b.interfaces > maxInterfaces {
			return fmt.Errorf("interfaces of more than %d MiB in one section", maxInterfaces>>20)
		}
		fallthrough
	case blockPacket, blockSimple, blockEnhanced:
		b.left = length
		return nil
	}
	if _, err := io.CopyN(io.Discard, b.r, length); errors.Is(err, io.EOF) {
		return errCutBlock
	} else if err != nil {
		return err
	}
	return nil
}

// section begins a section, which has a byte order of its own.
func (b *blocks) section() error {
	const magic, version = 0x1a2b3c4d, 1
	start, err := b.r.Peek(sectionStart)
	if err != nil {
		b.raw = true
		return nil
	}
	switch {
	case binary.LittleEndian.Uint32(start[8:]) == magic:
		b.order = binary.LittleEndian
	case binary.BigEndian.Uint32(start[8:]) == magic:
		b.order = binary.BigEndian
	default:
		b.raw = true
		return nil
	}
	length := int64(b.order.Uint32(start[4:]))
	if length < sectionStart || length%4 != 0 {
		b.raw = true
		return nil
	}
	major, minor := b.order.Uint16(start[12:]), b.order.Uint16(start[14:])
	if major != version {
		return fmt.Errorf("a section of pcapng version %d.%d, which is not known", major, minor)
	}
	b.start = bytes.Clone(start)
	b.order.PutUint16(b.start[14:], 0)
	b.interfaces, b.left = 0, length-sectionStart
	_, err = b.r.Discard(sectionStart)
	return err
}
