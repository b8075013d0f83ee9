package proxy

import (
	"errors"
	"slices"
	"syscall"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
)

// dialFailed tells the domain controller's record, and the pool that looks for
// another one, that it could not be reached.
func (i *inspector) dialFailed(reason relay.CloseReason) {
	if reason.Cause != relay.CauseDialFailed && reason.Cause != relay.CauseDialTimeout {
		return
	}
	switch port := i.conn.Server().Port(); {
	case reason.Cause == relay.CauseDialTimeout || isAny(reason.Err, unansweredErrors):
		i.dc.DialFailed(port, true)
	case isAny(reason.Err, refusalErrors):
		i.dc.DialFailed(port, false)
	} // else this machine is at its limits, which is not the domain controller's fault
	if i.pool != nil {
		i.pool.failed(i.conn, append(i.tried, i.dc))
	}
}

// What connect says when nothing came back, and when a refusal did.
var (
	unansweredErrors = []error{syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH}
	refusalErrors    = []error{syscall.ECONNREFUSED, syscall.ECONNRESET}
)

func isAny(err error, list []error) bool {
	return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
}
