package probe

import (
	"context"
	"errors"
	"strings"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// statusOther is the fault "other" (nca_s_fault_other).
const statusOther = 1

// explain returns the text of an error with what people may want to know of it.
func (p *prober) explain(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "told to stop"
	}
	text := err.Error()
	// go-msrpc wraps what its security providers say in the names of its functions.
	if _, after, ok := strings.Cut(text, "security provider: "); ok {
		text = after
	}
	if _, after, ok := strings.Cut(text, "[Root cause: "); ok { // of the Kerberos library; what follows begins with it
		_, text, _ = strings.Cut(after, "] ")
	}
	var fault *faultError
	if errors.As(err, &fault) {
		text += p.hint(fault.status)
	}
	return text
}

// hint says what a fault means in a probe.
func (p *prober) hint(status uint32) string {
	switch {
	case !p.target.authenticated():
	case status == rpcparse.StatusAccessDenied:
		return " (wrong user or password, or refused by a proxy)"
	case status == rpcparse.StatusSecPkgError:
		return " (wrong user, password or key)"
	case status == statusOther && p.target.Auth == AuthNTLM && p.target.Level == LevelConnect:
		return " (Samba does not serve NTLM with signing at level connect)"
	}
	return ""
}
