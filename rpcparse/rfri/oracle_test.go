package rfri

import (
	"bytes"
	"context"
	"testing"

	rfri "github.com/oiweiwei/go-msrpc/msrpc/oxabref/rfri/v1"
	"github.com/oiweiwei/go-msrpc/ndr"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// A second implementation encodes the same values and decodes ours. It is never
// given hostile bytes: its decoders are not made for them.

// theirs encodes v as the other implementation does.
func theirs(t *testing.T, v ndr.Marshaler, s Syntax, o wire.Order) []byte {
	t.Helper()
	if s == NDR64 {
		b, err := ndr.Marshal64(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	drep := ndr.DefaultDataRepresentation
	if o == wire.BigEndian {
		drep = ndr.DataRepresentation(ndr.ByteOrderBigEndian)
	}
	b, err := ndr.NDR20(nil, drep).Marshal(context.Background(), v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decoded lets the other implementation decode a stub of ours.
func decoded(t *testing.T, stub []byte, v ndr.Unmarshaler, s Syntax, o wire.Order) {
	t.Helper()
	var err error
	switch {
	case s == NDR64:
		err = ndr.Unmarshal64(stub, v)
	case o == wire.BigEndian:
		err = ndr.NDR20(stub, ndr.DataRepresentation(ndr.ByteOrderBigEndian)).Unmarshal(context.Background(), v)
	default:
		err = ndr.Unmarshal(stub, v)
	}
	if err != nil {
		t.Fatalf("%x: %v", stub, err)
	}
}

var servers = []string{"g", "gc1.lab.test", "gc1.lab.example", "gc-proxy.corp.example"}

func TestAnswersAgreeWithAnotherImplementation(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			for _, server := range servers {
				stub := theirs(t, &rfri.GetNewDSAResponse{Server: server, Return: 7}, e.syntax, e.order)
				got, err := ParseAnswer(OpnumGetNewDSA, stub, e.syntax, e.order)
				if err != nil || got.Server.Text != server || got.Code != 7 {
					t.Fatalf("%x: %+v, %v", stub, got, err)
				}
				if again := newDSAAnswers.must(t, got, e.syntax, e.order); !bytes.Equal(again, stub) {
					t.Errorf("ours %x, theirs %x", again, stub)
				}
				got.Server.Rename("renamed.corp.example")
				var dsa rfri.GetNewDSAResponse
				decoded(t, newDSAAnswers.must(t, got, e.syntax, e.order), &dsa, e.syntax, e.order)
				if dsa.Server != "renamed.corp.example" || dsa.Return != 7 {
					t.Errorf("they read %+v", dsa)
				}

				stub = theirs(t, &rfri.GetFQDNFromServerDNResponse{ServerFQDN: server, Return: 7}, e.syntax, e.order)
				got, err = ParseAnswer(OpnumGetFQDNFromServerDN, stub, e.syntax, e.order)
				if err != nil || got.Server.Text != server || got.Code != 7 {
					t.Fatalf("%x: %+v, %v", stub, got, err)
				}
				if again := fqdnAnswers.must(t, got, e.syntax, e.order); !bytes.Equal(again, stub) {
					t.Errorf("ours %x, theirs %x", again, stub)
				}
				got.Server.Rename("renamed.corp.example")
				var fqdn rfri.GetFQDNFromServerDNResponse
				decoded(t, fqdnAnswers.must(t, got, e.syntax, e.order), &fqdn, e.syntax, e.order)
				if fqdn.ServerFQDN != "renamed.corp.example" || fqdn.Return != 7 {
					t.Errorf("they read %+v", fqdn)
				}
			}
		})
	}
}

func TestRequestsAgreeWithAnotherImplementation(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			for _, dn := range []string{"/o=LAB/ou=", "/o=LAB/ou=first/cn=Recipients/cn=alice"} {
				stub := theirs(t, &rfri.GetNewDSARequest{Flags: 3, UserDN: dn, Server: "x"}, e.syntax, e.order)
				got, err := ParseNewDSARequest(stub, e.syntax, e.order)
				if err != nil || got.UserDN != dn || got.Server.Text != "x" || got.Flags != 3 {
					t.Fatalf("%x: %+v, %v", stub, got, err)
				}
				if again := newDSARequests.must(t, got, e.syntax, e.order); !bytes.Equal(again, stub) {
					t.Errorf("ours %x, theirs %x", again, stub)
				}
				stub = theirs(t, &rfri.GetFQDNFromServerDNRequest{Flags: 3, MailboxServerDN: dn}, e.syntax, e.order)
				q, err := ParseFQDNRequest(stub, e.syntax, e.order)
				if err != nil || q.ServerDN != dn || q.Flags != 3 {
					t.Fatalf("%x: %+v, %v", stub, q, err)
				}
				if again := fqdnRequests.must(t, q, e.syntax, e.order); !bytes.Equal(again, stub) {
					t.Errorf("ours %x, theirs %x", again, stub)
				}
			}
		})
	}
}
