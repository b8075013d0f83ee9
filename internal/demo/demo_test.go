//go:build linux

package demo

import (
	"testing"

	"github.com/rs/zerolog"
)

func TestDemonstrationAgreesWithItself(t *testing.T) {
	r, err := Once(t.Context(), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil {
		t.Errorf("%v\n%+v", err, r)
	}
	if r.Granted <= leakyLimit {
		t.Errorf("the well-behaved client got no session: %+v", r)
	}
}

func TestResultSaysWhatDisagrees(t *testing.T) {
	good := Result{Granted: 60, Unbound: 40, Refused: onceBinds - leakyLimit, SeenByDC: 60, HeldAtEnd: leakyLimit, ExpectedAtEnd: leakyLimit}
	if err := good.Err(); err != nil {
		t.Errorf("nothing disagrees: %v", err)
	}
	for name, change := range map[string]func(*Result){
		"held": func(r *Result) { r.HeldAtEnd++ }, "leaked": func(r *Result) { r.LeakedSlots++ },
		"refused": func(r *Result) { r.Refused-- }, "reached the domain controller": func(r *Result) { r.SeenByDC++ },
	} {
		r := good
		change(&r)
		if r.Err() == nil {
			t.Errorf("%s: no error for %+v", name, r)
		}
	}
}
