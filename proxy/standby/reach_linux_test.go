package standby

import (
	"slices"
	"testing"
)

func TestThisMachineIsLinkedWithItself(t *testing.T) {
	for _, addr := range addrs("127.0.0.1 ::1") {
		if has, err := Addresses(); err == nil && slices.Contains(has, addr) && !Linked(addr) {
			t.Errorf("nothing reaches %v", addr)
		}
	}
}
