package transparent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lacking puts a program nft into PATH that complains of rule sets with one of some
// words in them, as the kernel does, and knows nothing else.
func lacking(t *testing.T, words string) {
	t.Helper()
	folder := t.TempDir()
	script := `#!/bin/sh
set -f
input=$(cat)
for word in ` + words + `; do
	case "$input" in *"$word"*) echo "/dev/stdin:4:3-8: Error: Could not process rule: No such file or directory" >&2; exit 1;; esac
done
`
	if err := os.WriteFile(filepath.Join(folder, "nft"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

func TestModulesThatTheKernelDoesNotHaveAreNamed(t *testing.T) {
	for _, c := range []struct{ listeners, words, want string }{
		{"tproxy", "tproxy", "nft_tproxy"},
		{"tproxy", "tproxy socket", "nft_socket, nft_tproxy"},
		{"tproxy", "notrack", "nft_ct and nf_conntrack"},
		{"tproxy", "fib", "nft_fib_inet"},
		{"tproxy", "reject", "nft_reject_inet"},
		{"redirect", "reject", "nft_reject_inet"},
		{"redirect", "redirect", "nft_redir"},
		{"redirect", "nat", "nft_chain_nat and nf_nat, nft_redir"},
		{"redirect", "table", "nf_tables"},
		{"tproxy", "table", "nf_tables"},
	} {
		t.Run(c.words, func(t *testing.T) {
			lacking(t, c.words)
			p := plan(t, listenersOf(c.listeners), "")
			_, err := run(p.Ruleset(nil), "nft", "-f", "-")
			if err == nil {
				t.Fatal("no error")
			}
			err = p.explainMissing(err)
			if want := "this kernel does not have " + c.want + ", nor"; !strings.Contains(err.Error(), want) || !complained(err, "Could not process rule") {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

// Another reason is not taken for a missing module, and neither is what each feature
// by itself does not show.
func TestOtherErrorsOfNftStayAsTheyAre(t *testing.T) {
	p := plan(t, listenersOf("tproxy"), "")
	lacking(t, "tproxy")
	for _, err := range []error{errors.New("x"), &commandError{"nft -f -", "Error: Could not process rule: Operation not permitted"}} {
		if got := p.explainMissing(err); got != err {
			t.Errorf("%v", got)
		}
	}
	lacking(t, "learnt4")
	err := fmt.Errorf("a: %w", &commandError{"nft -f -", "Error: Could not process rule: No such file or directory"})
	if got := p.explainMissing(err); got != err {
		t.Errorf("%v", got)
	}
}
