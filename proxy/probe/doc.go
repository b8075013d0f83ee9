// Package probe asks a domain controller, as a client would, whether its NSPI
// server serves: "nspiproxy probe", and the active health check.
//
//	epm_connect   TCP to the endpoint mapper       \ not where the port
//	ept_map       which port has NSPI?             / of NSPI is given
//	nspi_connect  TCP to that port
//	ticket        Kerberos: from the KDC
//	rpc_bind      RPC bind with the security context
//	nspi_bind     NspiBind: a session
//	query         NspiUpdateStat: how many entries has the address book?
//	nspi_unbind   NspiUnbind: no session
//
// Each step has its own file or function in run.go, its time in the [Report],
// and its failure ends the probe; but what nspi_bind opened, nspi_unbind closes,
// whatever the query did and also when the probe is told to stop in between. A
// session has three ends:
//
//   - NspiUnbind on its connection;
//   - NspiUnbind on a second connection of the same association, if the query was
//     not answered: the first may be in the midst of a PDU, or still wait. It
//     stays open for so long, because the session ends with the association;
//   - the end of the last connection, with which the domain controller runs the
//     session down (MS-RPCE 3.3.3.7.1). That is what happens when the process is
//     killed, or the answer to NspiBind never came.
//
// RPC and its security are those of packages client and client/kerberos, which
// are made for hostile servers: [Run] ends in time, holds no more than some
// hundred kilobytes, and leaves no goroutine behind. NDR64 is not offered.
package probe
