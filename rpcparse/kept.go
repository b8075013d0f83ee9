package rpcparse

// Kept is how many bytes of what its peers have chosen to send a connection keeps, beside
// the records that it has in any case.
type Kept struct {
	// Charged is what a peer can make longer as it likes: names, tokens that go on in a later PDU,
	// stubs in fragments, what a follower of a handshake needs for its next leg.
	Charged int
	// Free is what follows from an account, as the groups in a ticket.
	Free int
	// Unfinished is the part of Charged that waits for a fragment or token to come to its end.
	Unfinished int
}

// Keeper is implemented by a [TokenFollower] that keeps bytes of tokens.
type Keeper interface {
	Kept() (charged, free int)
}

// Kept adds up what c keeps. It looks at all security contexts and calls: ask when a
// handshake PDU or a part of a request has been followed.
func (c *Conversation) Kept() (n Kept) {
	for _, s := range c.security {
		n.Charged += len(s.Domain) + len(s.User) + len(s.Workstation)
		if s.begun != nil {
			n.Unfinished += len(*s.begun)
		}
		if k, ok := s.Follower.(Keeper); ok {
			charged, free := k.Kept()
			n.Charged += charged
			n.Free += free
		}
	}
	for _, k := range c.calls {
		n.Unfinished += len(k.stub)
	}
	n.Charged += n.Unfinished
	return n
}
