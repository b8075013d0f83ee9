package simdc

import (
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// registration is one entry of the endpoint mapper.
type registration struct {
	iface      rpcparse.SyntaxID
	annotation string
	addr       netip.AddrPort
}

// registrations lists every interface on every port.
func (s *Server) registrations() []registration {
	var list []registration
	for _, e := range s.nspi {
		list = append(list,
			registration{nspi.Interface, "MS NT Directory NSP Interface", e.addr},
			registration{rfri.Interface, "MS Exchange Directory RFR Interface", e.addr},
			registration{EchoInterface, "", e.addr})
	}
	for i, e := range s.process {
		list = append(list, registration{nspi.Process[i%len(nspi.Process)].Syntax, "", e.addr})
	}
	return list
}

// epmService is the endpoint mapper (C706 appendix O, MS-RPCE 2.2.1.2).
type epmService struct {
	registrations []registration
}

// cursor is the resource behind an entry handle: what an answer had no room
// for.
type cursor struct {
	rest []registration
}

func (cursor) rundown() {}

func (*epmService) syntax() rpcparse.SyntaxID { return tower.EPMInterface }

func (m *epmService) call(x *call) ([]byte, uint32) {
	switch x.opnum {
	case tower.OpnumLookup:
		return m.lookup(x)
	case tower.OpnumMap:
		return m.ask(x)
	case tower.OpnumLookupHandleFree:
		return freeHandle(x)
	case tower.OpnumInsert, tower.OpnumDelete, tower.OpnumMgmtDelete:
		return nil, rpcparse.StatusAccessDenied
	}
	return nil, rpcparse.StatusOpRangeError
}

// ask answers ept_map: where is this interface?
func (m *epmService) ask(x *call) ([]byte, uint32) {
	syntax := x.context.towerSyntax()
	r, err := tower.ParseMapRequest(x.stub, syntax, x.stubOrder())
	if err != nil {
		return nil, rpcparse.StatusBadStubData
	}
	answer := tower.MapAnswer{Max: r.MaxTowers, Status: tower.StatusNotRegistered}
	asked, err := tower.Parse(r.Tower)
	if err == nil && r.MaxTowers > 0 {
		found, next, ok := m.page(x, r.Handle, r.MaxTowers, func(e registration) bool { return asksFor(asked, e) })
		if !ok {
			return nil, rpcparse.StatusContextMismatch
		}
		for _, e := range found {
			answer.Towers = append(answer.Towers, tower.BuildTCP(e.iface, asked.Transfer(), e.addr.Port(), e.addr.Addr()))
		}
		answer.Handle = next
		if len(found) > 0 {
			answer.Status = tower.StatusOK
		}
	}
	return stubOrFault(tower.AppendMapResponse(nil, answer, syntax, x.stubOrder()))
}

// asksFor reports whether a tower asks for e: its interface, one of the two
// transfer syntaxes, TCP.
func asksFor(t tower.Tower, e registration) bool {
	iface, transfer := t.Interface(), t.Transfer()
	return iface.UUID == e.iface.UUID && iface.Major() == e.iface.Major() &&
		(transfer == rpcparse.SyntaxNDR || transfer == rpcparse.SyntaxNDR64) &&
		t.Protocol() == tower.ProtocolTCP
}

// lookup answers ept_lookup: what is there?
func (m *epmService) lookup(x *call) ([]byte, uint32) {
	syntax := x.context.towerSyntax()
	r, err := tower.ParseLookupRequest(x.stub, syntax, x.stubOrder())
	if err != nil {
		return nil, rpcparse.StatusBadStubData
	}
	byInterface := r.Inquiry == tower.InquireInterface || r.Inquiry == tower.InquireBoth
	found, next, ok := m.page(x, r.Handle, r.MaxEntries, func(e registration) bool {
		return !byInterface || r.Interface.UUID == e.iface.UUID
	})
	if !ok {
		return nil, rpcparse.StatusContextMismatch
	}
	answer := tower.LookupAnswer{Handle: next, Max: r.MaxEntries, Status: tower.StatusNotRegistered}
	for _, e := range found {
		answer.Entries = append(answer.Entries, tower.AnswerEntry{
			Tower:      tower.BuildTCP(e.iface, rpcparse.SyntaxNDR, e.addr.Port(), e.addr.Addr()),
			Annotation: e.annotation,
		})
		answer.Status = tower.StatusOK
	}
	return stubOrFault(tower.AppendLookupResponse(nil, answer, syntax, x.stubOrder()))
}

// page returns the next entries of a list, at most limit: those that match, or
// where h is not zero what an earlier answer had no room for. The rest waits
// behind a new handle. ok is false for a handle that nobody was given.
func (m *epmService) page(x *call, h tower.Handle, limit uint32, match func(registration) bool) (found []registration, next tower.Handle, ok bool) {
	var rest []registration
	if h.IsZero() {
		for _, e := range m.registrations {
			if match(e) {
				rest = append(rest, e)
			}
		}
	} else {
		c, known := x.conn.assoc.take(nspi.Handle(h))
		if !known {
			return nil, tower.Handle{}, false
		}
		rest = c.rest
	}
	n := min(len(rest), int(min(limit, tower.MaxTowers)))
	if n < len(rest) {
		next = tower.Handle(newHandle())
		x.conn.assoc.store(nspi.Handle(next), cursor{rest: rest[n:]})
	}
	return rest[:n], next, true
}

// freeHandle answers ept_lookup_handle_free: a null handle and a status.
func freeHandle(x *call) ([]byte, uint32) {
	if len(x.stub) < tower.HandleSize {
		return nil, rpcparse.StatusBadStubData
	}
	x.conn.assoc.take(nspi.Handle(x.stub[:tower.HandleSize]))
	return make([]byte, tower.HandleSize+4), 0
}

// take removes an entry handle and returns what it stands for. Handles of other
// services are left alone: their resources are not the endpoint mapper's to end.
func (a *association) take(h nspi.Handle) (cursor, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.handles[h].(cursor)
	if ok {
		delete(a.handles, h)
	}
	return c, ok
}

func stubOrFault(stub []byte, err error) ([]byte, uint32) {
	if err != nil {
		return nil, rpcparse.StatusBadStubData
	}
	return stub, 0
}
