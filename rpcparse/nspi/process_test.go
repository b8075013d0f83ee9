package nspi

import "testing"

func TestProcessNamesEachInterfaceOnceAndNotNSPI(t *testing.T) {
	seen := map[string]bool{Interface.UUID.String(): true}
	for _, i := range Process {
		if seen[i.Syntax.UUID.String()] || i.Name == "" || i.Source == "" {
			t.Errorf("%+v", i)
		}
		seen[i.Syntax.UUID.String()] = true
		if got, ok := InProcess(i.Syntax.UUID); !ok || got.Name != i.Name {
			t.Errorf("%s is found as %+v", i.Name, got)
		}
	}
	if _, ok := InProcess(Interface.UUID); ok {
		t.Error("NSPI is one of the others")
	}
}
