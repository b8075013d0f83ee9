// Package nspi reads and writes the stubs of the two NSPI calls that open and
// close a session, NspiBind and NspiUnbind (MS-NSPI 3.1.4.1 and 3.1.4.2), and
// names the rest of the interface. Every other call is forwarded by its length
// and has no decoder here: one generic decoder was seen to allocate gigabytes
// from 146 bytes.
//
// A stub is what one call carries in all its fragments together, without the
// padding in front of a security trailer. The layouts are few and fixed:
//
//	                      NDR         NDR64
//	NspiBind request      60 or 44    64 or 48    the smaller one without a server GUID
//	NspiBind response     44 or 28    48 or 32    "
//	NspiUnbind request    24          24
//	NspiUnbind response   24          24
//
// A request may be followed by a verification trailer (MS-RPCE 2.2.2.13), which
// is checked for its form and otherwise left alone. Every other length is an
// error of class [wire.ClassInvalid], never short: a stub is complete when it
// comes here, so more bytes cannot help.
//
// Parsers neither allocate nor keep a reference to their input. Integers are in
// the byte order of the PDU; NDR64 exists in little-endian only (MS-RPCE 2.2.5).
// Flat UIDs are byte arrays and never swap.
//
// Values that real clients leave uninitialised (STAT, the GUID of a request,
// reserved words) are carried, never validated.
package nspi
