package listing

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestTextFromTheNetworkCannotReachTheTerminal(t *testing.T) {
	for text, want := range map[Text]string{
		`LAB\alice`:           `"LAB\\alice"`,
		"a\x1b[31mred":        `"a\u001b[31mred"`,
		"csi\u009b31m":        `"csi\u009b31m"`,
		"right\u202eto left":  `"right\u202eto left"`,
		"zero\u200bwidth":     `"zero\u200bwidth"`,
		"Jürgen":              `"Jürgen"`,
		"tag \U000e0041":      `"tag \udb40\udc41"`,
		"\xff":                `"\ufffd"`,
		"line\nbreak\ttab \"": `"line\nbreak\ttab \""`,
	} {
		got, err := json.Marshal(text)
		if err != nil || !strings.EqualFold(string(got), want) {
			t.Errorf("%q is written %s, error %v, want %s", string(text), got, err, want)
		}
	}
	if got := Text("a\x1b\u202e\xff").String(); got != `"a\x1b\u202e\xff"` {
		t.Errorf("quoted %s", got)
	}
}

func TestTextInJSONIsPrintableAndReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		data, err := json.Marshal(Text(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range string(data) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q holds %U", data, r)
			}
		}
		var back Text
		if err := json.Unmarshal(data, &back); err != nil || string(back) != text {
			t.Fatalf("%q reads back as %q, error %v", text, back, err)
		}
	})
}
