package soak

import (
	"fmt"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/internal/testkit/mutate"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// mostPDUs is how many PDUs of a capture's conversation are taken: what follows is more of the same.
const mostPDUs = 60

// seedsOf are the golden conversations, and those of the collection where it is there.
func seedsOf(t *testing.T) (all mutate.Seeds) {
	for c := range captures.Golden(t) {
		all = append(all, seedOf(&c))
	}
	golden := len(all)
	t.Run("collection", func(t *testing.T) { // skips without it
		for c := range captures.All(t) {
			all = append(all, seedOf(&c))
		}
	})
	t.Logf("%d golden conversations, %d of the collection", golden, len(all)-golden)
	return all
}

func seedOf(c *captures.Conversation) mutate.Conversation {
	m := mutate.Conversation{Name: fmt.Sprintf("%s stream %d", c.Name, c.Stream)}
	for _, p := range c.PDUs[:min(len(c.PDUs), mostPDUs)] {
		side := mutate.Client
		if p.Dir == rpcparse.ServerToClient {
			side = mutate.Server
		}
		m.Steps = append(m.Steps, mutate.Step{Side: side, Do: mutate.Write, Data: p.Bytes})
	}
	return m
}
