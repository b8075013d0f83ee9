package lab

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Tap is a TCP relay that keeps what clients send through it.
type Tap struct {
	Address string
	Port    int
	to      string
	mu      sync.Mutex
	sent    []byte
}

// StartTap starts a relay on a loopback address in front of to. It ends with the test.
func StartTap(t testing.TB, to string) *Tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.66.2:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	at := l.Addr().(*net.TCPAddr)
	p := &Tap{Address: at.IP.String(), Port: at.Port, to: to}
	go p.accept(l)
	return p
}

func (p *Tap) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go p.relay(client)
	}
}

func (p *Tap) relay(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	_, _ = io.Copy(server, io.TeeReader(client, p))
}

// Write takes what a client has sent.
func (p *Tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, b...)
	return len(b), nil
}

// PDUs returns what clients have sent so far. Only one of them may have sent anything.
func (p *Tap) PDUs(t testing.TB) (pdus [][]byte) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	framer := rpcparse.Framer{Dir: rpcparse.ClientToServer}
	for rest := p.sent; ; {
		pdu, _, err := framer.Next(rest)
		if err != nil {
			t.Fatal(err)
		}
		if pdu == nil {
			return pdus
		}
		pdus, rest = append(pdus, append([]byte(nil), pdu...)), rest[len(pdu):]
	}
}
