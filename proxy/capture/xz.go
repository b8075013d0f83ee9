package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// xzGuard reads an xz file and fails before a block whose dictionary is larger than maxWindow. The library allocates
// what a block's header says, up to 4 GiB, and has no limit of its own. Everything else is left to the library: what
// is malformed passes.
//
//	stream header 12, blocks, index, stream footer 12      one or more, with padding of 4 between them
//	block:  header, LZMA2 chunks, padding to 4, check
//	(https://tukaani.org/xz/xz-file-format.txt)
type xzGuard struct {
	r     *bufio.Reader
	state func(*xzGuard) error // looks at what comes next; nil: nothing more is looked at
	left  int64                // bytes that pass before that
	begun bool
	check int64 // bytes behind each block of this stream
	size  int64 // of the chunks of this block, or of the index, so far
	count uint64
}

// Read implements io.Reader.
func (g *xzGuard) Read(p []byte) (int, error) {
	if !g.begun {
		g.begun, g.state = true, (*xzGuard).stream
	}
	for g.left == 0 && g.state != nil {
		if err := g.state(g); err != nil {
			return 0, err
		}
	}
	if g.state != nil && int64(len(p)) > g.left {
		p = p[:g.left]
	}
	n, err := g.r.Read(p)
	g.left -= int64(n)
	return n, err
}

// peek returns the next n bytes. Without them the library reads what there is, and says what is wrong.
func (g *xzGuard) peek(n int) ([]byte, bool) {
	b, err := g.r.Peek(n)
	if err != nil {
		g.state = nil
	}
	return b, err == nil
}

// pass lets n bytes pass, and then has next look.
func (g *xzGuard) pass(n int64, next func(*xzGuard) error) { g.left, g.state = n, next }

// stream looks at the header of a stream, or at padding.
func (g *xzGuard) stream() error {
	const header, padding = 12, 4
	b, ok := g.peek(padding)
	switch {
	case !ok:
		return nil
	case binary.LittleEndian.Uint32(b) == 0:
		g.pass(padding, (*xzGuard).stream)
		return nil
	}
	if b, ok = g.peek(header); ok {
		g.check = [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[b[7]&0x0f]
		g.pass(header, (*xzGuard).block)
	}
	return nil
}

// block looks at the header of a block: size 1, flags 1, lengths that may be there, filters, padding, check 4.
func (g *xzGuard) block() error {
	b, ok := g.peek(1)
	if !ok {
		return nil
	}
	if b[0] == 0 {
		g.size, g.count = 1, 0
		g.pass(1, (*xzGuard).records)
		return nil
	}
	n := (int(b[0]) + 1) * 4
	if b, ok = g.peek(n); !ok {
		return nil
	}
	dictionary, ok := xzDictionary(b)
	if !ok {
		return errors.New("an xz file with other filters than LZMA2: use xz -dc FILE | nspiproxy decode -")
	}
	if dictionary > maxWindow {
		return fmt.Errorf("an xz file with a dictionary of %d MiB: use xz -dc FILE | nspiproxy decode -", dictionary>>20)
	}
	g.size = 0
	g.pass(int64(n), (*xzGuard).chunk)
	return nil
}

// xzDictionary returns the size of the dictionary in a block's header that has LZMA2 as its only filter.
func xzDictionary(b []byte) (size uint64, ok bool) {
	const filters, compressed, uncompressed, lzma2, largest = 0x03, 0x40, 0x80, 0x21, 40
	flags, rest := b[1], b[2:]
	for _, f := range []byte{compressed, uncompressed} {
		if flags&f == 0 {
			continue
		}
		_, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, false
		}
		rest = rest[n:]
	}
	if flags&filters != 0 || len(rest) < 3 || rest[0] != lzma2 || rest[1] != 1 || rest[2] > largest {
		return 0, false
	}
	return uint64(2|rest[2]&1) << (rest[2]/2 + 11), true
}

// chunk looks at a chunk of LZMA2: control 1, then the length of what was decompressed, 2, and if it is compressed the
// length of that, 2, and properties, 1.
func (g *xzGuard) chunk() error {
	const end, plain, compressed, properties = 0, 2, 0x80, 0xc0
	b, ok := g.peek(1)
	if !ok {
		return nil
	}
	if b[0] == end {
		g.size++
		g.pass(1+(4-g.size%4)%4+g.check, (*xzGuard).block)
		return nil
	}
	n, control := int64(3), b[0]
	switch {
	case control <= plain:
		if b, ok = g.peek(3); !ok {
			return nil
		}
		n += int64(be16(b[1:])) + 1
	case control >= compressed:
		if b, ok = g.peek(5); !ok {
			return nil
		}
		n += 2 + int64(be16(b[3:])) + 1
		if control >= properties {
			n++
		}
	default:
		g.state = nil // invalid
		return nil
	}
	g.size += n
	g.pass(n, (*xzGuard).chunk)
	return nil
}

// records looks at the index: how many blocks there were, two numbers for each, padding, check 4; then at the footer.
func (g *xzGuard) records() error {
	n, count, ok := g.number()
	if ok {
		g.count = count
		g.pass(n, (*xzGuard).record)
	}
	return nil
}

func (g *xzGuard) record() error {
	const tail = 4 + 12
	if g.count == 0 {
		g.pass((4-g.size%4)%4+tail, (*xzGuard).stream)
		return nil
	}
	if n, _, ok := g.number(); ok {
		g.pass(n, (*xzGuard).second)
	}
	return nil
}

func (g *xzGuard) second() error {
	if n, _, ok := g.number(); ok {
		g.count--
		g.pass(n, (*xzGuard).record)
	}
	return nil
}

// number returns the number that comes next, and its length.
func (g *xzGuard) number() (n int64, v uint64, ok bool) {
	const longest = 9
	b, err := g.r.Peek(longest)
	if err != nil && !errors.Is(err, io.EOF) {
		g.state = nil
		return 0, 0, false
	}
	v, size := binary.Uvarint(b)
	if size <= 0 {
		g.state = nil
		return 0, 0, false
	}
	g.size += int64(size)
	return int64(size), v, true
}
