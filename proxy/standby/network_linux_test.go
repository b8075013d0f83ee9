package standby

import "testing"

func TestChangesAreToldUntilTheEnd(t *testing.T) {
	if _, err := Changes(t.Context()); err != nil {
		t.Fatal(err)
	}
}
