package krb5

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// ticketFor is the kit's ticket in the hands of a client.
func (k *kdc) ticketFor(t testing.TB) *Ticket {
	t.Helper()
	part, err := crypto.GetEncryptedData(k.ticketPart(t), libraryKey(k.service), keyusage.KDC_REP_TICKET, k.kvno)
	must(t, 0, err)
	return &Ticket{
		Ticket: messages.Ticket{TktVNO: 5, Realm: k.realm, SName: principalName(k.sname), EncPart: part},
		Client: principalName(k.cname), Realm: k.realm, Session: k.session,
	}
}

// accepted lets the kit's server answer a client's request.
func (k *kdc) accepted(t testing.TB, request []byte) (*Initiated, []byte) {
	t.Helper()
	in, outcome := OpenAPReq(request, k.keys(t).Service(""))
	if in == nil {
		t.Fatal(outcome)
	}
	k.reply = func(p *messages.EncAPRepPart) { p.CTime, p.Cusec = in.ctime, in.cusec }
	return in, k.answer(t)
}

func TestClientAndServerProtectEachOthersMessages(t *testing.T) {
	for _, etype := range []int32{17, 18, 19, 20, 23} {
		for _, subkey := range []bool{true, false} {
			t.Run(fmt.Sprint(etype, subkey), func(t *testing.T) {
				k := newKDC(t, etype)
				if !subkey {
					k.server = nil
				}
				c := Client{Ticket: k.ticketFor(t), Flags: FlagIntegrity | FlagConfidentiality}
				request, err := c.Request()
				must(t, 0, err)
				in, answer := k.accepted(t, request)
				if in.Client != "alice@LAB.TEST" || in.Flags != 0x103e || in.subkey == nil {
					t.Errorf("%v, flags %#x", in, in.Flags)
				}
				third, mine, err := c.Reply(answer)
				must(t, 0, err)
				theirs, err := in.OpenAPRep(answer)
				must(t, 0, err)
				if err := theirs.CheckThirdLeg(third); err != nil {
					t.Fatal(err)
				}
				send, _, err := mine.Streams()
				must(t, 0, err)
				receive, _, err := theirs.Streams()
				must(t, 0, err)
				mine.Wipe()
				pdu := make([]byte, 16+32+trailerSize+send.TokenSize(true))
				must(t, 0, send.Protect(pdu, 16, 48, true))
				if bytes.Equal(pdu[16:48], make([]byte, 32)) {
					t.Error("not encrypted")
				}
				if err := receive.Unprotect(pdu, 16, 48, true); err != nil || !bytes.Equal(pdu[16:48], make([]byte, 32)) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// A server that has not the key of the service cannot know the session key, nor
// the client's clock.
func TestServerThatCannotOpenTheTicketIsRefused(t *testing.T) {
	k := newKDC(t, etypeAES256SHA1)
	c := Client{Ticket: k.ticketFor(t)}
	if _, _, err := c.Reply(k.answer(t)); !errors.Is(err, &wire.Error{Class: wire.ClassState}) {
		t.Errorf("before the request: %v", err)
	}
	request, err := c.Request()
	must(t, 0, err)
	if _, _, err := c.Reply(k.answer(t)); !errors.Is(err, &wire.Error{Class: wire.ClassAuth}) {
		t.Errorf("an answer to another request: %v", err)
	}
	k.accepted(t, request)
	k.session = secret(etypeAES256SHA1, 0x77)
	if _, _, err := c.Reply(k.answer(t)); !errors.Is(err, &wire.Error{Class: wire.ClassAuth}) {
		t.Errorf("an answer with another key: %v", err)
	}
	if _, _, err := c.Reply(nil); err == nil {
		t.Error("no answer")
	}
}

func TestRefusalOfTheServerIsNamed(t *testing.T) {
	k := newKDC(t, etypeAES256SHA1)
	c := Client{Ticket: k.ticketFor(t)}
	_, err := c.Request()
	must(t, 0, err)
	const skew = 37
	m := messages.NewKRBError(principalName(k.sname), k.realm, skew, "\x1b[31mtext of the other side")
	token, err := m.Marshal()
	must(t, 0, err)
	var refused *KRBError
	if _, _, err := c.Reply(token); !errors.As(err, &refused) || refused.Code != skew ||
		!strings.Contains(err.Error(), "KRB_AP_ERR_SKEW") || strings.Contains(err.Error(), "other side") {
		t.Errorf("%v", err)
	}
	if _, _, err := c.Reply(token[:len(token)-1]); err == nil {
		t.Errorf("cut off: %v", err)
	}
}

func TestTicketsPrintNoKey(t *testing.T) {
	k := newKDC(t, etypeAES256SHA1)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		if s := fmt.Sprintf(verb, k.ticketFor(t)); s != `ticket of "alice@LAB.TEST" for "exchangeAB/dc1.lab.test@LAB.TEST"` {
			t.Errorf("%s: %s", verb, s)
		}
	}
}
