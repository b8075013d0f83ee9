// Package soak has the proxy carry broken conversations for a stated time, and looks at what is left of them.
//
//	make soak TIME=10m                        # or go test ./internal/testkit/soak -time 10m
//	make soak TIME=10m SEED=4711              # the same conversations again
//	make soak REPLAY=FILE              # those of a run that failed, as it has written them
//
// The proxy is a process of its own: the whole server, started from a configuration file. Two of them run, one with the keys
// of the accounts and one without. Each has some lanes, which are a client and a domain controller that do what a conversation
// of package mutate says. The seeds are the golden conversations, and the collection of captures where it is there. Beside
// them, each has a real client and a simulated domain controller, whose conversation is never broken: the control.
//
// What must hold:
//
//   - the process does not end, and its log has no panic;
//   - every step of the control is answered in time, and the limit is right for it: neither more sessions nor fewer;
//   - after each batch, when the lanes are closed: no connection, association, session, reservation or waiting call is left,
//     no descriptor and no goroutine more than at the start;
//   - at the end, no more memory than caches and sums may take.
//
// When something does not hold, the batch is written to a file and the command that runs it again is printed. What
// fails again by itself is cut down first.
//
// Without -time the test runs for two seconds, as a unit test.
package soak
