package soak

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/internal/testkit/mutate"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// lanes is how many conversations are under way at a time in each world: more than one, so that they meet in the table.
const lanes = 3

// world is a proxy with what is around it.
type world struct {
	*process
	control *control
	lanes   []*lane
	start   left // before the first conversation, after the first round of the control
}

// worlds numbers the loopback addresses; the process id keeps those of two runs apart.
var worlds atomic.Uint32

// startWorld starts a proxy, with the keys of the accounts or without.
func startWorld(t *testing.T, keys bool) *world {
	t.Helper()
	number := byte(worlds.Add(1))
	address := func(host byte) netip.Addr {
		return netip.AddrFrom4([4]byte{127, byte(100 + os.Getpid()%100), number, host})
	}
	w := &world{}
	var config configuration
	for n := range byte(lanes) {
		l := newLane(t, address(100+n), address(10+n), address(50+n))
		w.lanes = append(w.lanes, l)
		config.add(address(10+n), l.front)
	}
	w.control = newControl(t, keys, address(200), address(201), address(202))
	config.add(address(201), w.control.front)
	w.process = startProcess(t, config.file(t, keys))
	w.firstRound(t)
	return w
}

// firstRound waits until the proxy serves.
func (w *world) firstRound(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(answerTime)
	for err := w.control.round(); err != nil; err = w.control.round() {
		if time.Now().After(deadline) {
			t.Fatalf("at the start: %v, %v", err, w.healthy())
		}
		time.Sleep(controlPause)
	}
	var err error
	if w.start, err = w.ask(); err != nil {
		t.Fatal(err)
	}
}

// configuration is that of the proxy.
type configuration struct{ listeners, backends strings.Builder }

// add leads an address of the proxy to a domain controller with NSPI on the same port.
func (c *configuration) add(server netip.Addr, front netip.AddrPort) {
	name := fmt.Sprintf("n%d", server.As4()[3])
	fmt.Fprintf(&c.listeners, "  - {name: %s, mode: forward, address: %s, backend: %s}\n", name, front.Addr(), name)
	fmt.Fprintf(&c.backends, "  - {name: %s, address: %s, nspi_port: %d}\n", name, server, front.Port())
}

func (c *configuration) file(t *testing.T, keys bool) string {
	t.Helper()
	folder := t.TempDir()
	identity := ""
	if keys {
		identity = fmt.Sprintf("identity: {keytabs: ['%s']}\n", keytab(t, folder))
	}
	text := fmt.Sprintf("version: 1\nlisteners:\n%sbackends:\n%s%spolicy: {default: {limit: %d}}\nhealth: {check: none}\n"+
		"relay: {connections_file: '%s', shutdown_timeout: 1s}\n",
		c.listeners.String(), c.backends.String(), identity, limit, filepath.Join(folder, "connections"))
	file := filepath.Join(folder, "nspiproxy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// accounts are those of the seeds whose passwords are known, and the control's.
var accounts = map[string]string{
	captures.GoldenUser: captures.GoldenPassword,
	controlUser:         controlPassword,
}

// collected are the keytabs of the collection whose captures have tickets for these services.
var collected = []string{"samba/lab-test.all.keytab", "samba/cap-test.keytab"}

// collectedEntries are the entries of their files, where the collection is there.
func collectedEntries(t *testing.T) (entries []byte) {
	t.Run("keys of the collection", func(t *testing.T) { // skips without it
		for _, name := range collected {
			file, err := os.ReadFile(filepath.Join(captures.Folder(t), name))
			if err != nil || len(file) < len(keytabVersion) {
				t.Fatalf("%s: %d bytes, %v", name, len(file), err)
			}
			entries = append(entries, file[len(keytabVersion):]...)
		}
	})
	return entries
}

// keytabVersion is how keytabs in MIT's format, version 2, begin.
var keytabVersion = []byte{5, 2}

// keytab writes the arcfour-hmac keys of the accounts, which are their NT hashes, and the keys of the collection.
func keytab(t *testing.T, folder string) string {
	t.Helper()
	be := binary.BigEndian
	text := func(e []byte, s string) []byte { return append(be.AppendUint16(e, uint16(len(s))), s...) }
	file := append(slices.Clone(keytabVersion), collectedEntries(t)...)
	for user, password := range accounts {
		hash := ntlm.NTHash(password)
		e := text(text(be.AppendUint16(nil, 1), "LAB.TEST"), user)
		e = be.AppendUint32(e, 1)  // a principal
		e = be.AppendUint32(e, 1)  // its time
		e = append(e, 1)           // kvno
		e = be.AppendUint16(e, 23) // arcfour-hmac
		e = text(e, string(hash[:]))
		file = append(be.AppendUint32(file, uint32(len(e))), e...)
	}
	path := filepath.Join(folder, "accounts.keytab")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// carry runs conversations on all lanes, side by side with the control, until all are over.
func (w *world) carry(batch []mutate.Conversation) error {
	faults := make(chan error, lanes+1)
	for n, l := range w.lanes {
		go func() {
			for i := n; i < len(batch); i += lanes {
				if err := l.run(batch[i]); err != nil {
					faults <- fmt.Errorf("%s: %w", batch[i].Name, err)
					return
				}
			}
			faults <- nil
		}()
	}
	stop, controlled := make(chan struct{}), make(chan error, 1)
	go func() { controlled <- w.keepControl(stop) }()
	var fault error
	for range w.lanes {
		if err := <-faults; err != nil {
			fault = err
		}
	}
	close(stop)
	if err := <-controlled; err != nil {
		fault = err
	}
	if err := w.healthy(); err != nil {
		return err // this is why
	}
	return fault
}

// keepControl has rounds of the control, one at least, until stop is closed.
func (w *world) keepControl(stop <-chan struct{}) error {
	for {
		if err := w.control.round(); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-time.After(controlPause):
		}
	}
}
