package capture

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

const (
	// maxWindow is how much of what was decompressed a decompressor may keep, in bytes. xz -9 takes 64 MiB, zstd -19
	// takes 8 MiB; what takes more (zstd --long=27) has to be decompressed by those.
	maxWindow = 64 << 20
	// maxCompressions is how many times a file may be compressed.
	maxCompressions = 2
	// readAhead is the size of the buffer in front of each reader, in bytes.
	readAhead = 1 << 16
)

var (
	errCutCompression = errors.New("the compressed file ends early")
	errLongZstd       = fmt.Errorf("it is compressed with a window of more than %d MiB: use zstd --long=31 -dc FILE | nspiproxy decode -", maxWindow>>20)
)

// compression is a format that files are decompressed from while they are read.
type compression struct {
	magics [][]byte
	open   func(*bufio.Reader) (io.Reader, error)
}

var compressions = []compression{
	{[][]byte{{0x1f, 0x8b}}, func(r *bufio.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{[][]byte{[]byte("BZh")}, func(r *bufio.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }},
	{[][]byte{{0x28, 0xb5, 0x2f, 0xfd}}, openZstd},
	{[][]byte{[]byte("\xfd7zXZ\x00")}, openXZ},
}

// openZstd reads in one goroutine, the caller's, so that there is nothing to close.
func openZstd(r *bufio.Reader) (io.Reader, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
}

func openXZ(r *bufio.Reader) (io.Reader, error) { return xz.NewReader(bufio.NewReader(&xzGuard{r: r})) }

// decompressed returns what a file has in it, however it is compressed.
func decompressed(r *bufio.Reader) (*bufio.Reader, error) {
	for depth := 0; ; depth++ {
		c, err := compressionOf(r)
		if c == nil {
			return r, err
		}
		if depth == maxCompressions {
			return nil, fmt.Errorf("it is compressed more than %d times", maxCompressions)
		}
		inner, err := c.open(r)
		if err != nil {
			return nil, headerError(err)
		}
		r = bufio.NewReaderSize(early{inner}, readAhead)
	}
}

// compressionOf returns how r is compressed, nil: not at all.
func compressionOf(r *bufio.Reader) (*compression, error) {
	const longest = 6
	start, err := r.Peek(longest)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for i := range compressions {
		for _, magic := range compressions[i].magics {
			if bytes.HasPrefix(start, magic) {
				return &compressions[i], nil
			}
		}
	}
	return nil, nil
}

// early tells the early end of a compressed file from that of the capture in it, which may end anywhere.
type early struct{ r io.Reader }

func (e early) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errCutCompression
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		err = errLongZstd
	}
	return n, err
}
