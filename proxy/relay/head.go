package relay

import "github.com/nspiproxy/nspiproxy/rpcparse"

// Head is what a client's first PDU says, which is a bind.
type Head struct {
	// Group is the association group that the client wants to join; 0: a new one.
	Group uint32
}

// headSize is how much of a bind has its association group (C706 12.6.4.3):
//
//	common header 16, max_xmit_frag 2, max_recv_frag 2, assoc_group_id 4
const headSize = 24

// parseHead reads the start of a client's stream. done: more bytes would not tell
// more, because it is a bind or because it is not.
func parseHead(b []byte) (head Head, ok, done bool) {
	h, err := rpcparse.ParseHeader(b)
	switch {
	case rpcparse.ClassOf(err) == rpcparse.ClassShort:
		return Head{}, false, false
	case err != nil || h.Type != rpcparse.PTypeBind || h.FragLength < headSize:
		return Head{}, false, true
	case len(b) < headSize:
		return Head{}, false, false
	}
	return Head{Group: h.Order().Uint32(b[headSize-4:])}, true, true
}
