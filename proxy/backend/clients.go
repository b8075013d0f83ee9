package backend

import "time"

// trialInterval is how often a client may try to reach a domain controller that
// neither this machine nor the last client could reach. If a firewall on it lets
// in clients and not this machine, nothing else would find out that it is back.
const trialInterval = 10 * time.Second

// ClientOK notes that a connection to port got through that was made under a
// client's own address. It says nothing about what this machine reaches: a
// firewall on the domain controller may know the one and not the other.
func (dc *DC) ClientOK(port uint16) {
	if port != dc.EPM.Port() {
		dc.dialled.Store(uint32(port))
	}
	dc.clientFailed.Store(false)
}

// ClientFailed notes that a connection under a client's own address failed: a
// reason to look after the domain controller, but no evidence against it, for it
// may be this client alone that is not let in.
func (dc *DC) ClientFailed() {
	dc.clientFailed.Store(true)
	dc.tried.Store(time.Now().UnixNano())
	dc.doubt()
}

// ClientsFail reports whether the last client could not reach it under its own
// address.
func (dc *DC) ClientsFail() bool { return dc.clientFailed.Load() }

// TryTrial reports whether a client may connect under its own address. Where that
// is bound to fail, because this machine cannot reach the domain controller and the
// last client could not, one client in every trialInterval gets to try: true is
// said to it alone, and takes the trial.
func (dc *DC) TryTrial() bool {
	if dc.State() != Unreachable || !dc.clientFailed.Load() {
		return true
	}
	last, now := dc.tried.Load(), time.Now().UnixNano()
	return now-last >= int64(trialInterval) && dc.tried.CompareAndSwap(last, now)
}
