package inspect

import "github.com/nspiproxy/nspiproxy/rpcparse"

const (
	// maxKept is how many bytes a connection may keep of what its client can make longer as it
	// likes: names, tokens and stubs. The largest token (65,535 bytes; 48,000 with a ticket of
	// Windows) may come in pieces. A client has one or two security contexts with some hundred
	// bytes in all.
	maxKept = 64 << 10
	// keptByContext is what each security context may keep besides: as many as servers allow have
	// room for NTLM's first messages.
	keptByContext = 256
	// recordSize is about what the proxy keeps of a security context in any case.
	recordSize = 600
)

// account looks at what the connection keeps, after a PDU that may have changed that. An error ends
// the connection.
func (i *Inspector) account() error {
	contexts := i.conv.SecurityContexts()
	n := i.conv.Kept()
	own := len(i.admission.fragments)
	total := n.Charged + n.Free + own + recordSize*contexts
	unfinished := n.Unfinished > 0 || len(i.admission.fragments) > 0
	if total != int(i.kept) || unfinished != i.unfinished {
		i.kept, i.unfinished = int32(total), unfinished
		i.conn.Keeps(total, unfinished)
	}
	if n.Charged+own > maxKept+keptByContext*contexts {
		return rpcparse.Errorf(rpcparse.ClassLimit, "kept_bytes", 0, "more than %d bytes of tokens, names and fragments to be kept for a connection", maxKept)
	}
	return nil
}
