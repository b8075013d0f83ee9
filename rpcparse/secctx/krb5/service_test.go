package krb5

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
)

// tried lists the keys that a service tries on a ticket.
func tried(s *Service, realm, sname string, kvno uint32) (list []string) {
	for _, e := range s.candidates(realm, strings.Split(sname, "/"), 18, kvno) {
		list = append(list, e.String())
	}
	return list
}

func forest(t testing.TB) *Keytab {
	return keysOf(t,
		entry("DC9$@OTHER.TEST", 5, secret(18, 0x10)),
		entry("DC9$@LAB.TEST", 5, secret(18, 0x20)),
		entry("DC1$@LAB.TEST", 4, secret(18, 0x30)),
		entry("DC1$@LAB.TEST", 5, secret(18, 0x31)),
		entry("host/DC1.lab.test@LAB.TEST", 5, secret(18, 0x31)), // the same key once more
		entry("EXCHANGEAB/dc1.LAB.test@lab.TEST", 3, secret(18, 0x40)),
		entry("DC1$@LAB.TEST", 5, secret(17, 0x50)),
		entry("alice@LAB.TEST", 5, secret(18, 0x60)),
	)
}

func TestOnlyKeysOfTheServersOwnAccountAreTried(t *testing.T) {
	own := []string{
		"DC1$@LAB.TEST kvno 5 etype 18",
		"DC1$@LAB.TEST kvno 4 etype 18",
		"EXCHANGEAB/dc1.LAB.test@lab.TEST kvno 3 etype 18",
	}
	for _, sname := range []string{"exchangeAB/dc1.lab.test", "foo/bar", "exchangeAB/dc9.lab.test", "alice", ""} {
		for _, realm := range []string{"LAB.TEST", "OTHER.TEST", ""} {
			if got := tried(forest(t).Service("dc1.lab.test"), realm, sname, 5); !slices.Equal(got, own) {
				t.Errorf("%s@%s: %q", sname, realm, got)
			}
		}
	}
	if got := tried(forest(t).Service("DC1.LAB.TEST"), "LAB.TEST", "foo/bar", 3); got[0] != own[2] || len(got) != 3 {
		t.Errorf("the version orders: %q", got)
	}
	if got := tried(forest(t).Service("dc1.lab.test"), "", "", 0x7d3<<16|4); got[0] != own[1] {
		t.Errorf("the version of a read-only domain controller orders: %q", got)
	}
}

func TestWithoutItsNameTheLikeliestComputersKeysAreTriedFirst(t *testing.T) {
	got := tried(forest(t).Service("dc7.lab.test"), "LAB.TEST", "exchangeAB/dc1.lab.test", 5)
	want := []string{
		"DC1$@LAB.TEST kvno 5 etype 18",
		"DC1$@LAB.TEST kvno 4 etype 18",
		"EXCHANGEAB/dc1.LAB.test@lab.TEST kvno 3 etype 18",
		"DC9$@LAB.TEST kvno 5 etype 18",
		"DC9$@OTHER.TEST kvno 5 etype 18",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

func TestHostNameInSeveralRealmsIsThatOfItsOwn(t *testing.T) {
	for host, known := range map[string]bool{"dc9.lab.test": true, "dc9.other.test": true, "dc9": false, "dc9.else.test": false, "dc1": true, "": false} {
		if s := forest(t).Service(host); s.Known() != known {
			t.Errorf("%q: known %t", host, s.Known())
		}
	}
}

// An account's key vouches for nothing but its owner's inventions.
func TestKeysOfUsersOpenNoTicket(t *testing.T) {
	if s := keysOf(t, entry("alice@LAB.TEST", 5, secret(18, 1)), entry("svc-bes@LAB.TEST", 5, secret(23, 1))).Service(""); s != nil {
		t.Fatal("a service without a computer account")
	}
	k := newKDC(t, 18)
	k.sname = []string{"alice"}
	keys := Join(k.keys(t), keysOf(t, entry("DC1$@LAB.TEST", 5, secret(18, 0xc1))))
	if in, o := OpenAPReq(k.request(t), keys.Service("")); in != nil || o.Result != NoKeyForPrincipal {
		t.Error(in, o)
	}
}

// confirmed is a handshake whose AP-REQ the server has answered.
func confirmed(t *testing.T, s *Service, k *kdc) {
	t.Helper()
	in, o := OpenAPReq(k.request(t), s)
	if in == nil {
		t.Fatal(o)
	}
	if _, err := in.OpenAPRep(k.answer(t)); err != nil {
		t.Fatal(err)
	}
	s.Confirm(in)
}

func TestAccountIsLearntFromTheServersAnswer(t *testing.T) {
	k, other := newKDC(t, 18), newKDC(t, 18)
	other.service, other.sname = secret(18, 0xc1), []string{"exchangeAB", "dc2.lab.test"}
	other.data = ifRelevant(t, pacElement(newPAC().sign(t, other.service)))
	s := Join(k.keys(t), other.keys(t)).Service("")
	if in, _ := OpenAPReq(other.request(t), s); in == nil || s.Known() {
		t.Error("a ticket that no server has answered")
	}
	confirmed(t, s, k)
	if in, o := OpenAPReq(other.request(t), s); in != nil || o.Result != WrongKvno && o.Result != Undecryptable && o.Result != NoKeyForPrincipal {
		t.Error(in, o)
	}
	k.sname, k.kvno = []string{"foo", "bar"}, 0
	if in, o := OpenAPReq(k.request(t), s); in == nil {
		t.Error(o)
	}
}

func TestTicketOfAnAliasIsOpenedAmongTheKeysOfAForest(t *testing.T) {
	k := newKDC(t, 18)
	var all []*Keytab
	for n := range 60 {
		all = append(all, keysOf(t, entry(fmt.Sprintf("DC%d$@LAB.TEST", 100+n), 9, secret(18, byte(100+n)))))
	}
	s := Join(append(all, k.keys(t))...).Service("")
	k.sname, k.kvno = []string{"exchangeAB", "nspi.lab.test"}, 0
	confirmed(t, s, k)
	for range 3 {
		if in, o := OpenAPReq(k.request(t), s); in == nil {
			t.Fatal(o)
		}
	}
}

// Until the account is known, a ticket that nothing opens is tried with all keys
// once in a while only.
func TestHostileTicketsDoNotHaveAllKeysTried(t *testing.T) {
	var all []*Keytab
	for n := range 3 * maxCandidates {
		all = append(all, keysOf(t, entry(fmt.Sprintf("DC%d$@LAB.TEST", n), 1, secret(18, byte(n)))))
	}
	s := Join(all...).Service("")
	if n := len(tried(s, "LAB.TEST", "foo/bar", 0)); n != 3*maxCandidates {
		t.Errorf("%d keys at first", n)
	}
	if got := tried(s, "LAB.TEST", "host/dc40.lab.test", 0); len(got) != maxCandidates || !strings.HasPrefix(got[0], "DC40$") {
		t.Errorf("then %q", got)
	}
}

// A look at the beginning of a ticket never excludes the key that opens it.
func TestProbeExcludesOtherKeysOnly(t *testing.T) {
	for _, etype := range allEtypes {
		k := newKDC(t, etype)
		for name, f := range spellings {
			plain := rewritten(t, k.ticketPart(t), f)
			for _, size := range []int{len(plain), 2 * leastProbed, leastProbed, leastProbed / 2, 1} {
				sealed := k.encrypted(t, k.service, plain[:min(size, len(plain))], keyusage.KDC_REP_TICKET)
				if !mayOpen(sealed.Cipher, k.service) {
					t.Errorf("etype %d, %s, %d bytes: the right key is excluded", etype, name, size)
				}
			}
		}
		passed := 0
		ticket := k.encrypted(t, k.service, k.ticketPart(t), keyusage.KDC_REP_TICKET)
		for n := range 256 {
			if mayOpen(ticket.Cipher, secret(etype, byte(n))) {
				passed++
			}
		}
		if passed > 16 {
			t.Errorf("etype %d: %d of 256 keys pass", etype, passed)
		}
	}
}

func BenchmarkTicketThatNoKeyOpens(b *testing.B) {
	var all []*Keytab
	for n := range maxSearch {
		key := secret(18, byte(n))
		key.Value[31] = byte(n >> 8)
		all = append(all, keysOf(b, entry(fmt.Sprintf("DC%d$@LAB.TEST", n), 1, key)))
	}
	kt := Join(all...)
	k := newKDC(b, 18)
	k.data = ifRelevant(b, pacElement(make([]byte, 60000)))
	token := k.request(b)
	b.ReportAllocs()
	for b.Loop() {
		if in, _ := OpenAPReq(token, kt.Service("")); in != nil {
			b.Fatal("opened")
		}
	}
}
