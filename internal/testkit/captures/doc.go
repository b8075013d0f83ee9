// Package captures opens the collection of captures that tests read: those of real clients and servers, which are no
// part of this repository (see [Folder]).
//
//	for c := range captures.All(t) { // every TCP connection with DCE/RPC on it, with the keys that are known
//		for _, p := range c.PDUs { // *capture.PDU: p.Dir, p.Header, p.Bytes
//			...
//		}
//	}
//
// [Golden] yields the golden conversations of this repository in the same form.
//
// A test that needs the collection skips, and says so, where it is absent. The files are read in place and are never
// copied.
package captures
