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

// PresentationContext is an interface and the transfer syntax in force for it,
// agreed by bind or alter_context under a context id (C706 12.6.3.1). It is
// not changed once made.
type PresentationContext struct {
	ID       uint16
	Abstract SyntaxID
	Transfer TransferSyntax
}

// IsNSPI reports whether the context leads to the address book interface. The
// version is not looked at: a server that accepts another one decides on it.
func (p *PresentationContext) IsNSPI() bool {
	return p != nil && p.Abstract.UUID == nspi.Interface.UUID
}

// IsEndpointMapper reports whether the context leads to the endpoint mapper.
func (p *PresentationContext) IsEndpointMapper() bool {
	return p != nil && p.Abstract.UUID == tower.EPMInterface.UUID
}

// NSPISyntax returns the transfer syntax as package nspi names it. ok is false
// when the stubs are in a syntax that this package cannot read.
func (p *PresentationContext) NSPISyntax() (s nspi.Syntax, ok bool) {
	switch p.Transfer {
	case TransferNDR:
		return nspi.NDR, true
	case TransferNDR64:
		return nspi.NDR64, true
	}
	return nspi.NDR, false
}

// proposal is a context element that waits for the answer of its handshake.
type proposal struct {
	position  int  // in the bind's list: results correspond by position
	redefines bool // the id is another interface's already
	id        uint16
	abstract  SyntaxID
}

func (c *Conversation) follows(abstract SyntaxID) bool {
	switch abstract.UUID {
	case nspi.Interface.UUID, tower.EPMInterface.UUID, rfri.Interface.UUID:
		return true
	}
	return c.opts.FollowAll
}

// proposals picks the elements that are followed out of a bind or
// alter_context, and those that would redefine a followed one.
func (c *Conversation) proposals(b *Bind) ([]proposal, error) {
	var out []proposal
	for i, e := range b.Contexts.All() {
		known := c.contextByID(e.ID)
		redefines := known != nil && known.Abstract != e.Abstract
		if !c.follows(e.Abstract) && !redefines {
			continue
		}
		if len(out)+len(c.contexts) >= MaxPresentationContexts && !c.opts.FollowAll {
			return nil, Errorf(ClassLimit, "presentation_contexts", contextListOffset,
				"more than %d contexts of followed interfaces on one connection", MaxPresentationContexts)
		}
		out = append(out, proposal{position: i, redefines: redefines, id: e.ID, abstract: e.Abstract})
	}
	return out, nil
}

// contextListOffset is where the context elements of a bind begin.
const contextListOffset = 28

// Context returns the accepted presentation context of that id, or nil when
// there is none or it is not followed.
func (c *Conversation) Context(id uint16) *PresentationContext { return c.contextByID(id) }

func (c *Conversation) contextByID(id uint16) *PresentationContext {
	for _, p := range c.contexts {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// accept records the proposals that the server accepted. A missing result is a
// rejection, surplus results are nobody's. An accepted context may be offered
// again; a server that lets it be redefined cannot be followed, for it may
// take the old meaning or the new one.
func (c *Conversation) accept(proposals []proposal, results ResultList) error {
	for _, p := range proposals {
		if p.position >= results.Len() {
			continue
		}
		r := results.At(p.position)
		if r.Result != ResultAcceptance {
			continue
		}
		if p.redefines && !c.opts.FollowAll {
			return Errorf(ClassState, "context_redefined", contextListOffset,
				"the server accepted context %d as %v, which was another interface", p.id, p.abstract)
		}
		c.setContext(&PresentationContext{ID: p.id, Abstract: p.abstract, Transfer: TransferOf(r.Transfer)})
	}
	return nil
}

func (c *Conversation) setContext(p *PresentationContext) {
	for i, old := range c.contexts {
		if old.ID == p.ID {
			c.contexts[i] = p
			return
		}
	}
	c.contexts = append(c.contexts, p)
}
