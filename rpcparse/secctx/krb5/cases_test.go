package krb5_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// TestTicketsThatSambaAcceptedNameTheirUser opens AP-REQs that a domain controller has accepted, of clients that are
// unusual, with its key.
func TestTicketsThatSambaAcceptedNameTheirUser(t *testing.T) {
	folder := filepath.Join(captures.Folder(t), "..", "cases", "kerberos-identity-lost")
	data, err := os.ReadFile(filepath.Join(folder, "dc1.keytab"))
	if err != nil {
		t.Skip("the cases are not there: ", err)
	}
	kt, err := krb5.ParseKeytab(data)
	if err != nil {
		t.Fatal(err)
	}
	const domain = "S-1-5-21-3678121086-2943744610-253927431-"
	for file, sid := range map[string]string{
		"control": domain + "1103", "subkey-des3": domain + "1103", "subkey-etype99": domain + "1103", "authenticator-ad210": domain + "1103",
		"length-84": domain + "1103", "tail-4": domain + "1103", "ticket-ad210": domain + "1103", "rodc-id-zeroed": domain + "1103",
		"home600": domain + "1115",
	} {
		request, err := os.ReadFile(filepath.Join(folder, file+".apreq"))
		if err != nil {
			t.Fatal(err)
		}
		in, o := krb5.OpenAPReq(request, kt.Service("dc1.lab.test"))
		if in == nil || in.PAC == nil || in.PAC.SID != sid {
			t.Errorf("%s: %s; %v", file, o, in)
		}
	}
}
