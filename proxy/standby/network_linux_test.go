package standby

import (
	"net/netip"
	"slices"
	"testing"
)

func TestThisMachineIsLinkedWithItself(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	if list, err := Addresses(); err != nil || !slices.Contains(list, loopback) {
		t.Fatalf("the addresses are %v: %v", list, err)
	}
	if !Linked(loopback) {
		t.Error("nothing reaches 127.0.0.1")
	}
}

func TestChangesAreToldUntilTheEnd(t *testing.T) {
	if _, err := Changes(t.Context()); err != nil {
		t.Fatal(err)
	}
}
