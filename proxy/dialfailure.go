package proxy

import (
	"errors"
	"slices"
	"syscall"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
)

// dialFailed tells the domain controller's record, and the pool that looks for
// another one, that it could not be reached.
func (i *inspector) dialFailed(reason relay.CloseReason) {
	if reason.Cause != relay.CauseDialFailed && reason.Cause != relay.CauseDialTimeout {
		return
	}
	silent := reason.Cause == relay.CauseDialTimeout || isAny(reason.Err, unansweredErrors)
	switch {
	case !silent && !isAny(reason.Err, refusalErrors): // this machine is at its limits
	case i.keepsSource():
		i.dc.ClientFailed()
	default:
		i.dc.DialFailed(i.conn.Server().Port(), silent)
	}
	if i.pool != nil {
		i.pool.failed(i.conn, append(i.tried, i.dc))
	}
}

// dialled tells the domain controller's record that it was reached.
func (i *inspector) dialled() {
	port := i.conn.Server().Port()
	if i.keepsSource() {
		i.dc.ClientOK(port)
		return
	}
	i.dc.DialOK(port)
}

// keepsSource reports whether the domain controller sees the client's address: if
// it is not reached then, that says nothing about this machine's, nor the reverse.
func (i *inspector) keepsSource() bool { return i.listener.Mode == policy.ModeTPROXY }

// What connect says when nothing came back, and when a refusal did.
var (
	unansweredErrors = []error{syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH}
	refusalErrors    = []error{syscall.ECONNREFUSED, syscall.ECONNRESET}
)

func isAny(err error, list []error) bool {
	return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
}
