package session

import "slices"

// Load is what one backend carries at this moment.
type Load struct {
	Sessions    int // held slots
	Reserved    int // reservations, proven and provisional
	Connections int
}

// controller is one domain controller: a backend. Its record exists while there
// is a connection to it or a session on it. So the bound of connections bounds
// these records, too, also where clients choose the backend by the address that
// they connect to.
type controller struct {
	name         string
	load         Load
	endpoints    []string                  // those that connections have gone to
	associations map[groupKey]*association // those that a connection can name
}

// maxEndpoints is how many endpoints of a backend are searched for an association
// that a bind asks for. A domain controller has some dozens.
const maxEndpoints = 512

// addEndpoint adds an endpoint to those of d.
func (d *controller) addEndpoint(endpoint string) {
	if len(d.endpoints) < maxEndpoints && !slices.Contains(d.endpoints, endpoint) {
		d.endpoints = append(d.endpoints, endpoint)
	}
}

// Load returns what a backend carries. It takes constant time.
func (t *Table) Load(backend string) Load {
	t.mu.Lock()
	defer t.unlock()
	if d := t.controllers[backend]; d != nil {
		return d.load
	}
	return Load{}
}
