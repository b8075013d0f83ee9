package client

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// Who is in the path can change the flags of a CHALLENGE, and takes the timestamp
// out of it so that there is no MIC. With keys of 40 bits it could read what is
// sealed.
func TestServerThatTakesShortKeysIsRefusedWhereTheyProtect(t *testing.T) {
	const flagsAt = 20
	for _, level := range []rpcparse.AuthLevel{rpcparse.LevelConnect, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
		for _, without := range []ntlm.Flags{0, ntlm.Flag128, ntlm.Flag128 | ntlm.Flag56} {
			s := &Security{Level: level, Domain: "LAB", User: "alice", Password: "Secret.123"}
			m, _ := s.mechanism()
			negotiate, err := m.first()
			if err != nil {
				t.Fatal(err)
			}
			server := ntlm.Acceptor{Domain: "LAB", Computer: "DC1"}
			challenge, err := server.Challenge(negotiate)
			if err != nil {
				t.Fatal(err)
			}
			flags := binary.LittleEndian.Uint32(challenge[flagsAt:])
			binary.LittleEndian.PutUint32(challenge[flagsAt:], flags&^uint32(without))
			_, _, _, err = m.last(challenge)
			if bad := s.protects() && without != 0; errors.Is(err, ErrProtocol) != bad || !bad && err != nil {
				t.Errorf("%v without %#x: %v", level, without, err)
			}
		}
	}
}
