package rpcparse

// Missed notes that PDUs of dir were not seen, as happens in captures. From then
// on the conversation judges as it does with MidStream: what missing PDUs may
// explain is no error. A relay sees every PDU and never calls it.
func (c *Conversation) Missed(dir Direction) {
	c.opts.MidStream, c.bound = true, true
	if dir == ClientToServer {
		c.requests = nil
	} else {
		c.responding.unfinished = false
	}
}
