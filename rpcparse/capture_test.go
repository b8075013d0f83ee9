package rpcparse_test

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Where a recorded conversation is cut, the rest is followed: an error is only
// one that the whole conversation gives at the same PDU.
func TestGoldenConversationsMayBeginAnywhere(t *testing.T) {
	for c := range captures.Golden(t) {
		beginAnywhere(t, &c)
	}
}

func TestCapturedConversationsMayBeginAnywhere(t *testing.T) {
	for c := range captures.All(t) {
		if c.Whole() {
			beginAnywhere(t, &c)
		}
	}
}

func beginAnywhere(t *testing.T, c *captures.Conversation) {
	known := map[int]bool{}
	follow(c.PDUs, rpcparse.ConversationOptions{FollowAll: true}, func(frame int, _ error) { known[frame] = true })
	for cut := range c.PDUs {
		for _, followAll := range []bool{true, false} {
			follow(c.PDUs[cut:], rpcparse.ConversationOptions{FollowAll: followAll, MidStream: true}, func(frame int, err error) {
				if !known[frame] {
					t.Errorf("%s from frame %d on, frame %d: %v", c.Name, c.PDUs[cut].Frame, frame, err)
				}
			})
		}
	}
}

// follow feeds PDUs to a new conversation and reports its errors.
func follow(pdus []*capture.PDU, opts rpcparse.ConversationOptions, failed func(frame int, err error)) {
	conv := rpcparse.NewConversation(opts)
	for _, p := range pdus {
		var parsed rpcparse.PDU
		parsed.Parse(p.Header, p.Bytes)
		if _, err := conv.Follow(p.Dir, &parsed, nil); err != nil {
			failed(p.Frame, err)
		}
	}
}
