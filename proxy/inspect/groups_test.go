package inspect

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Whatever ids domain controllers give, a name leads to the domain controller
// and the id that it was made for, as long as it has a connection.
func TestAssociationNamesNeverCollide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := NewGroupNames()
		dcs := []string{"dc1", "dc2", "dc3"}
		type held struct {
			name *groupName
			dc   string
			id   uint32
		}
		live := map[uint32][]held{} // by name, one for each connection
		names := func() []uint32 { return slices.Sorted(maps.Keys(live)) }
		t.Repeat(map[string]func(*rapid.T){
			"found": func(t *rapid.T) {
				dc, id := rapid.SampledFrom(dcs).Draw(t, "dc"), rapid.Uint32Range(1, 4).Draw(t, "id")
				taken := len(live[id]) > 0
				n := g.found(id, dc)
				if len(live[n.name]) > 0 || n.name == 0 || !taken && n.name != id {
					t.Fatalf("association %d got the name %d; %d is taken: %v", id, n.name, id, taken)
				}
				live[n.name] = []held{{n, dc, id}}
			},
			"join": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip()
				}
				name := rapid.SampledFrom(names()).Draw(t, "name")
				is := live[name][0]
				if g.Where(name) != is.dc {
					t.Fatalf("%d is elsewhere", name)
				}
				asked := rapid.SampledFrom(dcs).Draw(t, "dc")
				n := g.join(name, asked)
				if (n != nil) != (asked == is.dc) || n != nil && n.id != is.id {
					t.Fatalf("joined %+v on another domain controller: %v", n, asked != is.dc)
				}
				if n != nil {
					live[name] = append(live[name], held{n, is.dc, is.id})
				}
			},
			"leave": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip()
				}
				name := rapid.SampledFrom(names()).Draw(t, "name")
				g.leave(live[name][0].name)
				if live[name] = live[name][1:]; len(live[name]) == 0 {
					delete(live, name)
					if g.Where(name) != nil {
						t.Fatalf("%d outlives its connections", name)
					}
				}
			},
			"": func(t *rapid.T) {
				if len(g.byName) != len(live) {
					t.Fatalf("%d names, %d associations", len(g.byName), len(live))
				}
			},
		})
	})
}
