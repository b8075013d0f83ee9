package capture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
)

// ngFile is a pcapng file with all kinds of blocks: 4 frames of TCP, one of another interface.
func ngFile() []byte {
	c := capturetest.NewTalk()
	return capturetest.PcapNGMixed([]capturetest.Frame{c.SYN(), c.SYNACK(), c.Client(capturetest.Request(1, 0, 8)), c.Server(capturetest.Response(1, 8))})
}

// kinds lists the types of blocks.
func kinds(t *testing.T, file []byte) (list []uint32) {
	t.Helper()
	var order binary.ByteOrder = binary.LittleEndian
	for len(file) > 0 {
		if bytes.HasPrefix(file, magicPcapNG) && file[8] == 0x1a {
			order = binary.BigEndian
		}
		list = append(list, order.Uint32(file))
		file = file[order.Uint32(file[4:]):]
	}
	return list
}

func TestBlocksThatLeadToNoFrameAreNotKept(t *testing.T) {
	left, err := io.ReadAll(&blocks{r: bufio.NewReader(bytes.NewReader(ngFile())), order: binary.LittleEndian})
	if err != nil {
		t.Fatal(err)
	}
	before, after := kinds(t, ngFile()), kinds(t, left)
	if len(before) != len(after)+5 {
		t.Errorf("blocks %v became %v", before, after)
	}
	for _, k := range after {
		if k != blockInterface && k != blockSimple && k != blockEnhanced && k != binary.LittleEndian.Uint32(magicPcapNG) {
			t.Errorf("a block of type %#x is kept", k)
		}
	}
}

func TestSectionsOfLaterMinorVersionsAreRead(t *testing.T) {
	file := ngFile()
	file[14] = 2
	r := limited(t, file, func(*limits) {})
	if calls := drain(t, r, func() {}); len(calls) != 2 {
		t.Errorf("%d PDUs", len(calls))
	}
	file[12] = 2
	if _, err := NewReader(bytes.NewReader(file)); err == nil || !strings.Contains(err.Error(), "version 2.2, which is not known") {
		t.Errorf("error %v", err)
	}
}

func TestInterfacesOfASectionAreBounded(t *testing.T) {
	c := capturetest.NewTalk()
	file := capturetest.PcapNG(capturetest.LinkEthernet, c.SYN())
	long := make([]byte, 1<<20)
	binary.LittleEndian.PutUint32(long, blockInterface)
	binary.LittleEndian.PutUint32(long[4:], uint32(len(long)))
	for range maxInterfaces >> 20 {
		file = append(file, long...)
	}
	r := limited(t, file, func(*limits) {})
	_, err := r.Next()
	if err == nil || !strings.Contains(err.Error(), "interfaces of more than 16 MiB") {
		t.Errorf("error %v", err)
	}
}

func TestFileThatEndsInABlockOfAnyKindIsCut(t *testing.T) {
	file := ngFile()
	ends := map[int]bool{}
	for n := 0; n < len(file); {
		order := binary.ByteOrder(binary.LittleEndian)
		if file[n+8] == 0x1a && file[n] == 0x0a {
			order = binary.BigEndian
		}
		n += int(order.Uint32(file[n+4:]))
		ends[n] = true
	}
	for n := 1; n < len(file); n++ {
		r, err := NewReader(bytes.NewReader(file[:n]))
		for err == nil {
			_, err = r.Next()
		}
		if errors.Is(err, io.EOF) != ends[n] {
			t.Errorf("%d of %d bytes: %v, the end of a block: %v", n, len(file), err, ends[n])
		}
	}
}
