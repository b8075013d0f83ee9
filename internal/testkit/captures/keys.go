package captures

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// secret is what is known of the peers of some captures: the passwords of throw-away accounts, and a keytab.
type secret struct {
	capture   string // its name, or the beginning of the names of several
	passwords []string
	keytab    string // below the folder of the collection
}

const wiki = "public/wireshark-wiki-samples/"

// secrets are those that the README of the collection lists. The first that fits a capture is the one.
var secrets = []secret{
	{wiki + "ntlmssp__create_two_tasks", []string{"clem"}, ""},
	{wiki + "ntlmssp__ntlm_rpc", []string{"admin"}, ""},
	{wiki + "win2k19-joined", nil, wiki + "acme.keytab"},
	{"public/scapy/dcerpc_privacy_ntlm", []string{"Password123!"}, ""},
	{"public/scapy/dcerpc_privacy_krb", nil, "public/scapy/dcerpc_privacy_krb.keytab"},
	{"samba/samba-raw_protocol", []string{"Passw0rd!23"}, "samba/cap-test.keytab"},
	{goldenFolder, []string{GoldenPassword}, ""},
	{"samba/", []string{"Al1ce-Passw0rd!", "Adm1n-Passw0rd!", "M@chine-Passw0rd-1"}, "samba/lab-test.all.keytab"},
}

// Keys are the secrets that are known of the peers of a capture. They fit [secctx.NewHandshake].
type Keys struct {
	hashes  [][16]byte
	service *krb5.Service
}

var _ secctx.Keys = (*Keys)(nil)

// NTHashes returns the hashes of all passwords that are known: a client's proof says which one is its own.
func (k *Keys) NTHashes(_, _ string) [][16]byte { return k.hashes }

// Kerberos returns the keys of servers, nil for none.
func (k *Keys) Kerberos() *krb5.Service { return k.service }

// Keys returns what is known of the capture's peers: nothing of most.
func (f File) Keys(t testing.TB) *Keys {
	t.Helper()
	for _, s := range secrets {
		if strings.HasPrefix(f.Name, s.capture) {
			return s.keys(t)
		}
	}
	return &Keys{}
}

func (s secret) keys(t testing.TB) *Keys {
	t.Helper()
	k := &Keys{}
	for _, password := range s.passwords {
		k.hashes = append(k.hashes, ntlm.NTHash(password))
	}
	if s.keytab != "" {
		k.service = Keytab(t, s.keytab).Service("")
	}
	return k
}

// Keytab reads a keytab of the collection, whose name is its path below the folder.
func Keytab(t testing.TB, name string) *krb5.Keytab {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Folder(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	keytab, err := krb5.ParseKeytab(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return keytab
}
