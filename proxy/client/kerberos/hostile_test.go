package kerberos

import (
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
)

// TestKDCThatAnnouncesGigabytesCostsNothing: the length in front of a reply is the KDC's to choose. It goes on to send, too.
func TestKDCThatAnnouncesGigabytesCostsNothing(t *testing.T) {
	for _, length := range []uint32{maxReply + 1, 1 << 31, 1<<31 - 1, 1<<32 - 1, 0} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			var header [lengthSize]byte
			if _, err := io.ReadFull(c, header[:]); err != nil {
				return
			}
			_, _ = io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(header[:])))
			_, _ = c.Write(binary.BigEndian.AppendUint32(nil, length))
			for more := make([]byte, 64<<10); err == nil; {
				_, err = c.Write(more)
			}
		}()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		reply, err := exchange(t.Context(), l.Addr().String(), []byte("request"))
		runtime.ReadMemStats(&after)
		if err == nil || length > 0 && !strings.Contains(err.Error(), "announced") {
			t.Errorf("%d bytes announced: a reply of %d, %v", length, len(reply), err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%d bytes announced: %d bytes allocated", length, took)
		}
		l.Close()
		<-ended
	}
}
