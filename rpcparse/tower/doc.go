// Package tower finds and changes the ports and addresses that an endpoint mapper
// hands out.
//
// A client that looks for an interface asks the endpoint mapper on TCP 135
// (ept_map, or ept_lookup for a list) and gets towers: lists of protocol layers,
// called floors, that end in a port and an address. Windows clients connect to the
// host they asked, on the port of the tower; others take the address of the tower
// too, as a complete binding (C706 appendix L). So a proxy changes both and nothing
// else. It never decodes and re-encodes an answer, which would change referent ids,
// maximum counts and padding; it walks the answer once and overwrites up to six
// bytes per tower:
//
//	answer, err := tower.WalkMapResponse(stub, syntax, order)
//	...
//	for e := range tower.Endpoints(stub, answer.Towers) {
//		if e.Interface == nspi.Interface {
//			err = tower.PatchPort(stub, e.Tower, listeningPort)
//			err = tower.PatchAddress(stub, e.Tower, listeningAddress)
//		}
//	}
//
// There are two layers, one per group of files. tower.go, floor.go and build.go
// know tower octets (C706 appendix L and I), which look the same in every PDU.
// The others know the NDR and NDR64 around them in either byte order: one file
// per direction of a call, a cursor that checks every bound (reader.go, on
// package ndr), and the changing of ports and addresses (endpoint.go, patch.go).
//
// Nothing here keeps a reference to its input except where a field says so.
// Every count is compared with its cap and with the bytes that are there before
// anything is allocated or looped over. A walk that runs out of bytes fails with
// [wire.ClassShort], so that a caller with the first fragments of an answer may
// wait for more; what more bytes cannot mend is [wire.ClassInvalid], and
// [wire.ClassLimit] what is over a cap. Tower octets are complete by definition
// and never short.
package tower
