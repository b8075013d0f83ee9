package kerberos_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/internal/testkit/kdc"
	"github.com/nspiproxy/nspiproxy/internal/testkit/loopback"
)

// tamper stands in the path to k and changes requests and replies. It returns
// where it listens, and how many connections it has had.
func tamper(t testing.TB, k *kdc.KDC, request, reply func([]byte) []byte) (addr string, asked *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked = new(atomic.Int32)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			server, err := net.Dial("tcp", k.Addr().String())
			if err == nil {
				err = pass(server, client, request)
			}
			if err == nil {
				_ = pass(client, server, reply)
			}
			client.Close()
			if server != nil {
				server.Close()
			}
		}
	}()
	return l.Addr().String(), asked
}

// pass passes one message on.
func pass(to io.Writer, from io.Reader, change func([]byte) []byte) error {
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return err
	}
	message := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(from, message); err != nil {
		return err
	}
	message = change(message)
	_, err := to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...))
	return err
}

func same(b []byte) []byte { return b }

// Who is in the path and knows no key can write another name on a ticket. The
// client believes the names that the KDC has encrypted.
func TestReferralsThatTheKDCDidNotMakeAreNotFollowed(t *testing.T) {
	k := start(t, kdc.Config{Etype: 18, Services: []string{service}})
	evil, asked := tamper(t, k, same, same)
	path, _ := tamper(t, k, same, func(b []byte) []byte {
		var rep messages.TGSRep
		if rep.Unmarshal(b) != nil {
			return b
		}
		rep.Ticket.SName = types.NewPrincipalName(2, "krbtgt/EVIL.TEST")
		b, err := rep.Marshal()
		if err != nil {
			t.Error(err)
		}
		return b
	})
	conf := strings.Replace(k.Krb5Conf(), k.Addr().String(), path, 1) + "\tEVIL.TEST = {\n\t\tkdc = " + evil + "\n\t}\n"
	client := alice(t, conf)
	if _, err := client.Ticket(testContext(t), service); err == nil || !strings.Contains(err.Error(), "altered") {
		t.Error(err)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the KDC of the other realm was asked %d times", n)
	}
}

func TestFirstTicketIsATicketGrantingTicket(t *testing.T) {
	k := start(t, kdc.Config{Etype: 18, Services: []string{service}})
	path, asked := tamper(t, k, func(b []byte) []byte {
		var req messages.ASReq
		if req.Unmarshal(b) != nil {
			return b
		}
		req.ReqBody.SName = types.NewPrincipalName(2, service)
		b, err := req.Marshal()
		if err != nil {
			t.Error(err)
		}
		return b
	}, same)
	client := alice(t, strings.Replace(k.Krb5Conf(), k.Addr().String(), path, 1))
	if _, err := client.Ticket(testContext(t), service); err == nil || !strings.Contains(err.Error(), "another service") {
		t.Error(err)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("%d requests", n)
	}
}

// A KDC that is down may cost five seconds: once for a ticket, not three times.
func TestKDCThatAnswersIsAskedAgainFirst(t *testing.T) {
	k := start(t, kdc.Config{Etype: 18, Services: []string{service}})
	var down atomic.Int32
	dead := loopback.Serve(t, func(c *net.TCPConn) {
		down.Add(1)
		c.Close()
	})
	conf := strings.Replace(k.Krb5Conf(), "kdc = ", "kdc = "+dead+"\n\t\tkdc = ", 1)
	for range 20 {
		before := down.Load()
		client := alice(t, conf)
		if _, err := client.Ticket(testContext(t), service); err != nil {
			t.Fatal(err)
		}
		if n := down.Load() - before; n > 1 {
			t.Fatalf("asked %d times for one ticket", n)
		}
	}
}
