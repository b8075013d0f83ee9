package listen

import (
	"fmt"
	"slices"

	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/transparent"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// The ports of this file are those on which a domain controller has other interfaces of
// the process of NSPI ([nspi.Process]), so that NSPI can be bound there as well. They are
// intercepted where the configuration says so, of domain controllers that have NSPI.

// maxUnlistedProcess is how many ports may be learnt of an address that the
// configuration does not name, those of the process of NSPI among them. The interfaces
// of lsass.exe share fewer than ten.
const maxUnlistedProcess = 32

// wanted returns the ports of dc that are to be intercepted, after its endpoint mapper has
// told: those of NSPI come first. The error says why some of them, or all, are left out.
func (n *portInterceptor) wanted(dc *backend.DC, told backend.Ports) ([]uint16, error) {
	if err := n.room(dc, maxUnlisted, func(int) int { return len(told.NSPI) }); err != nil {
		return nil, err
	}
	others := told.Process
	if !n.all.Config.Transparent.TakesProcess() {
		others = nil
	} else if others == nil {
		others = n.ports.Of(dc.Addr) // of an earlier run, until they are told
	}
	if len(others) == 0 {
		return told.NSPI, nil
	}
	all, atMost := slices.Clone(told.NSPI), transparent.MaxPortsPerAddress
	if !n.listed(dc) {
		atMost = maxUnlistedProcess
	}
	for _, port := range others {
		if slices.Contains(all, port) {
			continue
		}
		if len(all) == atMost {
			return all, fmt.Errorf("other interfaces of the process of NSPI are on too many ports; %d are intercepted", atMost)
		}
		all = append(all, port)
	}
	if err := n.room(dc, maxUnlistedProcess, func(int) int { return len(all) }); err != nil {
		return told.NSPI, fmt.Errorf("other interfaces of the process of NSPI: %w", err)
	}
	return all, nil
}

// learnProcess is learn for an endpoint of another interface than NSPI. Where it is not
// known that there is NSPI, only an interface that no other machine has makes the proxy
// ask.
func (n *portInterceptor) learnProcess(dc *backend.DC, end tower.Endpoint, done func()) (fresh bool) {
	iface, ok := nspi.InProcess(end.Interface.UUID)
	if !ok || !n.all.Config.Transparent.TakesProcess() {
		return false
	}
	if len(dc.NSPI()) > 0 {
		return n.learn(dc, end.Port, maxUnlistedProcess, done)
	}
	if iface.DCOnly {
		n.all.Controllers.Watch(dc)
	}
	return false
}
