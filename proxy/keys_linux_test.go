package proxy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// keytabOf is a keytab file with the arcfour-hmac keys of accounts: their NT
// hashes (MIT keytab format, version 2).
func keytabOf(t *testing.T, passwords map[string]string) string {
	t.Helper()
	be := binary.BigEndian
	file := []byte{5, 2}
	for user, password := range passwords {
		hash := ntlm.NTHash(password)
		text := func(e []byte, s string) []byte { return append(be.AppendUint16(e, uint16(len(s))), s...) }
		e := be.AppendUint16(nil, 1)
		e = text(text(e, "LAB.TEST"), user)
		e = be.AppendUint32(e, 1) // principal
		e = be.AppendUint32(e, uint32(time.Now().Unix()))
		e = append(e, 1)           // kvno
		e = be.AppendUint16(e, 23) // arcfour-hmac
		e = be.AppendUint16(e, uint16(len(hash)))
		e = append(e, hash[:]...)
		file = append(be.AppendUint32(file, uint32(len(e))), e...)
	}
	path := filepath.Join(t.TempDir(), "accounts.keytab")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// keyedStage is a stage whose proxy has the keys of alice and bob.
func keyedStage(t *testing.T) *stage {
	path := keytabOf(t, map[string]string{alice: alicePassword, bob: bobPassword})
	return newStage(t, func(_ *simdc.Config, p *policy.Config) { p.Identity.Keytabs = []policy.File{policy.File(path)} })
}

// exercise makes calls of mixed sizes, one after the other and pipelined.
func exercise(t *testing.T, c *client.Conn, calls int) {
	t.Helper()
	for n := range calls {
		want := simdc.EchoPattern([]int{1, 100, 5000, 6000, 40_000, 200_000}[n%6])
		got, err := c.Do(client.Request{Opnum: simdc.EchoOpnum, Stub: want, ContextID: &echoContext})
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("call %d of %d bytes: %d came back, %v", n, len(want), len(got), err)
		}
	}
	var ids []uint32
	for range 10 {
		id, err := c.Send(client.Request{Opnum: simdc.EchoOpnum, Stub: simdc.EchoPattern(3000), ContextID: &echoContext})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		if got, err := c.Receive(id); err != nil || !bytes.Equal(got, simdc.EchoPattern(3000)) {
			t.Fatalf("pipelined call: %d bytes, %v", len(got), err)
		}
	}
}

func TestRefusalVerifiesAndTheConnectionGoesOnWhereKeysAreKnown(t *testing.T) {
	for _, mechanism := range []rpcparse.AuthType{rpcparse.AuthNTLM, rpcparse.AuthSPNEGO} {
		for _, level := range []rpcparse.AuthLevel{rpcparse.LevelConnect, rpcparse.LevelPacket, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
			for _, order := range []rpcparse.Order{rpcparse.LittleEndian, rpcparse.BigEndian} {
				t.Run(fmt.Sprint(mechanism, " ", level, " big-endian=", bool(order)), func(t *testing.T) {
					s := keyedStage(t)
					o := as(level)
					o.Security.Type, o.Order = mechanism, order
					c := s.dial(withEcho(o))
					handles := fill(t, c)
					exercise(t, c, 6)
					for range 3 {
						if _, err := c.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
							t.Fatalf("over the limit: %v", err)
						}
					}
					s.wantReachedDC(3)
					exercise(t, c, 30)
					if err := c.NspiUnbind(handles[0]); err != nil {
						t.Fatalf("unbind: %v", err)
					}
					if _, err := c.NspiBind(); err != nil {
						t.Fatalf("after an unbind: %v", err)
					}
					if _, err := c.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
						t.Fatalf("over the limit again: %v", err)
					}
					exercise(t, c, 30)
					s.wantSessions(3)
					if n := s.proxy.table.Count().Opaque; n != 0 {
						t.Errorf("%d sessions without a handle", n)
					}
					c.Close()
					s.wantSessions(0)
				})
			}
		}
	}
}

func TestWrongKeyLeavesTheConnectionAlone(t *testing.T) {
	path := keytabOf(t, map[string]string{alice: "another password"})
	s := newStage(t, func(_ *simdc.Config, p *policy.Config) { p.Identity.Keytabs = []policy.File{policy.File(path)} })
	c := s.dial(withEcho(as(rpcparse.LevelPrivacy)))
	fill(t, c)
	exercise(t, c, 6)
	if _, err := c.NspiBind(); !client.IsFault(err, rpcparse.StatusAccessDenied) {
		t.Fatalf("over the limit without the right key: %v", err)
	}
	s.eventually("a note", func() bool { return len(s.log.events("key.wrong")) == 1 })
}

func TestKeytabsThatOthersCanReadAreRefused(t *testing.T) {
	path := keytabOf(t, map[string]string{alice: alicePassword})
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	config := policy.Defaults()
	config.Identity.Keytabs = []policy.File{policy.File(path)}
	if _, err := New(&config, Options{Log: zerolog.Nop()}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestKeytabsAreLoadedAgainWhenTheyChange(t *testing.T) {
	path := keytabOf(t, map[string]string{alice: alicePassword})
	var log keytabFailures
	r, problems := newKeyring(&policy.Config{Identity: policy.Identity{Keytabs: []policy.File{policy.File(path)}}}, &log)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if len(r.Current("dc1").NTHashes("LAB", bob)) != 0 {
		t.Fatal("a key that is not there")
	}
	old := r.Current("dc1")
	replace := func(data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r.reload()
	}
	replace([]byte("no keytab"))
	if r.Current("dc1") != old || log.failures != 1 {
		t.Error("a broken file replaced the keys, or nobody was told")
	}
	r.reload()
	if n := log.failures; n != 1 {
		t.Errorf("told %d times", n)
	}
	next, err := os.ReadFile(keytabOf(t, map[string]string{alice: alicePassword, bob: bobPassword}))
	if err != nil {
		t.Fatal(err)
	}
	replace(next)
	if len(r.Current("dc1").NTHashes("LAB", bob)) == 0 {
		t.Error("the new key is not in use")
	}
}

// keytabFailures counts the keytabs that could not be loaded.
type keytabFailures struct{ failures int }

func (h *keytabFailures) Verbose() bool { return false }
func (h *keytabFailures) Report(e inspect.Event) {
	if k, ok := e.(inspect.KeysLoaded); ok && k.Err != nil {
		h.failures++
	}
}

func TestKeysAppearNowhere(t *testing.T) {
	s := keyedStage(t)
	c := s.dial(withEcho(as(rpcparse.LevelPrivacy)))
	fill(t, c)
	_, _ = c.NspiBind()
	hash := ntlm.NTHash(alicePassword)
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	families, err := s.proxy.reporter.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{
		"log": s.log.buf.String(), "metrics": fmt.Sprint(families),
		"%v": fmt.Sprintf("%v", s.proxy.keys), "%+v": fmt.Sprintf("%+v", s.proxy.keys.now.Load()), "%#v": fmt.Sprintf("%#v", s.proxy.keys.now.Load()),
	} {
		for _, form := range []string{fmt.Sprintf("%x", hash), fmt.Sprintf("%X", hash), fmt.Sprintf("%d", hash), string(hash[:]), alicePassword} {
			if strings.Contains(text, form) {
				t.Errorf("%s holds a key", where)
			}
		}
	}
}
