package backend

import "time"

// observation is something that was seen of a domain controller at one of its
// addresses. Which fields have a meaning depends on the kind.
type observation struct {
	kind    observationKind
	outcome outcome
	port    uint16    // that was connected to
	began   time.Time // when an attempt to connect began
	at      time.Time // when the observation was made
	reason  string    // for the log, if the state changes; may quote the network
	result  *Result   // of an active check
	ports   []uint16  // as the endpoint mapper named them; not changed any more
	number  uint16    // a priority
}

// observationKind is the kind of an [observation].
type observationKind uint8

const (
	// attemptEnded: a connection from this machine to port, for a client or to
	// ask the endpoint mapper, was made or not. Has outcome; began and reason
	// for a failure.
	attemptEnded observationKind = iota
	// clientAttemptEnded: the same for a connection under a client's own
	// address. Has port and outcome; at for a failure.
	clientAttemptEnded
	// trialRequested: a client wants to connect under its own address. Has at.
	trialRequested
	// hostAnswered: something came from the host, a refusal for instance.
	hostAnswered
	// hostVanished: the connections to a host from which nothing comes are silent, too.
	hostVanished
	// checkBegun: the connects of a check are about to begin.
	checkBegun
	// checkEnded: they have ended. Has outcome, began, at, reason.
	checkEnded
	// probeFailed: an active check could not connect, and a connect has not
	// shown that the domain controller is reachable all the same: the result is
	// kept, but is no evidence. Has result.
	probeFailed
	// probeEnded: an active check of a reachable domain controller has ended.
	// Has result and reason.
	probeEnded
	// mapperSlow: the endpoint mapper takes long to answer.
	mapperSlow
	// mapperAnswered: it answered. Has ports; if there are none, reason.
	mapperAnswered
	// processAnswered: it said where the further interfaces of its process are. Has
	// ports.
	processAnswered
	// mapperFailed: a session with it ended without an answer. Has outcome and
	// reason.
	mapperFailed
	// priorityNamed: DNS names a priority. Has number.
	priorityNamed
	// monitoringBegun and monitoringEnded: from now on its return will be
	// noticed, or not any more.
	monitoringBegun
	monitoringEnded
)

// effects is what follows from an observation, beside the new health.
type effects struct {
	events       []Event // without names, and with the reason as it came
	wake         bool    // the monitor must check now
	trial        bool    // the client that asked may try to connect
	portsChanged bool    // NSPI, or its process, is on other ports than before
	silent       bool    // nothing has come from the host for silentFor
	silentFor    time.Duration
}
