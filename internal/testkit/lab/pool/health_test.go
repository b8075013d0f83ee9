//go:build lab

package pool

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// checkedPool is a pool whose domain controllers are checked by NTLM, with a password of Alice's.
type checkedPool struct {
	*poolStage
	password string // its file
}

// monitored is a section health that checks in quick succession.
const monitored = `health:
  interval: 1s
  timeout: 1s
  rise: 2
  fall: 3
  auth: %s
  user: '%s'
  %s
`

// monitorFile is a private file in the folder of a proxy.
func monitorFile(t *testing.T, folder, name, text string) string {
	t.Helper()
	file := filepath.Join(folder, name)
	lab.WritePrivate(t, file, []byte(text))
	return file
}

func startChecked(t *testing.T, o lab.DCOptions) *checkedPool {
	t.Helper()
	folder := lab.OrdinaryFolder(t)
	file := monitorFile(t, folder, "monitor.password", lab.Alice.Password+"\n")
	account := lab.Domain + `\` + lab.Alice.Name
	return &checkedPool{
		poolStage: startPool(t, o, unlimited+fmt.Sprintf(monitored, "ntlm", account, "password_file: "+file)), password: file,
	}
}

// checked waits until a domain controller has had n more NspiBinds and, if they are granted, as many NspiUnbinds.
func (s *checkedPool) checked(t *testing.T, n int, granted bool) {
	t.Helper()
	for i, dc := range s.dcs {
		before := dc.Count(t)
		lab.Eventually(t, 2*lab.SettleTime, fmt.Sprintf("%d checks of dc%d", n, i+1), func() bool {
			now := dc.Count(t)
			return now.Binds >= before.Binds+n && (!granted || now.Unbinds >= before.Unbinds+n)
		})
	}
}

// state waits until a domain controller is in a state, for the metrics and for the log.
func (s *checkedPool) state(t *testing.T, name, state, event string) {
	t.Helper()
	lab.Eventually(t, 2*lab.SettleTime, name+" is "+state, func() bool {
		events := s.proxy.Events(event)
		return s.proxy.BackendMetric(t, "state", name, `state="`+state+`"`) == 1 && len(events) > 0 &&
			events[len(events)-1].DC() == name && events[len(events)-1]["state"] == state
	})
}

// TestPoolIsCheckedByTheProgram: a domain controller whose NSPI hangs is not used until it answers again, one that has reached
// its own limit is, and so are all where the check itself cannot be made. No check leaves a session.
func TestPoolIsCheckedByTheProgram(t *testing.T) {
	const limit = 3 // of the domain controllers
	s := startChecked(t, lab.DCOptions{Limit: limit})
	client := lab.StartImpacketOn(t, s.Clients[0])
	connect := func(conn string, u lab.User) {
		t.Helper()
		l := lab.SPNEGOPrivacy.At(s.Router.Address.String())
		l.User, l.Password = u.Name, u.Password
		lab.Expect(t, "connect", client.Connect(conn, l))
		lab.Expect(t, "bind", client.Bind(conn))
	}

	s.checked(t, 1, true)
	for _, conn := range []string{"a1", "a2"} { // one on each, to the limit
		connect(conn, lab.Alice)
	}
	for range limit - 1 {
		lab.Expect(t, "bind", client.Bind("a1"))
		lab.Expect(t, "bind", client.Bind("a2"))
	}
	s.checkHeld(t, limit, limit)
	s.checked(t, 3, false) // all of them are refused by the limit
	for _, conn := range []string{"a1", "a2"} {
		lab.Expect(t, "close", client.Close(conn, false))
	}
	s.checkHeld(t, 0, 0)
	s.checked(t, 1, true)

	connect("b1", lab.Bob)
	connect("b2", lab.Bob)
	s.checkHeld(t, 1, 1)
	if len(s.proxy.Events("dc.down")) > 0 {
		t.Errorf("taken for dead: %v", s.proxy.Events("dc.down"))
	}
	s.dcs[0].Slow(t, time.Minute, 0)
	s.state(t, "dc1", "not_serving", "dc.down")
	connect("b3", lab.Bob)
	connect("b4", lab.Bob)
	s.checkHeld(t, 1, 3)
	s.dcs[0].Slow(t, 0, 0)
	s.state(t, "dc1", "serving", "dc.up")
	connect("b5", lab.Bob)
	s.checkHeld(t, 2, 3)

	lab.WritePrivate(t, s.password, []byte("wrong\n"))
	lab.Eventually(t, 2*lab.SettleTime, "the log says that checks cannot be made", func() bool { return len(s.proxy.Events("health.not_checked")) > 0 })
	connect("b6", lab.Bob)
	s.checkHeld(t, 3, 3)
	if down := s.proxy.Events("dc.down"); len(down) != 1 {
		t.Errorf("taken for dead: %v", down)
	}
	client.Kill()
	s.checkNobodyLeft(t)
	for i, dc := range s.dcs {
		if n := dc.Count(t); n.Connections != 0 {
			t.Errorf("dc%d has %+v", i+1, n)
		}
	}
}

// TestHealthChecksCloseTheirSessions on a real domain controller and on a simulated one, with private credentials of both kinds.
func TestHealthChecksCloseTheirSessions(t *testing.T) {
	network := lab.StartNetwork(t)
	samba := lab.StartSambaOn(t, network.DCs[0])
	sim := lab.StartDC(t, lab.DCOptions{On: network.DCs[1]})
	keytab, err := os.ReadFile(samba.UserKeytab(lab.Alice))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		auth, user, name, text, keys string
		backends                     map[string]string // by name; the simulated one knows no Kerberos
	}{
		{"ntlm", lab.Domain + `\` + lab.Alice.Name, "password", lab.Alice.Password, "password_file: %s",
			map[string]string{"samba": "address: 10.77.2.2", "sim": "address: 10.77.4.2"}},
		{"kerberos", lab.Alice.Name + "@" + lab.SambaRealm, "keytab", string(keytab), "keytab: %s\n  krb5_conf: " + samba.File("krb5.conf"),
			map[string]string{"samba": "address: 10.77.2.2, host: " + lab.SambaHost}},
	} {
		t.Run(c.auth, func(t *testing.T) {
			folder, before, beforeSim := lab.OrdinaryFolder(t), samba.Status(t), sim.Count(t)
			keys := fmt.Sprintf(c.keys, monitorFile(t, folder, c.name, c.text))
			backends := ""
			for name, place := range c.backends {
				backends += fmt.Sprintf("  - {name: %s, %s}\n", name, place)
			}
			proxy := lab.StartProxy(t, lab.ProxyOptions{On: network.Router, OrdinaryUser: true, Config: fmt.Sprintf(`version: 1
listeners:
  - {name: gc, mode: forward, address: 10.77.9.2, backends: [%s]}
backends:
%smetrics: {address: 127.0.0.1:9135}
%s`, strings.Join(slices.Collect(maps.Keys(c.backends)), ", "), backends, fmt.Sprintf(monitored, c.auth, c.user, keys))})
			lab.Eventually(t, 2*lab.SettleTime, "some checks", func() bool {
				return samba.Status(t).Granted >= before.Granted+3 && (len(c.backends) == 1 || sim.Count(t).Unbinds >= beforeSim.Unbinds+3)
			})
			for name := range c.backends {
				if proxy.BackendMetric(t, "state", name, `state="serving"`) != 1 || proxy.Metrics(t).Sum("nspiproxy_backend_check_seconds", `dc="`+name+`"`) == 0 {
					t.Errorf("%s: %v", name, proxy.Metrics(t))
				}
			}
			if code := proxy.Stop(t, lab.StopTime); code != 0 {
				t.Errorf("the proxy ended with %d", code)
			}
			checkAllUnbound(t, samba, sim)
			if lines := proxy.Warnings(); len(lines) > 0 {
				t.Errorf("warnings:\n%s", strings.Join(lines, "\n"))
			}
		})
	}
}

// checkAllUnbound waits until no session is left on the domain controllers, and looks how they have ended.
func checkAllUnbound(t *testing.T, samba *lab.Samba, sim *lab.DC) {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, "no session is left", func() bool { return samba.Status(t).Sessions == 0 && sim.Count(t).Sessions == 0 })
	if s := samba.Status(t); s.Granted != s.Unbound || s.RunDown != 0 {
		t.Errorf("Samba counts %+v", s)
	}
	if n := sim.Count(t); n.Binds != n.Unbinds {
		t.Errorf("the simulated domain controller counts %+v", n)
	}
}
