package inspect

import (
	"sync"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// ownDomains remembers of which domain each domain controller is. A CHALLENGE says
// that only to clients that ask for it (NTLMSSP_REQUEST_TARGET, MS-NLMP 2.2.2.5), so
// that a client that does not ask would have a further name for each domain that it
// makes up. The zero value is ready.
type ownDomains struct {
	mu    sync.Mutex
	known map[string]Domain // by name of the domain controller in events
}

// maxOwnDomains bounds the domain controllers that are remembered: transparent
// listeners may lead to many addresses.
const maxOwnDomains = 4096

// of returns the domain of a domain controller. What the CHALLENGE of this handshake
// says comes first; where it says nothing, which server is nil for too, and no
// handshake before it did, the domain has no names.
func (o *ownDomains) of(backend string, server *ntlm.Target) Domain {
	o.mu.Lock()
	defer o.mu.Unlock()
	if server == nil || server.NetBIOSDomain == "" {
		return o.known[backend]
	}
	return Domain{NetBIOS: server.NetBIOSDomain, DNS: server.DNSDomain}
}

// learn remembers the domain of a domain controller.
func (o *ownDomains) learn(backend string, d Domain) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, ok := o.known[backend]
	if d.NetBIOS == "" || old == d || !ok && len(o.known) >= maxOwnDomains {
		return
	}
	if d.DNS == "" && old.is(d.NetBIOS) {
		return // what is known says more
	}
	if o.known == nil {
		o.known = make(map[string]Domain)
	}
	o.known[backend] = d
}
