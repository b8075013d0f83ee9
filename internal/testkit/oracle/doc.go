// Package oracle compares what "nspiproxy decode" says about a capture with
// what tshark says, field by field. It is for tests: those beside the command
// compare with stored tables, those in the lab with tshark itself.
//
//	table, err := oracle.ReadTable(file) // tshark -T fields -E header=y -E occurrence=a -E aggregator=,
//	rows, err := oracle.ReadRows(output) // nspiproxy decode --format json
//	report := oracle.Compare("samba/x.pcap", table, rows)
//
// A table has a line for each frame that ends a PDU, and in each cell what all
// PDUs of that frame have of a field. Rows are put together in the same way, and
// every cell must be equal, except for those in [KnownDifferences].
//
// The captures are no part of the repository: package captures finds them.
package oracle
