package capture_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
)

// written returns what a compressor makes of a file.
func written(t testing.TB, file []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func xzOf(t testing.TB, file []byte, c xz.WriterConfig) []byte {
	return written(t, file, func(w io.Writer) (io.WriteCloser, error) { return c.NewWriter(w) })
}

func zstdOf(t testing.TB, file []byte, o ...zstd.EOption) []byte {
	return written(t, file, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w, o...) })
}

// bzip2Call is what bzip2 makes of call(): Go has no compressor for it.
const bzip2Call = "QlpoOTFBWSZTWauQ5rAAALR/X//wWABAQAAEQkBJAAIAAOAgEBAICAAEAABgIAAwALmsJSTIABk0ADTQYpNA0aA0AAAVQSo9IB6jEZoajJqH46yxgzelE02WikxH04KHizYXGEwzTESkSe1cWnK4fJo7W0SbylIzmADkQYLTZJgAMAES4Xh0RJSAYBwwlqDVNJ5zetf2xqWVMMjKVFuTyi44PDpaDqKf2+IMCAKCCfNRdLUv5LiLmJO6Vf4u5IpwoSFXIc1g"

// compressedFiles are call() in all the ways that it is read.
func compressedFiles(t testing.TB) map[string][]byte {
	t.Helper()
	bz, err := base64.StdEncoding.DecodeString(bzip2Call)
	if err != nil {
		t.Fatal(err)
	}
	half := len(call()) / 2
	small := xz.WriterConfig{BlockSize: 64, DictCap: 4096}
	return map[string][]byte{
		"gzip": gzipped(t, call()), "bzip2": bz, "zstd": zstdOf(t, call()), "xz": xzOf(t, call(), xz.WriterConfig{}),
		"xz in blocks":               xzOf(t, call(), small),
		"xz without check":           xzOf(t, call(), xz.WriterConfig{NoCheckSum: true}),
		"xz with SHA-256":            xzOf(t, call(), xz.WriterConfig{CheckSum: xz.SHA256}),
		"xz in streams with padding": slices.Concat(xzOf(t, call()[:half], small), make([]byte, 8), xzOf(t, call()[half:], small)),
		"gzip in xz":                 xzOf(t, gzipped(t, call()), xz.WriterConfig{}),
	}
}

func TestCompressedFilesAreReadHoweverTheyAreCompressed(t *testing.T) {
	for name, file := range compressedFiles(t) {
		if pdus, _, err := read(t, file); err != nil || len(pdus) != 2 {
			t.Errorf("%s: %d PDUs, error %v", name, len(pdus), err)
		}
	}
}

// TestCutCompressedFileIsNoWholeOne: where a capture may end, its compressed file may not.
func TestCutCompressedFileIsNoWholeOne(t *testing.T) {
	c := capturetest.NewTalk()
	ng := capturetest.PcapNG(capturetest.LinkEthernet, c.SYN(), c.SYNACK(), c.Client(capturetest.Request(1, 7, 8)))
	files := compressedFiles(t)
	files["pcapng in gzip"], files["pcapng in zstd"] = gzipped(t, ng), zstdOf(t, ng)
	files["pcapng in xz"] = xzOf(t, ng, xz.WriterConfig{})
	for name, file := range files {
		if name == "xz in streams with padding" || name == "gzip in xz" {
			continue // the first stream is whole; what is cut is in another one
		}
		whole, _, err := read(t, file)
		if err != nil {
			t.Fatal(err)
		}
		for n := 7; n < len(file)-1; n++ { // without a check, xz may be cut in its index, where all data has been read
			if pdus, _, err := read(t, file[:n]); err == nil && len(pdus) < len(whole) {
				t.Fatalf("%s: %d of %d bytes are taken for all", name, n, len(file))
			}
		}
	}
}

func TestDecompressionTakesBoundedMemory(t *testing.T) {
	thrice := gzipped(t, gzipped(t, gzipped(t, call())))
	for name, tt := range map[string]struct {
		file []byte
		text string
	}{
		"xz, first block":  {hostileXZ(xzOf(t, call(), xz.WriterConfig{})), "a dictionary of 4096 MiB: use xz -dc"},
		"xz, later stream": {slices.Concat(xzOf(t, call()[:60], xz.WriterConfig{}), hostileXZ(xzOf(t, call()[60:], xz.WriterConfig{}))), "a dictionary of 4096 MiB"},
		"zstd":             {[]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 1, 0, 0}, "use zstd --long=31 -dc"}, // a window of 2 GiB
		"three times":      {thrice, "compressed more than 2 times"},
	} {
		if _, _, err := read(t, tt.file); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: error %v, want %q", name, err, tt.text)
		}
	}
}

// hostileXZ makes the first block announce the largest dictionary that the format knows.
func hostileXZ(file []byte) []byte {
	file = bytes.Clone(file)
	header := file[12 : 12+(int(file[12])+1)*4]
	header[bytes.Index(header, []byte{0x21, 1})+2] = 40
	end := len(header) - 4
	binary.LittleEndian.PutUint32(header[end:], crc32.ChecksumIEEE(header[:end]))
	return file
}

// FuzzCompressed reads whatever file that begins as a compressed one.
func FuzzCompressed(f *testing.F) {
	for _, file := range compressedFiles(f) {
		f.Add(file)
	}
	f.Add(hostileXZ(xzOf(f, call(), xz.WriterConfig{})))
	const longest = 1024 // that is a minute's work for no decompressor
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > longest {
			return
		}
		r, err := capture.NewReader(bytes.NewReader(file))
		if err != nil {
			return
		}
		checkAll(t, r, 1<<20) // a few bytes can be many PDUs
	})
}
