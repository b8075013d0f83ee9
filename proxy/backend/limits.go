package backend

import "time"

// Bounds of what this package keeps, starts and waits for.
const (
	// maxProbes is how many active checks run at once. Each may need a Kerberos
	// handshake, some milliseconds of one core.
	maxProbes = 8
	// maxCheckPorts is how many ports of NSPI one check connects to. Windows
	// has two.
	maxCheckPorts = 4
	// connectTimeout bounds a connect of a check. The kernel sends two SYNs in
	// that time, at 0 and 1 s: one of them is answered by a host that is alive.
	connectTimeout = 2 * time.Second
	// promptly is how often a degraded domain controller is checked, so that
	// neither its end nor its return waits for the interval of active checks.
	promptly = time.Second
	// checkGap is the least time between two checks of one domain controller,
	// however many clients fail to reach it.
	checkGap = 200 * time.Millisecond

	// minRedial and maxRedial bound the pause before an endpoint mapper is
	// dialled again. refusedRedial bounds it where the host refuses: that costs
	// one round trip, and a service that restarts with another port must be
	// found within a second.
	minRedial     = 200 * time.Millisecond
	refusedRedial = 500 * time.Millisecond
	maxRedial     = 2 * time.Second
	// suspicious is how long an endpoint mapper may take to answer before a
	// check shows whether the host is still alive. A slow one is no fault.
	suspicious = time.Second

	// maxDiscovered is how many of the addresses are remembered that clients
	// have tried to reach last, at a few hundred bytes each.
	maxDiscovered = 4096
	// maxWatched is how many domain controllers are watched that neither the
	// configuration nor DNS names. The largest forests have a few hundred
	// global catalogs in all.
	maxWatched = 256
	// watchUnseen is how long such an address is watched without NSPI. Half the
	// machines of a network have an endpoint mapper, and they must not use up
	// the places of domain controllers.
	watchUnseen = 10 * time.Minute
	// maxRetired is how many of the domain controllers are remembered that have
	// left the answers of DNS last: connections to them may live on, and they
	// may come back.
	maxRetired = 64
)

// Bounds of what is taken from DNS.
const (
	// maxTargets is how many targets of one SRV name are used, those of the
	// lowest priority first. Sites have a handful of domain controllers.
	maxTargets = 64
	// maxAliases is how many CNAMEs lead from a name to its records.
	maxAliases = 8
	// maxServers is how many servers of resolv.conf are asked, as in the C
	// library (resolv.conf(5)).
	maxServers = 3
	// queryRounds is how often every server is asked.
	queryRounds = 2
	// queryTimeout bounds one question to one server.
	queryTimeout = 2 * time.Second
	// lookupTimeout bounds everything that is asked for one SRV name.
	lookupTimeout = 30 * time.Second

	// minTTL and maxTTL bound how long an answer is used: a TTL of 0 must not
	// make the proxy ask all the time, one of days not keep it from asking.
	minTTL = 5 * time.Second
	maxTTL = time.Hour
	// minRetry and maxRetry bound the pause after a question that failed.
	minRetry = 5 * time.Second
	maxRetry = 30 * time.Second
)

// maxText is how much of a text from elsewhere an event carries, in bytes.
const maxText = 256
