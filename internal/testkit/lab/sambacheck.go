package lab

import (
	"net/netip"
	"slices"
	"testing"
)

// SealedLogins seal with both mechanisms, raw and negotiated.
var SealedLogins = []SambaLogin{
	{Auth: "kerberos", Level: "privacy", User: Alice},
	{Auth: "kerberos", SPNEGO: true, Level: "privacy", User: Bob},
	{Auth: "ntlm", Level: "privacy", User: Alice},
	{Auth: "ntlm", SPNEGO: true, Level: "privacy", User: Bob},
}

// CheckSealedSession opens a session and holds what the domain controller knows about it to what is true.
func CheckSealedSession(t *testing.T, samba *Samba, client *SambaClient, l SambaLogin, from netip.Addr) {
	t.Helper()
	Expect(t, "connect", client.Connect("c", l))
	handle := Expect(t, "bind", client.Bind("c")).Handle
	Expect(t, "echoes", client.Echo("c", 1, 1_000, 30_000))
	status := samba.Status(t)
	if status.Users[samba.SID(t, l.User.Name)] != 1 || len(status.Peers) != 1 || status.Peers[0].Addr() != from {
		t.Errorf("%s with %s from %s: the domain controller has %+v", l.User.Name, l.Auth, from, status)
	} else if flows := samba.Machine().Flows(t); !slices.ContainsFunc(flows, func(f Flow) bool { return f.Peer == status.Peers[0] }) {
		t.Errorf("its kernel has no connection from %s: %v", status.Peers[0], flows)
	}
	Expect(t, "unbind", client.Unbind("c", handle))
	Expect(t, "close", client.Close("c"))
	Eventually(t, SettleTime, "the session has ended", func() bool { return samba.Status(t).Sessions == 0 })
}
