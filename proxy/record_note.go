package proxy

import "github.com/nspiproxy/nspiproxy/rpcparse/secctx"

// maxNotes is how many different findings are remembered as written, and
// notesShare the part of such a number that those of one kind may take: with
// transparent listeners a client can bring about a finding for each of very many
// addresses, and a server any number of names. The others must still be written.
const (
	maxNotes   = 1024
	notesShare = 8
)

// noteRecord is a finding that is written once, whatever how often it recurs.
type noteRecord struct {
	key, backend, text string
}

// onceNotes remembers what was written.
type onceNotes struct {
	seen  map[string]map[string]struct{} // by kind
	count int
	limit int
}

func newOnceNotes(limit int) onceNotes {
	return onceNotes{seen: make(map[string]map[string]struct{}), limit: limit}
}

// first reports whether id is new among those of its kind and there is room to
// remember it.
func (o *onceNotes) first(kind, id string) bool {
	of := o.seen[kind]
	if _, seen := of[id]; seen || o.count >= o.limit || len(of) >= o.limit/notesShare {
		return false
	}
	if of == nil {
		of = make(map[string]struct{})
		o.seen[kind] = of
	}
	of[id] = struct{}{}
	o.count++
	return true
}

// note reports a finding that administrators need to read once.
func (r *recorder) note(key, backend, text string) {
	r.put(noteRecord{key: key, backend: backend, text: text})
}

func (n noteRecord) write(r *recorder) {
	if !r.once.first(n.key, n.backend) {
		return
	}
	r.log.Warn().Str("event", n.key).Str("backend", n.backend).Msg(n.text)
}

// endpointNoted reports what could not be done with an answer of the endpoint
// mapper.
func (r *recorder) endpointNoted(n endpointNote, backend string) {
	switch n {
	case noteProtected:
		r.note("endpoint.protected", backend, "an answer of the endpoint mapper is signed and passed unchanged: "+
			"that client goes to ports on which the proxy may not listen; fix the port of NSPI on the domain controller and set nspi_port")
	case notePrivate:
		r.note("endpoint.protected", backend, "an answer of the endpoint mapper is signed and cannot be read: "+
			"the proxy asks the endpoint mapper itself which ports are to be intercepted")
	case noteMalformed:
		r.note("endpoint.malformed", backend, "an answer of the endpoint mapper could not be read and passed unchanged")
	case notePort:
		r.note("endpoint.port", backend, "no port could be opened for an endpoint of the domain controller; its tower passed unchanged")
	}
}

// keyOutcome reports a handshake that keys could not be found for: an
// administrator learns from it that a password has changed.
func (r *recorder) keyOutcome(o secctx.Outcome, backend string) {
	switch o.Result {
	case secctx.WrongVersion:
		r.note("key.stale", backend, "a ticket is made with a key that is not in the keytab: "+o.Detail)
	case secctx.NoKey:
		r.note("auth.opaque", backend, "a security context cannot be read: "+o.Detail)
	case secctx.Undecryptable:
		r.note("key.wrong", backend, "a security context cannot be read with the key at hand: "+o.Detail)
	}
}
