package lab

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// Variant is one manner in which Impacket can bind.
type Variant struct {
	Name  string
	Login Login
	// sealed: requests are signed or sealed with keys that the proxy does not have. A refusal is a fault then, and
	// the request that it swallowed leaves a gap in the sequence numbers: that security context is over, and the
	// client goes on with a new one on the same connection.
	Sealed bool
}

// Variants are all of them: cleartext and NDR64, NTLM and SPNEGO at each level.
var Variants = []Variant{
	{"cleartext", Login{}, false},
	{"cleartext in NDR64", Login{Syntax: "ndr64"}, false},
	{"NTLM connect", Login{Auth: "ntlm", Level: "connect"}, false},
	{"NTLM integrity", Login{Auth: "ntlm", Level: "integrity"}, true},
	{"NTLM privacy", Login{Auth: "ntlm", Level: "privacy"}, true},
	{"SPNEGO connect", Login{Auth: "spnego-ntlm", Level: "connect"}, false},
	{"SPNEGO integrity", Login{Auth: "spnego-ntlm", Level: "integrity"}, true},
	{"SPNEGO privacy", Login{Auth: "spnego-ntlm", Level: "privacy"}, true},
	{"SPNEGO privacy in NDR64", Login{Auth: "spnego-ntlm", Level: "privacy", Syntax: "ndr64"}, true},
}

// At completes the login: to this address, as alice if it authenticates at all.
func (w Variant) At(address string) Login {
	l := w.Login
	l.Address = address
	if l.Auth != "" {
		l.Domain, l.User, l.Password = Domain, Alice.Name, Alice.Password
	}
	return l
}

// CheckRefused checks that a is what this client must see of a bind above the limit.
func (w Variant) CheckRefused(t *testing.T, a Answer) {
	t.Helper()
	want := Answer{Kind: KindStatus, Status: uint32(nspi.LogonFailed)}
	if w.Sealed {
		want = Answer{Kind: KindFault, Status: rpcparse.StatusAccessDenied}
	}
	if a.OK || a.Kind != want.Kind || a.Status != want.Status {
		t.Fatalf("bind above the limit: %+v, want %s 0x%X", a, want.Kind, want.Status)
	}
}
