// Package report turns the events of package inspect into log records, sums and
// metrics.
//
//	inspect.Event ──Reporter.Report──▶ metrics.count      at once, on the loop
//	                     │
//	                     └─▶ entryOf ──▶ ledger.add        the same: a record, and what bounds it
//	                                        │
//	                                        └─▶ recorder   writes what is ready, on a goroutine of its own
//
// No record comes to the log but as an entry, which has a key: the first record with a
// key is written at once, some kinds have a few more, and further ones are summed for a
// minute. Each kind has a share of lines and of keys (ledger.go), so that nothing that a
// peer can vary makes the log or the memory grow, and no kind takes anything from
// another, nor one network of clients all of a kind (network.go). Findings are written once. A log that takes no records holds up the recorder alone.
//
// Every text from the network is cut when its record is made, and escaped by the
// writer. No label of a metric holds a user, a client or any other text from the
// network.
//
//	entries.go    how each event is bounded: begin here to add one
//	limit.go      event 2820, and refusals by the domain controller
//	connection.go ends of connections, and why
//	controller.go domain controllers, listeners
//	program.go    the program's own means, machine and files
//	notes.go      findings that are written once
package report
