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
	// Sealed: requests are signed or sealed with keys that the proxy does not have. A refusal is a fault then, and
	// the request that it swallowed leaves a gap in the sequence numbers: that security context is over, and the
	// client goes on with a new one on the same connection.
	Sealed bool
}

// What clients use: cleartext, or NTLM at a level, bare or negotiated by SPNEGO.
var (
	Cleartext          = Variant{"cleartext", Login{}, false}
	CleartextNDR64     = Variant{"cleartext in NDR64", Login{Syntax: "ndr64"}, false}
	NTLMConnect        = Variant{"NTLM connect", Login{Auth: "ntlm", Level: "connect"}, false}
	NTLMIntegrity      = Variant{"NTLM integrity", Login{Auth: "ntlm", Level: "integrity"}, true}
	NTLMPrivacy        = Variant{"NTLM privacy", Login{Auth: "ntlm", Level: "privacy"}, true}
	SPNEGOConnect      = Variant{"SPNEGO connect", Login{Auth: "spnego-ntlm", Level: "connect"}, false}
	SPNEGOIntegrity    = Variant{"SPNEGO integrity", Login{Auth: "spnego-ntlm", Level: "integrity"}, true}
	SPNEGOPrivacy      = Variant{"SPNEGO privacy", Login{Auth: "spnego-ntlm", Level: "privacy"}, true}
	SPNEGOPrivacyNDR64 = Variant{"SPNEGO privacy in NDR64", Login{Auth: "spnego-ntlm", Level: "privacy", Syntax: "ndr64"}, true}
)

// Variants are all of them.
var Variants = []Variant{
	Cleartext, CleartextNDR64, NTLMConnect, NTLMIntegrity, NTLMPrivacy,
	SPNEGOConnect, SPNEGOIntegrity, SPNEGOPrivacy, SPNEGOPrivacyNDR64,
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
