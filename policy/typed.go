package policy

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// typed is the text of the file: what a value says can be something else than what
// was typed, where it stands in double quotes.
type typed []byte

// doubleQuoted is a value in double quotes, on one line.
var doubleQuoted = regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"?`)

// line returns the text of a line.
func (t typed) line(number int) string {
	rest := []byte(t)
	for ; number > 1; number-- {
		_, rest, _ = bytes.Cut(rest, []byte("\n"))
	}
	text, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.TrimSuffix(string(text), "\r")
}

// escaped returns the value of n as it was typed, if it has an escape in it.
func (t typed) escaped(n *yaml.Node) (raw string, ok bool) {
	if n.Style&yaml.DoubleQuotedStyle == 0 {
		return "", false
	}
	line := t.line(n.Line)
	for i := 1; i < n.Column && line != ""; i++ {
		_, width := utf8.DecodeRuneInString(line)
		line = line[width:]
	}
	raw = doubleQuoted.FindString(line)
	if _, all := escapes(raw); all == 0 {
		return "", false
	}
	var means string // it may be another one: YAML knows more line ends than this does
	return raw, yaml.Unmarshal([]byte(raw), &means) == nil && means == n.Value
}

// unknownEscape returns the first value in double quotes on a line with an escape that
// YAML does not have, or one that is cut off, and its column.
func (t typed) unknownEscape(line int) (raw string, column int) {
	text := t.line(line)
	for _, at := range doubleQuoted.FindAllStringIndex(text, -1) {
		if worst, _ := escapes(text[at[0]:at[1]]); worst.unknown {
			return text[at[0]:at[1]], 1 + utf8.RuneCountInString(text[:at[0]])
		}
	}
	return "", 0
}

// escapeSequence is a backslash in double quotes and the character behind it.
type escapeSequence struct {
	char    rune
	unknown bool // YAML has none of that kind, or it is cut off
}

// escapeDigits are how many hexadecimal digits are behind the escapes of characters by number.
var escapeDigits = map[rune]int{'x': 2, 'u': 4, 'U': 8}

// escapes returns the first escape sequence in a text that YAML does not know, else the
// first, and how many there are. A backslash, a quote or a slash stand for themselves and
// do not count.
func escapes(raw string) (worst escapeSequence, all int) {
	for rest := raw; ; {
		at := strings.IndexByte(rest, '\\')
		if at < 0 || at+1 == len(rest) {
			return worst, all
		}
		char, width := utf8.DecodeRuneInString(rest[at+1:])
		rest = rest[at+1+width:]
		if strings.ContainsRune(`\"/`, char) {
			continue
		}
		e := escapeSequence{char: char, unknown: escapeNames[char] == ""}
		if n := escapeDigits[char]; n > len(rest) || strings.Trim(rest[:n], "0123456789abcdefABCDEF") != "" {
			e.unknown = true
		}
		if all == 0 || e.unknown && !worst.unknown {
			worst = e
		}
		all++
	}
}

// tabIndent returns the column of a tab in the indentation of a line; 0: there is none.
func (t typed) tabIndent(line int) int {
	text := t.line(line)
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	return 1 + strings.IndexByte(indent, '\t')
}

// escapeNames are the escapes that have a name (YAML 1.2, 5.7).
var escapeNames = map[rune]string{
	'0': "a NUL", 'a': "a bell", 'b': "a backspace", 't': "a tab", 'n': "a line feed", 'v': "a vertical tab", 'f': "a form feed",
	'r': "a carriage return", 'e': "an escape character", ' ': "a blank", 'N': "a next line", '_': "a no-break space",
	'L': "a line separator", 'P': "a paragraph separator", 'x': "a character by its number", 'u': "a character by its number", 'U': "a character by its number",
}

// inSingleQuotes says what to write in place of a value in double quotes.
func inSingleQuotes(raw string) string {
	e, _ := escapes(raw)
	means := "means nothing"
	if name := escapeNames[e.char]; name != "" {
		means = "is " + name
	}
	text := strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(strings.Trim(raw, `"`))
	return fmt.Sprintf(`single quotes, %s: in double quotes \%c %s`, singleQuoted(text), e.char, means)
}

// typographic are quotes that people and word processors write, and YAML takes for letters.
const typographic = "“”„‟‘’‚‛«»"

// inTypographicQuotes reports whether a value stands in quotes that are none.
func inTypographicQuotes(n *yaml.Node) bool {
	first, _ := utf8.DecodeRuneInString(n.Value)
	last, _ := utf8.DecodeLastRuneInString(n.Value)
	return strings.ContainsRune(typographic, first) && strings.ContainsRune(typographic, last)
}

// singleQuoted is a text as YAML has it in single quotes.
func singleQuoted(s string) string {
	return "'" + strings.ReplaceAll(clip(s), "'", "''") + "'"
}
