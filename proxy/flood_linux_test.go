package proxy

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// TestClientThatNamesUnknownAssociationsMakesNoNoise, however often it connects; the refusal of another user is in the log.
func TestClientThatNamesUnknownAssociationsMakesNoNoise(t *testing.T) {
	s := newStage(t, nil)
	c := s.dial(as(rpcparse.LevelConnect))
	fill(t, c)
	const binds = 2000
	for n := range binds {
		if bad, err := client.Dial(s.address, client.Options{Group: 0x9999}); err == nil {
			bad.Close()
			t.Fatal("an unknown association was joined")
		}
		if n == binds/2 {
			_, _ = c.NspiBind()
		}
	}
	s.eventually("the refusal is in the log", func() bool { return len(s.log.events("limit.reject")) == 1 })
	if n := len(s.log.events("association.refused")); n == 0 || n > 20 {
		t.Errorf("%d records of %d binds", n, binds)
	}
}
