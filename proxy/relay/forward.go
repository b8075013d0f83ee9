package relay

import "github.com/nspiproxy/nspiproxy/rpcparse"

// ForwardAll is the Handler that lets everything through and tells nobody: what
// the relay costs by itself.
type ForwardAll struct{}

// FromClient implements Handler.
func (ForwardAll) FromClient(rpcparse.Header, []byte) Verdict { return Verdict{} }

// FromServer implements Handler.
func (ForwardAll) FromServer(rpcparse.Header, []byte) Verdict { return Verdict{} }

// Resume implements Handler.
func (ForwardAll) Resume() Verdict { return Verdict{} }

// Closed implements Handler.
func (ForwardAll) Closed(CloseReason) {}
