package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/config"

	"github.com/nspiproxy/nspiproxy/internal/testkit/kdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/client/kerberos"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

const service = "exchangeAB/dc1.lab.test"

// ticketOf gets a ticket of this encryption type, and an acceptor of it.
func ticketOf(t testing.TB, etype int32) (*krb5.Ticket, *acceptor) {
	t.Helper()
	k, err := kdc.Start(kdc.Config{Realm: "LAB.TEST", Etype: etype, User: "alice", Password: "correct horse", Services: []string{service}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	conf, err := config.NewFromString(k.Krb5Conf())
	if err != nil {
		t.Fatal(err)
	}
	c := kerberos.Client{Config: conf, Realm: "LAB.TEST", Name: "alice", Password: "correct horse"}
	ticket, err := c.Ticket(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := k.Keytab()
	if err != nil {
		t.Fatal(err)
	}
	return ticket, &acceptor{session: ticket.Session, keys: keys}
}

// long is the stub of a request in three fragments.
var long = bytes.Repeat([]byte("fragment"), 600)

func TestKerberosProtectsCallsInEveryWay(t *testing.T) {
	for _, etype := range []int32{17, 18, 19, 20, 23} {
		ticket, a := ticketOf(t, etype)
		for _, level := range []rpcparse.AuthLevel{rpcparse.LevelConnect, rpcparse.LevelPacket, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
			for _, typ := range []rpcparse.AuthType{rpcparse.AuthKerberos, rpcparse.AuthSPNEGO} {
				for _, headers := range []bool{true, false} {
					for _, noMIC := range []bool{true, false} {
						t.Run(fmt.Sprintf("%d/%v/%v/headers %v/no MIC %v", etype, level, typ, headers, noMIC), func(t *testing.T) {
							server := *a
							server.headerSigning = headers
							addr, ended := server.start(t)
							c, err := client.Dial(addr, client.Options{Security: &client.Security{Type: typ, Level: level, Ticket: ticket, NoListMIC: noMIC}})
							if err != nil {
								t.Fatalf("%v, %v", err, <-ended)
							}
							for _, stub := range [][]byte{long, []byte("short")} {
								if got, err := c.Call(3, stub); err != nil || !bytes.Equal(got, stub) {
									t.Fatalf("%d bytes, %v, %v", len(got), err, <-ended)
								}
							}
							c.Close()
							if err := <-ended; err != nil {
								t.Error(err)
							}
						})
					}
				}
			}
		}
	}
}

// Whatever somebody in the path changes of an answer, or of its header where
// headers are signed, is noticed, by NTLM as by Kerberos.
func TestAlteredAnswersAreNoticed(t *testing.T) {
	for _, etype := range []int32{17, 18, 19, 20, 23} {
		ticket, a := ticketOf(t, etype)
		for _, level := range []rpcparse.AuthLevel{rpcparse.LevelPacket, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
			for name, at := range map[string]int{"alloc_hint": 16, "stub": 24, "padding": -1, "token": -2} {
				server := *a
				server.headerSigning = true
				server.alter = func(pdu []byte) {
					r, err := rpcparse.ParseResponse(pdu)
					if err != nil {
						panic(err)
					}
					switch at {
					case -1:
						pdu[r.Verifier.Offset-1] ^= 1
					case -2:
						pdu[len(pdu)-1] ^= 1
					default:
						pdu[at] ^= 1
					}
				}
				addr, _ := server.start(t)
				c, err := client.Dial(addr, client.Options{Security: &client.Security{Level: level, Ticket: ticket}})
				if err != nil {
					t.Fatal(err)
				}
				var parse *rpcparse.Error
				if got, err := c.Call(3, []byte("stub")); !errors.As(err, &parse) || parse.Class != rpcparse.ClassAuth {
					t.Errorf("%d, %v, %s: %q, %v", etype, level, name, got, err)
				}
				c.Close()
			}
		}
	}
}

func TestServerWithAnotherKeyIsRefused(t *testing.T) {
	ticket, a := ticketOf(t, 18)
	a.session.Value = bytes.Repeat([]byte{1}, 32)
	addr, _ := a.start(t)
	if _, err := client.Dial(addr, client.Options{Security: &client.Security{Ticket: ticket}}); err == nil {
		t.Error("bound to a server that cannot open the ticket")
	}
}

func TestKerberosErrorOfTheServerIsNamed(t *testing.T) {
	ticket, a := ticketOf(t, 18)
	for _, typ := range []rpcparse.AuthType{rpcparse.AuthKerberos, rpcparse.AuthSPNEGO} {
		server := *a
		server.refuse = true
		addr, _ := server.start(t)
		_, err := client.Dial(addr, client.Options{Security: &client.Security{Type: typ, Ticket: ticket}})
		var refused *krb5.KRBError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "KRB_AP_ERR_SKEW") {
			t.Errorf("%v: %v", typ, err)
		}
	}
}
