package policy

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// head is the smallest valid configuration; tests append sections.
const head = "version: 1\nlisteners: [{name: dc1, address: 10.0.0.10, backend: dc1}]\nbackends: [{name: dc1, address: 10.0.1.10}]\n"

func mustParse(t testing.TB, text string) *Config {
	t.Helper()
	cfg, err := Parse("t.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestExampleKeepsItsMeaning(t *testing.T) {
	cfg, err := Load(filepath.Join(configs, "example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Listeners = []Listener{{Name: "dc1", Mode: ModeForward, Address: netip.MustParseAddr("127.0.20.10"), Backend: "dc1"}}
	want.Backends = []Backend{{Name: "dc1", Address: netip.MustParseAddr("127.0.10.10"), EPMPort: 135}}
	want.Policy.Rules = []RuleConfig{
		{
			Name:  "migration",
			Match: Match{Account: MustPattern(`LAB\svc-*`), Clients: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}},
			Limit: 250,
		},
		{Name: "watched", Match: Match{SID: "S-1-5-21-1-2-3-1105"}, Limit: 10, DryRun: true},
	}
	want.Metrics.Address = netip.MustParseAddrPort("127.0.0.1:9135")
	want.Log = Log{Level: LogInfo, Format: LogJSON}
	cfg.Warnings, cfg.file, cfg.places = nil, "", nil
	if !reflect.DeepEqual(*cfg, want) {
		t.Errorf("got  %+v\nwant %+v", *cfg, want)
	}

	rules := New(cfg.Policy)
	for _, tc := range []struct {
		subject Subject
		current int
		want    string
	}{
		{Subject{Account: named(`lab\SVC-Mig1`), Client: netip.MustParseAddr("10.1.2.3")}, 249, "grant: 249 of 250 sessions held, rule migration"},
		{Subject{Account: named(`lab\SVC-Mig1`), Client: netip.MustParseAddr("10.1.2.3")}, 250, "refuse: 250 of 250 sessions held, rule migration"},
		{Subject{Account: named(`LAB\svc-mig1`), Client: netip.MustParseAddr("10.2.2.3")}, 50, "refuse: 50 of 50 sessions held, rule default; rule watched needs a SID"},
		{Subject{SID: "S-1-5-21-1-2-3-1105"}, 12, "grant over limit (dry run): 12 of 10 sessions held, rule watched"},
		{Subject{SID: "S-1-5-21-1-2-3-1105"}, 9, "grant (dry run): 9 of 10 sessions held, rule watched"},
		{Subject{}, 0, "grant: 0 of 50 sessions held, rule default; rule watched needs a SID"},
	} {
		if got := decide(rules.Match(tc.subject), tc.current).String(); got != tc.want {
			t.Errorf("%+v at %d: %s, want %s", tc.subject, tc.current, got, tc.want)
		}
	}
}

func TestEveryKeyHasAnEffect(t *testing.T) {
	cfg, err := parseFile(t, filepath.Join(configs, "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	wantIdentity := Identity{
		Directory: Directory{
			URL: "ldap://dc1.lab.example:3268", BaseDN: "DC=lab,DC=example", StartTLS: true, CAFile: "/etc/nspiproxy/ca.pem",
			BindDN: "CN=svc-nspiproxy,CN=Users,DC=lab,DC=example", PasswordFile: "/etc/nspiproxy/directory.password",
			Krb5Conf: "/etc/nspiproxy/krb5.conf", Timeout: 2 * time.Second, CacheSize: 50000,
			PositiveTTL: 30 * time.Minute, NegativeTTL: 5 * time.Minute, WhenDown: WhenDownRefuse,
		},
		Keytabs:    []File{"/etc/nspiproxy/dc1.keytab", "/etc/nspiproxy/accounts.keytab"},
		Domains:    []Domain{{NetBIOS: "PARTNER", DNS: "partner.example"}, {NetBIOS: "LEGACY"}},
		Unreadable: UnreadableHold,
		Networks:   Networks{IPv4: 24, IPv6: 56},
	}
	if !reflect.DeepEqual(cfg.Identity, wantIdentity) {
		t.Errorf("identity %+v, want %+v", cfg.Identity, wantIdentity)
	}
	if one, two := cfg.Policy.Rules[5].Match.Assurance, cfg.Policy.Rules[6].Match.Assurance; !slices.Equal(one, []Assurance{AssuranceUnreadable}) || !slices.Equal(two, []Assurance{AssuranceVerified, AssuranceResolved}) {
		t.Errorf("assurances %q and %q", one, two)
	}
	if got := cfg.Policy.Rules[7].Match.Group; got != "S-1-5-21-1004336348-1177238915-682003330-1206" {
		t.Errorf("group %s", got)
	}
	want := Relay{
		Loops: 2, MaxConnections: 10000, ConnectTimeout: 3 * time.Second, FailoverTimeout: 2 * time.Second, HandshakeTimeout: 20 * time.Second,
		SessionTimeout: time.Hour,
		Keepalive:      2 * time.Minute, ShutdownTimeout: time.Minute, MaxFragment: 8192, MaxKept: 256 << 20, NonRPC: NonRPCPass,
		ConnectionsFile: "/var/lib/nspiproxy/live",
	}
	if cfg.Relay != want {
		t.Errorf("relay %+v, want %+v", cfg.Relay, want)
	}
	if want := (Refusal{Form: FormEcho, FaultStatus: 0x80040111}); cfg.Policy.Refusal != want {
		t.Errorf("refusal %+v, want %+v", cfg.Policy.Refusal, want)
	}
	if cfg.Policy.Scope != ScopeAll {
		t.Errorf("scope %s", cfg.Policy.Scope)
	}
	if got := cfg.Policy.Rules[1].Limit; got != Unlimited {
		t.Errorf("limit %v, want unlimited", got)
	}
	if got := cfg.Policy.Rules[0].Limit; got != 0 {
		t.Errorf("limit %v, want 0", got)
	}
}

func TestEveryKeyOfListenersAndBackendsHasAnEffect(t *testing.T) {
	cfg, err := parseFile(t, filepath.Join(configs, "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	address, network := netip.MustParseAddr, netip.MustParsePrefix
	wantListeners := []Listener{
		{Name: "dc1", Mode: ModeForward, Address: address("10.0.0.10"), Backend: "dc1"},
		{Name: "dc2", Mode: ModeForward, Address: address("2001:db8::10"), Backend: "dc2", EPMPort: 1135},
		{
			Name: "pool", Mode: ModeForward, Address: address("10.0.0.11"), Backends: []string{"dc1", "dc2", "site"},
			ProxyProtocolFrom: []netip.Prefix{network("10.0.9.0/24"), network("2001:db8:9::1/128")}, ReferralName: "gc-proxy.lab.example",
		},
		{
			Name: "branch", Mode: ModeTPROXY, Port: 5135, Destinations: []netip.Prefix{network("10.4.1.0/24"), network("2001:db8:4::/64")},
			Interfaces: []InterfaceName{"eth1", "eth2.100"}, NSPIPorts: []uint16{6004, 6005},
		},
		{Name: "host", Mode: ModeRedirect, Port: 5136, Destinations: []netip.Prefix{network("10.5.1.10/32")}},
	}
	if !reflect.DeepEqual(cfg.Listeners, wantListeners) {
		t.Errorf("listeners %+v, want %+v", cfg.Listeners, wantListeners)
	}
	wantBackends := []Backend{
		{Name: "dc1", Address: address("10.0.1.10"), Host: "dc1.lab.example", EPMPort: 135},
		{Name: "dc2", Address: address("2001:db8:1::10"), NSPIPort: 6004, EPMPort: 1135},
		{Name: "site", SRV: "_ldap._tcp.berlin._sites.gc._msdcs.lab.example", DNSServer: netip.MustParseAddrPort("10.0.0.53:53"), EPMPort: 135},
		{Name: "branch-dc", Address: address("10.4.1.10"), Also: []netip.Addr{address("2001:db8:4::10"), address("10.4.1.11")}, NSPIPort: 6004, EPMPort: 135},
	}
	if !reflect.DeepEqual(cfg.Backends, wantBackends) {
		t.Errorf("backends %+v, want %+v", cfg.Backends, wantBackends)
	}
	if want := (Transparent{Mark: 77, RouteTable: 177, StateFile: "/var/lib/nspiproxy/learnt.json", WhenDown: FailClosed,
		VirtualAddresses: []netip.Addr{address("10.0.1.1"), address("2001:db8:1::1")}, Repair: false, SameProcess: SwitchOff}); !reflect.DeepEqual(cfg.Transparent, want) {
		t.Errorf("transparent %+v, want %+v", cfg.Transparent, want)
	}
	wantHealth := Health{
		Check: CheckNSPI, Interval: 20 * time.Second, Timeout: 3 * time.Second, Rise: 3, Fall: 2, EndpointInterval: time.Second,
		Auth: AuthNTLM, Level: LevelIntegrity, User: `LAB\monitor`, PasswordFile: "/etc/nspiproxy/monitor.password", Krb5Conf: "/etc/nspiproxy/krb5.conf",
	}
	if cfg.Health != wantHealth {
		t.Errorf("health %+v, want %+v", cfg.Health, wantHealth)
	}
}

func TestAbsentKeysHaveTheirDefaults(t *testing.T) {
	cfg := mustParse(t, head)
	cfg.Listeners, cfg.Backends, cfg.file, cfg.places = nil, nil, "", nil
	if want := Defaults(); !reflect.DeepEqual(*cfg, want) {
		t.Errorf("got  %+v\nwant %+v", *cfg, want)
	}
}

func TestDefaultsPassTheirOwnChecks(t *testing.T) {
	cfg := mustParse(t, head)
	if len(cfg.Warnings) != 0 {
		t.Errorf("warnings: %v", cfg.Warnings)
	}
}

func TestFilesFromWindowsAreRead(t *testing.T) {
	mustParse(t, "\ufeff"+strings.ReplaceAll(head, "\n", "\r\n"))
	_, err := Parse("t.yaml", []byte("\xff\xfev\x00e\x00"))
	if err == nil || err.Error() != "t.yaml:1: found text in UTF-16, expected text in UTF-8" {
		t.Errorf("UTF-16: %v", err)
	}
}

func TestAliasesAreAllowed(t *testing.T) {
	cfg := mustParse(t, head+`policy:
  rules:
    - {name: a, match: {clients: &site [10.1.0.0/16, 10.2.0.0/16]}, limit: 1}
    - {name: b, match: {account: 'LAB\b', clients: *site}, limit: 2}
`)
	if got := cfg.Policy.Rules[1].Match.Clients; len(got) != 2 || got[1].String() != "10.2.0.0/16" {
		t.Errorf("clients %v", got)
	}
}

func TestErrorInAnAliasNamesTheLineThatUsesIt(t *testing.T) {
	_, err := Parse("t.yaml", []byte(head+"policy: {rules: [{name: &n a, match: {}, limit: 1},\n{name: b, match: {}, limit: *n}]}\n"))
	want := `t.yaml:5:29: policy.rules[1].limit: found "a", expected a number of sessions from 0 to 1000000, or unlimited`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestProblemsCanBeRead(t *testing.T) {
	_, err := Parse("t.yaml", []byte(head+"log: {level: loud}\n"))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 1 {
		t.Fatalf("error %#v, want one problem", err)
	}
	want := Problem{File: "t.yaml", Line: 4, Column: 14, Path: "log.level", Found: `"loud"`, Expected: "debug, info, warn or error"}
	if problems[0] != want {
		t.Errorf("got %+v, want %+v", problems[0], want)
	}
}

func TestValuesThatNoFileOfErrorsHas(t *testing.T) {
	for text, want := range map[string]string{
		"relay: {keepalive: 1500ms}":                                       "relay.keepalive: found 1.5s, expected whole seconds",
		"relay: {keepalive: 3h}":                                           "relay.keepalive: found 3h0m0s, expected 1s to 2h0m0s",
		"relay: {max_fragment: 65536}":                                     "relay.max_fragment: found the number 65536, expected 5840 to 65535",
		"relay: {max_connections: 1000001}":                                "relay.max_connections: found the number 1000001, expected 1 to 1000000",
		"metrics: {address: 127.0.0.1:0}":                                  "metrics.address: found 127.0.0.1:0, expected a port from 1 to 65535",
		"health: {interval: 61m}":                                          "health.interval: found 1h1m0s, expected 1s to 1h0m0s",
		"health: {timeout: 99ms}":                                          "health.timeout: found 99ms, expected 100ms to 1m0s",
		"health: {endpoint_interval: 61s}":                                 "health.endpoint_interval: found 1m1s, expected 100ms to 1m0s",
		"health: {rise: 101}":                                              "health.rise: found the number 101, expected 1 to 100",
		"health: {fall: 0}":                                                "health.fall: found the number 0, expected 1 to 100",
		`health: {check: none, auth: ntlm, user: 'A\b', password_file: p}`: "health.auth: found ntlm with check none, which does not authenticate, expected none, or check: nspi",
		"metrics: {address: 127.0.0.1}":                                    `metrics.address: found "127.0.0.1", expected IP:port, such as 127.0.0.1:9135`,
		"policy: {refusal: {fault_status: 0}}":                             "policy.refusal.fault_status: found the number 0, expected a status that a fault may have: 0x00000000 is forbidden by MS-RPCE 3.3.3.5.1",
		"log: {level: " + strings.Repeat("x", 200) + "}":                   `log.level: found "` + strings.Repeat("x", maxQuoted) + `"…, expected debug, info, warn or error`,
	} {
		_, err := Parse("t.yaml", []byte(head+text+"\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "t.yaml:4:") || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestFileThatCannotBeReadIsNoProblemOfItsText(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "absent.yaml"))
	var problems Problems
	if !errors.Is(err, fs.ErrNotExist) || errors.As(err, &problems) {
		t.Errorf("absent file: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
}

func TestLoadNamesThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("version: 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":1:1: ") {
		t.Errorf("error %v does not begin with the path", err)
	}
}
