package proxy

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

const (
	// keytabPoll is how often keytab files are looked at. Machine passwords
	// rotate every 30 days; so a few seconds do not matter.
	keytabPoll = 5 * time.Second
)

// maxServers is how many domain controllers the keyring remembers the account of. A
// forest has a few hundred; behind transparent listeners each address is one.
const maxServers = 4096

// keyring holds the keys of the configured keytab files, and loads them again
// when a file changes. Connections keep the keys they began with.
type keyring struct {
	paths  []policy.File
	hosts  map[string]string // DNS names of domain controllers, by the name of their backend
	events inspect.Events
	now    atomic.Pointer[keySet]
	seen   []fileStamp
}

// keySet is the keys at one moment.
type keySet struct {
	tab *krb5.Keytab

	mu      sync.Mutex
	servers map[string]*serverKeys // by the name of the domain controller
}

// serverKeys are the keys for connections to one domain controller.
type serverKeys struct {
	tab     *krb5.Keytab
	service *krb5.Service
}

// NTHashes implements secctx.Keys.
func (k *serverKeys) NTHashes(domain, user string) [][16]byte { return k.tab.NTHashes(domain, user) }

// Kerberos implements secctx.Keys.
func (k *serverKeys) Kerberos() *krb5.Service { return k.service }

// newKeyring loads the files of a configuration. Every one of them must exist, be
// a keytab, and be readable by its owner alone.
func newKeyring(c *policy.Config, events inspect.Events) (*keyring, policy.Problems) {
	r := &keyring{paths: c.Identity.Keytabs, hosts: map[string]string{}, events: events}
	for i := range c.Backends {
		r.hosts[c.Backends[i].Name] = string(c.Backends[i].Host)
	}
	r.seen = r.stamp()
	tabs, errs := r.read()
	if problems := keytabProblems(c, errs); len(problems) > 0 {
		return nil, problems
	}
	r.use(tabs)
	return r, nil
}

// keytabProblems are the errors of the configured keytabs, each at its place.
func keytabProblems(c *policy.Config, errs []error) (list policy.Problems) {
	for n, err := range errs {
		if err != nil {
			list = append(list, c.Problem(fmt.Sprintf("identity.keytabs[%d]", n), fmt.Sprintf("'%s': %v", c.Identity.Keytabs[n], err), keytabExpected))
		}
	}
	return list
}

// Current implements inspect.KeySource: the keys of this moment.
func (r *keyring) Current(server string) secctx.Keys {
	set := r.now.Load()
	set.mu.Lock()
	defer set.mu.Unlock()
	if k := set.servers[server]; k != nil {
		return k
	}
	k := &serverKeys{tab: set.tab, service: set.tab.Service(r.hostOf(server))}
	if len(set.servers) < maxServers {
		set.servers[server] = k
	}
	return k
}

// hostOf returns the DNS name of a domain controller: the configured one, or the
// one that DNS has for a target of a backend, which is called "backend/target".
// Empty: it has none that is known.
func (r *keyring) hostOf(server string) string {
	if host, ok := r.hosts[server]; ok {
		return host
	}
	_, target, _ := strings.Cut(server, "/")
	return target
}

// read reads the files. There is an error, or nil, for each of them.
func (r *keyring) read() (tabs []*krb5.Keytab, errs []error) {
	for _, path := range r.paths {
		tab, err := readKeytab(string(path))
		tabs, errs = append(tabs, tab), append(errs, err)
	}
	return tabs, errs
}

// use has the keys of these keytabs used from now on.
func (r *keyring) use(tabs []*krb5.Keytab) {
	r.now.Store(&keySet{servers: map[string]*serverKeys{}, tab: krb5.Join(tabs...)})
}

// watch loads the files again when one of them changes, until ctx ends. A file
// that is wrong leaves the old keys in use.
func (r *keyring) watch(ctx context.Context) {
	if len(r.paths) == 0 {
		return
	}
	tick := time.NewTicker(keytabPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.reload()
		case <-ctx.Done():
			return
		}
	}
}

func (r *keyring) reload() {
	stamp := r.stamp()
	if slices.Equal(stamp, r.seen) {
		return
	}
	r.seen = stamp // also when it fails: once a change is enough to say so
	tabs, errs := r.read()
	for n, err := range errs {
		if err != nil {
			r.events.Report(inspect.KeysLoaded{Err: fmt.Errorf("keytab %s: %w", r.paths[n], err)})
			return
		}
	}
	r.use(tabs)
	r.events.Report(inspect.KeysLoaded{Keys: r.now.Load().tab.Len()})
}

// fileStamp is what tells one version of a file from another.
type fileStamp struct {
	modified time.Time
	size     int64
	mode     os.FileMode
}

func (r *keyring) stamp() []fileStamp {
	all := make([]fileStamp, len(r.paths))
	for n, path := range r.paths {
		if info, err := os.Stat(string(path)); err == nil {
			all[n] = fileStamp{info.ModTime(), info.Size(), info.Mode()}
		}
	}
	return all
}
