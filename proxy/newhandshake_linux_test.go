package proxy

import (
	"testing"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/policy"
)

// TestContextsAreFollowedFromTheirFirstTokenWhereThereAreKeys: a client whose
// first ticket does not open may try again with one that does, long after the
// outcome of the first was reported.
func TestContextsAreFollowedFromTheirFirstTokenWhereThereAreKeys(t *testing.T) {
	for name, paths := range map[string][]policy.File{
		"keys":    {policy.File(keytabOf(t, map[string]string{alice: alicePassword}))},
		"no keys": nil,
	} {
		r, err := newKeyring(paths, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		i := &inspector{server: &Server{keys: r}}
		i.newHandshake(nil)
		if i.keyed != (len(paths) > 0) {
			t.Errorf("%s: PDUs are looked at: %t", name, i.keyed)
		}
	}
}
