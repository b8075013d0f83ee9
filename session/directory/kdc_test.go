package directory

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// readConn is a connection with those bytes to read.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }

func TestLengthOfAKDCReplyIsReadWholeAndBounded(t *testing.T) {
	for length, ok := range map[uint32]bool{0: true, 5: true, maxKDCReply: true, maxKDCReply + 1: false, 1<<32 - 1: false} {
		text := string(binary.BigEndian.AppendUint32(nil, length)) + "reply"
		c := &kdcConn{Conn: readConn{Reader: iotest.OneByteReader(strings.NewReader(text))}}
		b := make([]byte, 4)
		n, err := c.Read(b)
		if (err == nil) != ok || ok && n != 4 {
			t.Errorf("%d bytes announced: read %d, %v", length, n, err)
		}
		if rest, err := io.ReadAll(c); ok && (err != nil || string(rest) != "reply") {
			t.Errorf("%q, %v", rest, err)
		}
	}
}

// hostileKDC answers every request with the same bytes.
func hostileKDC(t *testing.T, answer []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(answer)
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestHostileKDCIsAnError(t *testing.T) {
	message := func(b string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	for name, answer := range map[string][]byte{
		"4 GiB announced":      {0xff, 0xff, 0xff, 0xff, 1},
		"nothing":              nil,
		"half a length":        {0, 0},
		"empty":                {0, 0, 0, 0},
		"cut off":              append(binary.BigEndian.AppendUint32(nil, 100), 1),
		"garbage":              message("hello"),
		"AS-REP of nothing":    message("\x6b\x02\x30\x00"),
		"KRB-ERROR of nothing": message("\x7e\x02\x30\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newFakeServer(t, true, forestEntries()...)
			conf := "[libdefaults]\n default_realm = LAB.EXAMPLE\n[realms]\n LAB.EXAMPLE = {\n  kdc = " + hostileKDC(t, answer) + "\n }\n"
			entry := "\x00\x01\x00\x0bLAB.EXAMPLE\x00\x03svc\x00\x00\x00\x01\x00\x00\x00\x00\x01\x00\x12\x00\x20" + strings.Repeat("k", 32)
			d := s.open(t, func(c *Config) {
				c.BindDN, c.Kerberos = "svc@LAB.EXAMPLE", &Kerberos{Config: conf}
				c.Secret = func() ([]byte, error) { return []byte("\x05\x02\x00\x00\x00" + string(rune(len(entry))) + entry), nil }
			})
			_, err := ask(t, d, `LAB\alice`)
			if err == nil || !strings.Contains(err.Error(), "binding as svc@LAB.EXAMPLE") || strings.Contains(err.Error(), "kkkk") {
				t.Error(err)
			}
			if name == "4 GiB announced" && !strings.Contains(err.Error(), "announces 4294967295 bytes") {
				t.Error(err)
			}
		})
	}
}

func TestConnectionToAKDCEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	c, err := kdcDialer{ctx}.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.Read(make([]byte, 4)); err == nil {
		t.Error("read")
	}
	c.Close()
	if _, err := (kdcDialer{ctx}).Dial("tcp", l.Addr().String()); err == nil {
		t.Error("connected after the context's end")
	}
}
