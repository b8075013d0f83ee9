package probe

import (
	"context"
	"errors"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// explain returns the text of an error with what people may want to know of it.
func (p *prober) explain(err error) string {
	var fault *client.Fault
	var rejected *client.Rejected
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "told to stop"
	case errors.Is(err, client.ErrNotRegistered):
		return "ept_map: " + tower.StatusName(tower.StatusNotRegistered)
	case errors.As(err, &fault):
		return err.Error() + p.hint(fault.Status)
	case errors.As(err, &rejected) && rejected.Result.Result == rpcparse.ResultProviderRejection &&
		rejected.Result.Reason == rpcparse.ReasonAbstractSyntaxNotSupported:
		return "the server does not know the interface on this port"
	}
	return err.Error()
}

// hint says what a fault means in a probe.
func (p *prober) hint(status uint32) string {
	switch {
	case !p.target.authenticated():
	case status == rpcparse.StatusAccessDenied:
		return " (wrong user or password, or refused by a proxy)"
	case status == rpcparse.StatusSecPkgError:
		return " (wrong user, password or key)"
	}
	return ""
}

// isAuthError reports whether err is what servers say to users that they do not
// let in.
func isAuthError(err error) bool {
	return client.IsFault(err, rpcparse.StatusAccessDenied) || client.IsFault(err, rpcparse.StatusSecPkgError) ||
		client.IsNak(err, rpcparse.NakAuthTypeNotRecognized) || client.IsNak(err, rpcparse.NakInvalidChecksum)
}
