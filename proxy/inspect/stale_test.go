package inspect

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// ofAnotherPassword returns a keytab with other keys and versions of them (MIT
// keytab format, version 2). A key of another version that opens a ticket is used.
func ofAnotherPassword(file []byte) []byte {
	be := binary.BigEndian
	out := append([]byte(nil), file...)
	for rest := out[2:]; len(rest) > 4; {
		size := int(int32(be.Uint32(rest)))
		if size < 0 { // a hole
			rest = rest[4-size:]
			continue
		}
		entry := rest[4 : 4+size]
		rest = rest[4+size:]
		at := 2
		for range 1 + be.Uint16(entry) { // realm and components
			at += 2 + int(be.Uint16(entry[at:]))
		}
		at += 8 // type of the name, time
		version := uint32(entry[at]) + 100
		entry[at] = byte(version)
		at += 5
		entry[at] ^= 1
		at += int(be.Uint16(entry[at-2:]))
		if len(entry) >= at+4 {
			be.PutUint32(entry[at:], version)
		}
	}
	return out
}

// ticketKeys are the keys of services alone.
type ticketKeys struct {
	passwordKeys
	service *krb5.Service
}

func (k ticketKeys) Kerberos() *krb5.Service { return k.service }

// The password of the domain controller's account has changed since the keytab was
// made: that is distinguished from a wrong key, and the connection passes as without
// keys.
func TestStaleKeytabIsToldApart(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(captures.Folder(t), "samba", "lab-test.all.keytab"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file []byte
		want secctx.Result
	}{
		"current": {file, secctx.KeyFound},
		"stale":   {ofAnotherPassword(file), secctx.WrongVersion},
	} {
		t.Run(name, func(t *testing.T) {
			keytab, err := krb5.ParseKeytab(tc.file)
			if err != nil {
				t.Fatal(err)
			}
			r := newReplay(t, policy.Unlimited, ticketKeys{service: keytab.Service("")})
			r.run(captures.Named(t, "samba/nspi_krb_seal_krb5.pcap"))
			outcomes := eventsOf[KeyOutcome](r.events)
			if len(outcomes) != 1 || outcomes[0].Outcome.Result != tc.want || (tc.want == secctx.WrongVersion) != (outcomes[0].Outcome.Detail != "") {
				t.Errorf("reported %+v, want %v", outcomes, tc.want)
			}
			for _, c := range r.order {
				c.wantAllForwarded("sealed")
			}
			n := r.table.Count()
			if n.Binds != 1 || (n.Opaque == 0) != (tc.want == secctx.KeyFound) && n.Sessions > 0 {
				t.Errorf("%+v", n)
			}
			for _, u := range r.table.Users() {
				if verified := u.User.SID != ""; verified != (tc.want == secctx.KeyFound) {
					t.Errorf("charged to %+v", u.User)
				}
			}
		})
	}
}
