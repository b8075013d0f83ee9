package secctx

// Plant gives h the identity that a verified PAC would give it.
func Plant(h *Handshake, sid string) { h.identity = &Identity{SID: sid} }
