// Package rfri reads and writes the stubs of the referral interface, RFRI
// (MS-OXABREF), by which clients ask which NSPI server to use.
//
// Both of its methods answer with the name of a server, so both answers are one
// type here, and a proxy that wants clients to stay replaces that name and
// nothing else:
//
//	a, err := rfri.ParseAnswer(opnum, stub, syntax, order)
//	...
//	a.Server.Rename("gc-proxy.corp.example")
//	stub, err = rfri.AppendAnswer(nil, a, syntax, order)
//
// A stub is what one call carries in all its fragments together. Words are
// counts and referent ids, of 4 bytes in NDR and 8 in NDR64, and aligned to their
// size:
//
//	string                  word max, word 0, word actual, characters with the NUL
//	name                    word referent of the string's pointer, string if not NULL
//	nested name             word referent of the name's pointer, name if not NULL
//
//	RfrGetNewDSA            request: flags u32, string user DN, nested names unused and server
//	                        response: nested names unused and server, return value u32
//	RfrGetFQDNFromServerDN  request: flags u32, size u32, string server DN with max = size
//	                        response: name server, return value u32
//
// Padding is not kept: it is written as zeros, whatever it was. Everything else
// comes back as it was read. Strings are bytes, meant to be ASCII; who prints
// them escapes them. A stub that ends too early is an error of class
// [wire.ClassShort], one over a limit of [wire.ClassLimit], anything else of
// [wire.ClassInvalid].
package rfri
