package transparent

import "testing"

func TestTableOfAPlanIsReadFromItsText(t *testing.T) {
	for _, c := range configurations {
		if c.name == "forward" {
			continue
		}
		got := plan(t, c.listeners, c.settings).table()
		if len(got.sets) == 0 || len(got.chains) == 0 {
			t.Errorf("%s: %+v", c.name, got)
		}
		bases := 0
		for name, chain := range got.chains {
			if chain.rules == 0 {
				t.Errorf("%s: chain %s has no rules", c.name, name)
			}
			if chain.base {
				bases++
			}
		}
		if bases == 0 {
			t.Errorf("%s: no chain is at a hook", c.name)
		}
	}
}
