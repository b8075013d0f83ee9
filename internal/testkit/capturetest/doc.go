// Package capturetest makes captures for tests, by hand: it shares no code with
// what reads them.
//
//	c := capturetest.NewTalk()
//	file := capturetest.Pcap(capturetest.LinkEthernet, c.SYN(), c.SYNACK(), c.Client(capturetest.Request(1, 7, 40)))
//
// [Scenarios] are captures with what a reader must find in them. The tests of
// package capture hold the reader against it, the lab tests tshark as well.
package capturetest
