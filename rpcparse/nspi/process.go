package nspi

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// ProcessInterface is an interface that a domain controller serves in the same
// process as NSPI.
type ProcessInterface struct {
	Syntax wire.SyntaxID
	Name   string
	Source string // the section that defines it and says where it listens
	// DCOnly says that no other machine registers it: who names it is a domain
	// controller.
	DCOnly bool
}

// Process are the interfaces that Windows domain controllers serve in lsass.exe, as
// they do NSPI, and over TCP. All interfaces of a process can be called on all of its
// endpoints, whatever the endpoint mapper says of each (Windows RPC documentation, "Be
// Wary of Other RPC Endpoints Running in the Same Process"), so NSPI can be bound where
// any of these is. Samba serves all of them, and NSPI, in one process as well.
//
// Interfaces of lsass.exe without a public specification (KeyIso, Ngc, RemoteAccessCheck)
// are registered on the endpoints of these. Not in it are the endpoint mapper (RpcSs), the
// event log, DFS, DNS and the spooler. EFSRPC (MS-EFSR) and BackupKey (MS-BKRP) have named
// pipes only, and moved between processes with versions of Windows.
var Process = []ProcessInterface{
	{Syntax: syntax("e3514235-4b06-11d1-ab04-00c04fc2dcd2", 4), Name: "drsuapi", Source: "MS-DRSR 1.9, 2.1", DCOnly: true},
	{Syntax: syntax("12345678-1234-abcd-ef00-01234567cffb", 1), Name: "netlogon", Source: "MS-NRPC 1.9, 2.1"},
	{Syntax: syntax("12345778-1234-abcd-ef00-0123456789ac", 1), Name: "samr", Source: "MS-SAMR 1.9, 2.1"},
	{Syntax: syntax("12345778-1234-abcd-ef00-0123456789ab", 0), Name: "lsarpc", Source: "MS-LSAD 1.9, 2.1; MS-LSAT 1.9, 2.1"},
	{Syntax: syntax("1544f5e0-613c-11d1-93df-00c04fd7bd09", 1), Name: "rfri", Source: "MS-OXABREF 1.9, 2.1", DCOnly: true},
	{Syntax: syntax("7c44d7d4-31d5-424c-bd5e-2b3e1f323d22", 1), Name: "dsaop", Source: "MS-DRSR 1.9, 2.1", DCOnly: true},
	{Syntax: syntax("3919286a-b10c-11d0-9ba8-00c04fd92ef5", 0), Name: "dssetup", Source: "MS-DSSP 1.9; over TCP by Samba"},
}

func syntax(uuid string, version uint32) wire.SyntaxID {
	return wire.SyntaxID{UUID: wire.MustUUID(uuid), Version: version}
}

// InProcess returns the interface of [Process] that has this UUID.
func InProcess(uuid wire.UUID) (i ProcessInterface, ok bool) {
	for _, i := range Process {
		if i.Syntax.UUID == uuid {
			return i, true
		}
	}
	return ProcessInterface{}, false
}
