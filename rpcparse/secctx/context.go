package secctx

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// Layout says what is where in a protected PDU.
type Layout struct {
	Body    int  // offset of the protected body: stub, verification trailer, padding
	Trailer int  // offset of the 8-byte security trailer
	Seal    bool // level privacy: the body is encrypted
}

// Context is an established security context whose keys are known. It is not
// safe for concurrent use.
type Context struct {
	in     [2]stream // by wire.Direction: how its sender protects
	out    [2]stream // what its receiver expects; nil while that is the same
	broken [2]error  // a PDU did not verify: nothing more can be opened
}

// Diverged reports whether PDUs of d must be opened and sealed again.
func (c *Context) Diverged(d wire.Direction) bool { return c.out[d] != nil }

// Readable reports whether PDUs of d can still be opened.
func (c *Context) Readable(d wire.Direction) bool { return c.broken[d] == nil }

// SetHeaderSigning sets whether signatures cover headers, as the connection has
// agreed. It may come on late (MS-RPCE 3.3.1.5.2.2).
func (c *Context) SetHeaderSigning(on bool) {
	for d := range c.in {
		c.in[d].setHeaderSigning(on)
		if c.out[d] != nil {
			c.out[d].setHeaderSigning(on)
		}
	}
}

// Skip notes a PDU that passes unread. It must not be called for a direction
// that has diverged.
func (c *Context) Skip(d wire.Direction, l Layout) {
	if c.broken[d] == nil {
		c.in[d].skip(l.Trailer-l.Body, l.Seal)
	}
}

// Open verifies a PDU and decrypts it in place. After an error the body is
// undefined and the direction cannot be read any more.
func (c *Context) Open(d wire.Direction, pdu []byte, l Layout) error {
	if c.broken[d] != nil {
		return c.broken[d]
	}
	c.broken[d] = c.in[d].Unprotect(pdu, l.Body, l.Trailer, l.Seal)
	return c.broken[d]
}

// Fork separates the receiver's half-state from the sender's, before a PDU
// that may be swallowed is opened, or before one is injected.
func (c *Context) Fork(d wire.Direction) {
	if c.out[d] == nil {
		c.out[d] = c.in[d].clone()
	}
}

// Join undoes a Fork since which every PDU has been opened and will arrive as
// it was sent.
func (c *Context) Join(d wire.Direction) { c.out[d] = nil }

// Seal protects an opened or made PDU for its receiver, in place. Lengths,
// header and trailer must be final, and the token's room is behind the trailer.
// The direction must have been forked.
func (c *Context) Seal(d wire.Direction, pdu []byte, l Layout) error {
	return c.out[d].Protect(pdu, l.Body, l.Trailer, l.Seal)
}

// TokenSize returns how many bytes the token of a PDU that Seal makes takes.
func (c *Context) TokenSize(d wire.Direction, seal bool) int { return c.in[d].tokenSize(seal) }
