package lab

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
)

// Audit is what Samba says of one authentication or authorisation: the truth about who a client is.
type Audit struct {
	Kind   string // "Authentication" of NTLM with a name and a password; "Authorization" of a client that has a user now
	Remote netip.AddrPort
	Status string // Authentication

	ClientDomain, ClientAccount string // Authentication: as the client wrote it
	Domain, Account, SID        string // what the domain controller made of it
	AuthType                    string // Authorization: krb5, NTLMSSP, ncacn_ip_tcp for anonymous
}

// Anonymous is the SID of a client without a user.
const Anonymous = "S-1-5-7"

// auditLine is how Samba writes it (source4/auth, auth_json_audit).
type auditLine struct {
	Type           string `json:"type"`
	Authentication struct {
		RemoteAddress string `json:"remoteAddress"`
		Status        string `json:"status"`
		ClientDomain  string `json:"clientDomain"`
		ClientAccount string `json:"clientAccount"`
		BecameDomain  string `json:"becameDomain"`
		BecameAccount string `json:"becameAccount"`
		BecameSid     string `json:"becameSid"`
	}
	Authorization struct {
		RemoteAddress string `json:"remoteAddress"`
		AuthType      string `json:"authType"`
		Domain        string `json:"domain"`
		Account       string `json:"account"`
		Sid           string `json:"sid"`
	}
}

// Audit returns what the domain controller has said so far of a client's connections from remote.
func (s *Samba) Audit(t testing.TB, remote netip.AddrPort) (all []Audit) {
	t.Helper()
	for _, line := range s.Out.All() {
		at := strings.Index(line, `{"timestamp"`)
		if at < 0 {
			continue
		}
		var l auditLine
		if json.Unmarshal([]byte(line[at:]), &l) != nil {
			continue
		}
		if a := l.audit(); a.Remote == remote {
			all = append(all, a)
		}
	}
	return all
}

func (l *auditLine) audit() Audit {
	if l.Type == "Authentication" {
		n := &l.Authentication
		return Audit{
			Kind: l.Type, Remote: auditAddress(n.RemoteAddress), Status: n.Status, ClientDomain: n.ClientDomain, ClientAccount: n.ClientAccount,
			Domain: n.BecameDomain, Account: n.BecameAccount, SID: n.BecameSid,
		}
	}
	n := &l.Authorization
	return Audit{Kind: l.Type, Remote: auditAddress(n.RemoteAddress), AuthType: n.AuthType, Domain: n.Domain, Account: n.Account, SID: n.Sid}
}

// auditAddress reads "ipv4:ADDRESS:PORT".
func auditAddress(s string) netip.AddrPort {
	_, address, _ := strings.Cut(s, ":")
	a, _ := netip.ParseAddrPort(address)
	return a
}
