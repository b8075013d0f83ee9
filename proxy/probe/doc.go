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
//   - NspiUnbind on a second connection of the same association, if the query
//     failed: go-msrpc gives a connection up with the first call that fails on
//     it. The first connection stays open for so long, because the session ends
//     with the association;
//   - the end of the last connection, with which the domain controller runs the
//     session down (MS-RPCE 3.3.3.7.1). That is what happens when the process is
//     killed, or the answer to NspiBind never came.
//
// # Two processes
//
// RPC and its security are go-msrpc's (NTLM, Kerberos, SPNEGO), which panics, or
// allocates without bound, on some input. So it is kept in three cells:
//
//   - guard.go: every byte from the domain controller is framed, checked and
//     counted before go-msrpc sees it, kdc.go does so for the KDC, and stubs are
//     decoded by package nspi and package tower, never by go-msrpc;
//   - isolate.go: a panic in a call is the error of that call;
//   - child.go: all of it runs in a process of its own, which has a limit on its
//     memory (Linux) and ends with its parent. [Child] starts one per probe. What
//     kills it is the result of that probe and nothing else.
//
// [Run] is the probe itself, in this process. It leaves goroutines of libraries
// behind, so it is for processes that end soon after.
//
// # What go-msrpc v1.5.2 cannot do
//
//   - NTLM always asks for signing, at level connect too. A Samba server answers
//     calls on such connections with the fault "other" (1).
//   - NTLM at level privacy does not compare signatures: an altered answer of the
//     right length goes unnoticed. The report is no proof against an attacker in
//     the path.
//   - Kerberos with keys of type 19 and 20 (AES with SHA-2).
//   - A server that answers in big-endian or NDR64 is not understood. NDR64 is not
//     offered, and no domain controller is known to be big-endian.
package probe
