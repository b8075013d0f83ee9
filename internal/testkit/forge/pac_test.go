package forge

import (
	"bytes"
	"slices"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// TestPACIsVerifiedWithTheKeyThatSignedIt: of every type of key, and after a change, and with no other key.
func TestPACIsVerifiedWithTheKeyThatSignedIt(t *testing.T) {
	const sid = "S-1-5-21-1-2-3-1105"
	for etype, size := range map[int32]int{17: 16, 18: 32, 23: 16} {
		key := types.EncryptionKey{KeyType: etype, KeyValue: slices.Repeat([]byte{9}, size)}
		pac := PAC(key, "alice", sid)
		changed := Signed(key, append(Buffers(pac), Buffer{Kind: 99, Data: []byte("unknown")})...)
		for name, b := range map[string][]byte{"made": pac, "signed again": changed} {
			got, err := krb5.ParsePAC(b, krb5.Key{Etype: etype, Value: key.KeyValue})
			if err != nil || got.SID != sid {
				t.Errorf("type %d, %s: %v, %v", etype, name, got, err)
			}
			if _, err := krb5.ParsePAC(b, krb5.Key{Etype: etype, Value: bytes.Repeat([]byte{8}, size)}); err == nil {
				t.Errorf("type %d, %s: another key verifies it", etype, name)
			}
		}
		if again := Unsigned(Buffers(pac)...); !bytes.Equal(again, pac) {
			t.Errorf("type %d: taken apart and put together it is another", etype)
		}
	}
}
