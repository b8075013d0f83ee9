package report

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/session"
)

// invented is a refusal of a name that a client has made up: NTLM names are counted before a domain controller has checked them.
func invented(n int, client netip.Addr) inspect.LimitExceeded {
	e := namedRefusal(n)
	e.Client, e.User.Account.User = netip.AddrPortFrom(client, 4000), fmt.Sprint("invented", n)
	return e
}

// TestInventedNamesOfOneNetworkLoseNoRefusalOfOthers: one client, and one that takes another address of its network each time.
func TestInventedNamesOfOneNetworkLoseNoRefusalOfOthers(t *testing.T) {
	for name, client := range map[string]func(n int) netip.Addr{
		"IPv4": func(int) netip.Addr { return netip.MustParseAddr("10.9.9.9") },
		"IPv6": func(n int) netip.Addr {
			return netip.AddrFrom16([16]byte{0: 0xfd, 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)})
		},
	} {
		l := newLogbook()
		const refusals = 50
		for minute := range 3 { // the sums of a minute, too, must leave room in the next one
			for range 2 {
				for n := range 2 * shares[kindReject].keys {
					l.put(invented(n, client(n)))
				}
			}
			for n := range refusals {
				l.put(namedRefusal(1000*minute + n))
			}
			l.recorder.write()
			if n := strings.Count(l.out.String(), `"user":"LAB\\honest`); n != refusals {
				t.Errorf("%s, minute %d: %d of %d refusals of others are in the log", name, minute, n, refusals)
			}
			l.out.Reset()
			l.time = l.time.Add(sumWindow)
			l.flush(false)
			l.out.Reset()
		}
	}
}

// TestInventedNamesOfManyNetworksLoseNoRefusalOfProvedUsers: a ticket cannot be invented.
func TestInventedNamesOfManyNetworksLoseNoRefusalOfProvedUsers(t *testing.T) {
	l := newLogbook()
	for n := range 3 * shares[kindReject].keys {
		l.put(invented(n, netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})))
	}
	e := namedRefusal(1)
	e.User.Assurance, e.User.SID = session.AssuranceVerified, "S-1-5-21-1-2-3-1104"
	l.write(e)
	if !strings.Contains(l.out.String(), e.User.SID) {
		t.Error("the refusal of a user with a ticket is not in the log")
	}
}

// TestOneAddressMayHaveManyUsers: behind a load balancer that replaces addresses, all users have one.
func TestOneAddressMayHaveManyUsers(t *testing.T) {
	l := newLogbook()
	const users = 5000
	for n := range users {
		l.put(namedRefusal(n))
	}
	l.recorder.write()
	if n := len(l.records(t)); n != users {
		t.Errorf("%d of %d users are in the log", n, users)
	}
}

// TestRecordsOfOneNetworkLeaveLinesForOthers, of a kind with the ordinary share.
func TestRecordsOfOneNetworkLeaveLinesForOthers(t *testing.T) {
	l := newLogbook()
	refused := func(client netip.Addr) inspect.Event {
		return inspect.AssociationRefused{Source: inspect.Source{Client: netip.AddrPortFrom(client, 1), Backend: "dc1"}}
	}
	for n := range 100_000 {
		l.put(refused(netip.AddrFrom16([16]byte{0: 0xfd, 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)})))
	}
	l.write(refused(netip.MustParseAddr("10.1.2.3")))
	if !strings.Contains(l.out.String(), "10.1.2.3") {
		t.Error("what another network's client did is not in the log")
	}
}

// TestFindingsOfAllOtherKindsLeaveRoomForOne.
func TestFindingsOfAllOtherKindsLeaveRoomForOne(t *testing.T) {
	kinds := map[string]bool{}
	for _, e := range allEvents() {
		if x, ok := entryOf(e); ok && x.once {
			kinds[x.key.kind] = true
		}
	}
	l := newLogbook()
	for kind := range kinds {
		for n := range 1000 {
			l.note(kind, fmt.Sprint("fd00:5::", n), "text")
		}
	}
	l.note("one.more", "dc1", "text")
	if !strings.Contains(l.out.String(), "one.more") {
		t.Errorf("findings of %d kinds keep another one from the log", len(kinds))
	}
}

// TestEveryEventIsInTheTestsOfAll reads the source of package inspect: a new event must be bounded like the others.
func TestEveryEventIsInTheTestsOfAll(t *testing.T) {
	tested := map[string]bool{}
	for _, e := range allEvents() {
		tested[reflect.TypeOf(e).Name()] = true
	}
	files, err := filepath.Glob("../inspect/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := 0
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			m, ok := d.(*ast.FuncDecl)
			if !ok || m.Recv == nil || m.Name.Name != "event" {
				continue
			}
			if found++; !tested[m.Recv.List[0].Type.(*ast.Ident).Name] {
				t.Errorf("%s: an event without a test of its bound", m.Recv.List[0].Type)
			}
		}
	}
	if found < 30 {
		t.Errorf("%d events", found)
	}
}

// TestNoLineIsLongerThanStated, whatever the texts in it are.
func TestNoLineIsLongerThanStated(t *testing.T) {
	for _, text := range []string{"\x01", "\xff", `"`, "x", "€"} {
		for _, e := range allEvents() {
			if c, ok := e.(inspect.CheckFailed); ok && c.Stack != "" {
				continue // the stack is the program's own, and bounded by maxStack
			}
			l := newLogbook()
			l.write(noisy(e, strings.Repeat(text, 4000)))
			if l.out.Len() > lineSize {
				t.Errorf("%T with %q: %d bytes", e, text, l.out.Len())
			}
		}
	}
}

// noisy is an event with text in all its fields that have any, also in those of structs in it.
func noisy(e inspect.Event, text string) inspect.Event {
	v := reflect.New(reflect.TypeOf(e)).Elem()
	v.Set(reflect.ValueOf(e))
	fillText(v, text)
	return v.Interface().(inspect.Event)
}

// ownTexts are fields whose text is the program's or the configuration's own.
var ownTexts = map[string]bool{"Kind": true, "Text": true, "Backend": true, "Listener": true, "Rule": true, "Reason": true,
	"Setting": true, "Cause": true, "Mode": true, "Target": true, "Who": true, "How": true, "Answer": true, "Header": true, "State": true}

func fillText(v reflect.Value, text string) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case !f.CanSet() || ownTexts[name]:
		case f.Kind() == reflect.String && name != "Stack":
			f.SetString(text)
		case f.Kind() == reflect.Struct:
			fillText(f, text)
		case f.Type() == reflect.TypeFor[error]() && !f.IsNil():
			f.Set(reflect.ValueOf(fmt.Errorf("%s", text)))
		}
	}
}

// TestFloodOfAllRecordsAtOnceIsBounded: the worst minute is the shares of all kinds, and one line each about what had no room.
func TestFloodOfAllRecordsAtOnceIsBounded(t *testing.T) {
	const more, most = 12_000, 8 << 20 // than the largest share, bytes
	l := newLogbook()
	for n := range more {
		l.put(invented(n, netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})))
		for _, e := range allEvents() {
			if c, ok := e.(inspect.Closed); !ok || !c.Ordinary { // those are asked for, by the level debug
				l.put(varied(e, n))
			}
		}
	}
	l.recorder.write()
	share := 0
	for _, k := range l.ledger.kinds {
		share += k.share.lines + 1
	}
	if lines, size := strings.Count(l.out.String(), "\n"), l.out.Len(); lines > share || size > most {
		t.Errorf("%d lines of %d, %d bytes in a minute", lines, share, size)
	}
	if n := shares[kindReject].lines; share > 2*n {
		t.Errorf("all kinds together may have %d lines a minute", share)
	}
}
