package simdc_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// dialects is every way to speak that the simulation knows.
func dialects() map[string]func() *client.Security {
	all := map[string]func() *client.Security{
		"cleartext": func() *client.Security { return nil },
	}
	for _, level := range []rpcparse.AuthLevel{rpcparse.LevelConnect, rpcparse.LevelCall, rpcparse.LevelPacket,
		rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
		for name, change := range map[string]func(*client.Security){
			"NTLM":                        func(*client.Security) {},
			"NTLM without MIC":            func(s *client.Security) { s.NoMIC = true },
			"NTLM with dummy verifiers":   func(s *client.Security) { s.DummyVerifiers = true },
			"SPNEGO":                      func(s *client.Security) { s.Type = rpcparse.AuthSPNEGO },
			"SPNEGO without MIC":          func(s *client.Security) { s.Type, s.NoListMIC = rpcparse.AuthSPNEGO, true },
			"SPNEGO after another":        func(s *client.Security) { s.Type, s.OtherFirst = rpcparse.AuthSPNEGO, true },
			"bare NTLM as SPNEGO":         func(s *client.Security) { s.Type, s.BareInSPNEGO = rpcparse.AuthSPNEGO, true },
			"NTLM under its other number": func(s *client.Security) { s.Type = rpcparse.AuthDefault },
		} {
			all[fmt.Sprintf("%s, %v", name, level)] = func() *client.Security {
				s := alice(level)
				change(s)
				return s
			}
		}
	}
	return all
}

func TestEveryDialectOpensUsesAndClosesSessions(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true})
	for name, security := range dialects() {
		for _, transfer := range []rpcparse.SyntaxID{rpcparse.SyntaxNDR, rpcparse.SyntaxNDR64} {
			for _, order := range []rpcparse.Order{rpcparse.LittleEndian, rpcparse.BigEndian} {
				t.Run(fmt.Sprintf("%s, %v, big-endian %v", name, rpcparse.TransferOf(transfer), order), func(t *testing.T) {
					c := dial(t, dc, client.Options{Security: security(), Transfer: transfer, Order: order})
					account := `LAB\alice`
					if c.Security == nil {
						account = simdc.Anonymous
					}
					h1, h2 := bind(t, c), bind(t, c)
					if got := dc.Sessions(); got[account] != 2 || len(got) != 1 {
						t.Errorf("sessions %v", got)
					}
					sent := simdc.EchoPattern(20_000)
					if got, err := c.Call(7, sent); err != nil || !bytes.Equal(got, sent) {
						t.Errorf("%d bytes come back as %d, %v", len(sent), len(got), err)
					}
					for _, h := range []nspi.Handle{h2, h1} {
						if err := c.NspiUnbind(h); err != nil {
							t.Error(err)
						}
					}
					if n := dc.TotalSessions(); n != 0 {
						t.Errorf("%d sessions after the last unbind", n)
					}
				})
			}
		}
	}
}

func TestLimitIsPerUserAndFreesWithUnbind(t *testing.T) {
	dc := start(t, simdc.Config{Limit: 2})
	a := dial(t, dc, client.Options{Security: alice(rpcparse.LevelConnect)})
	h := bind(t, a)
	bind(t, a)
	elsewhere := dial(t, dc, client.Options{Security: alice(rpcparse.LevelPrivacy)})
	if _, err := elsewhere.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
		t.Errorf("third session of one user: %v", err)
	}
	bind(t, dial(t, dc, client.Options{Security: bob(rpcparse.LevelIntegrity)}))
	if err := a.NspiUnbind(h); err != nil {
		t.Fatal(err)
	}
	bind(t, elsewhere)
	if got := dc.Sessions(); got[`LAB\alice`] != 2 || got[`LAB\bob`] != 1 {
		t.Errorf("%v", got)
	}
	if got := dc.Requests(); got[nspi.OpnumBind] != 5 || got[nspi.OpnumUnbind] != 1 {
		t.Errorf("requests %v", got)
	}
}

func TestConcurrentBindsNeverExceedTheLimit(t *testing.T) {
	const limit, clients = 10, 16
	dc := start(t, simdc.Config{Limit: limit})
	var wg sync.WaitGroup
	for range clients {
		c := dial(t, dc, client.Options{Security: alice(rpcparse.LevelConnect)})
		wg.Go(func() {
			for range 20 {
				h, err := c.NspiBind()
				if dc.TotalSessions() > limit {
					t.Error("over the limit")
				}
				if err == nil {
					err = c.NspiUnbind(h)
				}
				if err != nil && !client.IsCode(err, nspi.LogonFailed) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := dc.TotalSessions(); n != 0 {
		t.Errorf("%d sessions left", n)
	}
}

func TestAccountsWithOneSIDAreOneUser(t *testing.T) {
	cfg := simdc.Config{Limit: 1, Users: []simdc.User{
		{Name: "old", Password: "p", SID: "S-1-5-21-9"}, {Name: "new", Password: "p", SID: "S-1-5-21-9"}}}
	dc, err := simdc.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer dc.Close()
	bind(t, dial(t, dc, client.Options{Security: &client.Security{User: "old@lab.test", Password: "p"}}))
	c := dial(t, dc, client.Options{Security: &client.Security{User: "NEW", Password: "p"}})
	if _, err := c.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
		t.Errorf("second name of the user: %v", err)
	}
}

// Outlook's first step is refused by design; it then comes back in the same
// association with a name.
func TestUnauthenticatedBindIsRefusedAndRepeatedWithAName(t *testing.T) {
	dc := start(t, simdc.Config{})
	first := dial(t, dc, client.Options{})
	if _, err := first.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
		t.Errorf("unauthenticated: %v", err)
	}
	s := alice(rpcparse.LevelConnect)
	s.DummyVerifiers = true
	second := dial(t, dc, client.Options{Group: first.Group, Security: s})
	if second.Group != first.Group {
		t.Errorf("association %d, want %d", second.Group, first.Group)
	}
	bind(t, second)
	anonymous := dial(t, dc, client.Options{Security: &client.Security{}})
	if _, err := anonymous.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
		t.Errorf("anonymous NTLM: %v", err)
	}
}

func TestRefusalsHaveTheConfiguredForm(t *testing.T) {
	for form, want := range map[nspi.FailureForm]int{nspi.FormSpec: 28, nspi.FormEcho: 44} {
		c := dial(t, start(t, simdc.Config{FailureForm: form}), client.Options{})
		stub, err := c.Call(nspi.OpnumBind, c.BindRequest())
		if err != nil || len(stub) != want {
			t.Errorf("%v: %d bytes, %v, want %d", form, len(stub), err, want)
		}
	}
}

func TestUnicodeIsNoCodePage(t *testing.T) {
	c := dial(t, start(t, simdc.Config{AnonymousBind: true}), client.Options{})
	stub, err := c.Call(nspi.OpnumBind, nspi.AppendBindRequest(nil, nspi.BindRequest{CodePage: 1200}, nspi.NDR, c.Order))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := nspi.ParseBindResponse(stub, nspi.NDR, c.Order); err != nil || r.Code != nspi.InvalidCodepage || !r.Handle.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestUnbindKnowsItsHandles(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true})
	c := dial(t, dc, client.Options{})
	h := bind(t, c)
	if err := c.NspiUnbind(nspi.Handle{}); !client.IsCode(err, nspi.UnbindFailure) {
		t.Errorf("NULL: %v", err)
	}
	if err := c.NspiUnbind(nspi.Handle{1}); !client.IsFault(err, rpcparse.StatusContextMismatch) {
		t.Errorf("unknown: %v", err)
	}
	stranger := dial(t, dc, client.Options{})
	if err := stranger.NspiUnbind(h); !client.IsFault(err, rpcparse.StatusContextMismatch) {
		t.Errorf("of another association: %v", err)
	}
	if err := c.NspiUnbind(h); err != nil {
		t.Error(err)
	}
	if err := c.NspiUnbind(h); !client.IsFault(err, rpcparse.StatusContextMismatch) {
		t.Errorf("twice: %v", err)
	}
	// A big-endian connection of the association gives the handle back swapped.
	h = bind(t, c)
	sibling := dial(t, dc, client.Options{Group: c.Group, Order: rpcparse.BigEndian})
	if err := sibling.NspiUnbind(h); err != nil {
		t.Errorf("on a big-endian connection: %v", err)
	}
}
