package report

import "sync"

const (
	// maxBackendLabels is how many domain controllers have series of their own.
	// With transparent listeners clients choose where they connect to, and who is
	// there may answer at as many addresses as it likes. The largest forests have
	// a few hundred global catalogs.
	maxBackendLabels = 1024
	// otherBackends is the label of all further ones.
	otherBackends = "other"
)

// backendLabels are the names that have series of their own: the first ones. They
// are never forgotten, as series are not.
type backendLabels struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

// label returns the label for a name. It is called for binds and unbinds, not for
// every PDU.
func (b *backendLabels) label(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, seen := b.seen[name]; seen {
		return name
	}
	if len(b.seen) >= maxBackendLabels {
		return otherBackends
	}
	if b.seen == nil {
		b.seen = make(map[string]struct{})
	}
	b.seen[name] = struct{}{}
	return name
}
