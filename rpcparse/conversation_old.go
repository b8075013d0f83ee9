package rpcparse

// FromClient is ClientPDU for a PDU that is not parsed yet.
func (c *Conversation) FromClient(h Header, pdu []byte, out []Event) ([]Event, error) {
	var p PDU
	p.Parse(h, pdu)
	return c.ClientPDU(&p, out)
}

// FromServer is ServerPDU for a PDU that is not parsed yet.
func (c *Conversation) FromServer(h Header, pdu []byte, out []Event) ([]Event, error) {
	var p PDU
	p.Parse(h, pdu)
	return c.ServerPDU(&p, out)
}

// FromClientOpen is FromClient for a request that was sealed and whose body has
// been decrypted in place.
func (c *Conversation) FromClientOpen(h Header, pdu []byte, out []Event) ([]Event, error) {
	var p PDU
	p.Parse(h, pdu)
	p.Opened = true
	return c.ClientPDU(&p, out)
}

// FromServerOpen is FromClientOpen for the other direction.
func (c *Conversation) FromServerOpen(h Header, pdu []byte, out []Event) ([]Event, error) {
	var p PDU
	p.Parse(h, pdu)
	p.Opened = true
	return c.ServerPDU(&p, out)
}

// Matters is NeedsStub for a PDU that is not parsed yet.
func (c *Conversation) Matters(h Header, pdu []byte) bool {
	var p PDU
	p.Parse(h, pdu)
	return c.NeedsStub(&p)
}

// Undecided is AwaitsHandshake for a PDU that is not parsed yet.
func (c *Conversation) Undecided(h Header, pdu []byte) bool {
	var p PDU
	p.Parse(h, pdu)
	return c.AwaitsHandshake(&p)
}

// Hides is MayHideBind for a PDU that is not parsed yet.
func (c *Conversation) Hides(pdu []byte) bool {
	h, err := ParseHeader(pdu)
	return err != nil || c.MayHideBind(&PDU{Header: h, Raw: pdu})
}

// Use is SessionUse.
func (c *Conversation) Use() (u *Use, ok bool) { return c.SessionUse() }
