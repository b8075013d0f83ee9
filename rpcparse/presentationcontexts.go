package rpcparse

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// MaxPresentationContexts is how many followed presentation contexts one
// connection may have. A client needs two or three (NDR, NDR64, one more
// interface); servers allow 4000 times the registered interfaces
// (protocol limit of Windows, MS-RPCE appendix A).
const MaxPresentationContexts = 256

// presentationContexts are the contexts of one connection that the server has
// accepted and that are followed.
type presentationContexts []*PresentationContext

// find returns the context of that id, or nil.
func (t presentationContexts) find(id uint16) *PresentationContext {
	for _, p := range t {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// proposal is a context element of a bind or alter_context that waits for the
// server's result.
type proposal struct {
	position  int  // in the list of elements: results correspond by position
	redefines bool // the id is in use for another interface
	id        uint16
	abstract  SyntaxID
}

// proposals picks the elements that are followed out of a bind or
// alter_context, and those that would redefine a followed one.
func (t presentationContexts) proposals(b *Bind, followAll bool) ([]proposal, error) {
	var out []proposal
	for i, e := range b.Contexts.All() {
		known := t.find(e.ID)
		redefines := known != nil && known.Abstract != e.Abstract
		if !followAll && !redefines && !isFollowed(e.Abstract) {
			continue
		}
		if len(out)+len(t) >= MaxPresentationContexts && !followAll {
			return nil, Errorf(ClassLimit, "presentation_contexts", bindFixedSize,
				"more than %d contexts of followed interfaces on one connection", MaxPresentationContexts)
		}
		out = append(out, proposal{position: i, redefines: redefines, id: e.ID, abstract: e.Abstract})
	}
	return out, nil
}

// isFollowed reports whether the interface is one that a proxy has to follow.
func isFollowed(abstract SyntaxID) bool {
	switch abstract.UUID {
	case nspi.Interface.UUID, tower.EPMInterface.UUID, rfri.Interface.UUID:
		return true
	}
	return false
}

// accept records the proposals that the server accepted. A missing result is a
// rejection, surplus results belong to no element. An accepted context may be
// offered again; a server that lets it be redefined cannot be followed, for it
// may take the old meaning or the new one.
func (t *presentationContexts) accept(proposals []proposal, results ResultList, followAll bool) error {
	for _, p := range proposals {
		if p.position >= results.Len() {
			continue
		}
		r := results.At(p.position)
		if r.Result != ResultAcceptance {
			continue
		}
		if p.redefines && !followAll {
			return Errorf(ClassState, "context_redefined", bindFixedSize,
				"the server accepted context %d as %v, which was another interface", p.id, p.abstract)
		}
		t.set(&PresentationContext{ID: p.id, Abstract: p.abstract, Transfer: TransferOf(r.Transfer)})
	}
	return nil
}

func (t *presentationContexts) set(p *PresentationContext) {
	for i, old := range *t {
		if old.ID == p.ID {
			(*t)[i] = p
			return
		}
	}
	*t = append(*t, p)
}
