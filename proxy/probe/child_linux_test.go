//go:build linux && !race

package probe_test

import (
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// TestChildrenHaveALimitOfMemory: one that is made to allocate a gigabyte ends
// before it has it. The race detector's memory is beyond any limit.
func TestChildrenHaveALimitOfMemory(t *testing.T) {
	dc := start(t, simdc.Config{AnonymousBind: true})
	r := child(t, t.Context(), roleHog, at(dc))
	if r.Outcome != probe.OutcomeFailed || !strings.Contains(r.Err, "out of memory") {
		t.Errorf("%s: %q", r.Outcome, r.Err)
	}
}
