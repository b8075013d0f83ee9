package fold

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestSpellingsOfOneNameFoldToIt(t *testing.T) {
	for want, spellings := range map[string][]string{
		"ALICE": {"alice", "Alice", "aLICE", "alice ", " alice", "\talice\n", "ａｌｉｃｅ", "ÁLICE", "a\u0301lice", "alice\u200e", "ali\x00ce", "alice\x00", "al\u00adice", "a\u200dlice",
			"alice\u20dd", "al\u0378ice", "alice\u3164", "\u115falice", "alice\U000e0020", "alice\U000e1000", "a\ufe0flice", "alic\u0489e", "\uffffalice"},
		// Active Directory compares these so (KB 938447, Samba's bug 14847).
		"BJORN":    {"björn", "bjørn", "bjǫrṅ", "b̨́̄̐j᪲ǫ̈́Ⓡn̨̈́"},
		"LODZ":     {"łódź", "ŁÓĐŹ", "lodz"},
		"SVC BES":  {"svc bes", "svc  bes", " svc\u00a0bes ", "SVC\u3000BES"},
		"STRASSE":  {"straße", "STRAẞE", "Strasse", "ſtraſſe"},
		"かな":       {"カナ", "ｶﾅ", "かな"},
		"K":        {"k", "\u212a"}, // the Kelvin sign
		"LAB.TEST": {"lab.test", "Lab.Test"},
		"\ufffdA":  {"\xffa"},
		"":         {"", " ", "\x00", "\u200e"},
	} {
		for _, s := range spellings {
			if got := String(s); got != want {
				t.Errorf("%q folds to %q, want %q", s, got, want)
			}
		}
	}
}

func TestDifferentNamesStayDifferent(t *testing.T) {
	seen := map[string]string{}
	for _, s := range []string{"alice", "al ice", "alicé2", "alice$", "bob", "alice@lab", `lab\alice`, "ali_ce", "ali-ce", "ali.ce", "ı", "アリス", "алиса"} {
		if other, ok := seen[String(s)]; ok {
			t.Errorf("%q and %q", s, other)
		}
		seen[String(s)] = s
	}
}

func TestFoldingIsDoneOnceAndForAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ a-zA-Z@\\.$]{0,12}`)).Draw(t, "name")
		once := String(s)
		if twice := String(once); twice != once || !utf8.ValidString(once) {
			t.Fatalf("%q folds to %q, then to %q", s, once, twice)
		}
		if upper := String(strings.ToUpper(s)); isASCII(s) && upper != once {
			t.Fatalf("%q: %q in upper case", once, upper)
		}
		if string(Append([]byte("x"), s)) != "x"+once {
			t.Fatalf("%q is appended as %q", s, Append([]byte("x"), s))
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func TestASCIIFoldsWithoutAnAllocation(t *testing.T) {
	var buf [64]byte
	if n := testing.AllocsPerRun(100, func() { Append(buf[:0], "Svc-Bes Admin") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
