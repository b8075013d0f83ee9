// Package report turns the events of package inspect into log records, sums and
// metrics.
//
//	inspect.Event ──Reporter.Report──▶ metrics.count          at once, on the loop
//	                     │
//	                     └─▶ queue ──▶ recorder.write          on a goroutine of its own
//	                                     ├── limit.go          event 2820, summed per user and minute
//	                                     ├── connection.go     ends of connections, summed per reason and minute
//	                                     ├── notes.go          findings that are written once
//	                                     └── controller.go     domain controllers, listeners, the program itself
//
// A log that does not take records never blocks a loop: what does not fit into
// the queue is counted and lost. Every string from the network passes clip and
// the escaping of the writer. No label of a metric holds a user, a client or any
// other text from the network.
package report
