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

// escape is a backslash in double quotes and what follows it, but for those that stand
// for themselves.
var escape = regexp.MustCompile(`\\[^\\"/\n]`)

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
	if !escape.MatchString(raw) {
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
		if unknownEscapes.MatchString(text[at[0]:at[1]]) {
			return text[at[0]:at[1]], 1 + utf8.RuneCountInString(text[:at[0]])
		}
	}
	return "", 0
}

// unknownEscapes are those that YAML 1.2 has not (5.7), and numbers with too few digits.
var unknownEscapes = regexp.MustCompile(`\\(?:[^0abt\tnvfre "/\\N_LPxuU]|x(?:$|[^[:xdigit:]]|.[^[:xdigit:]])|u.{0,3}?[^[:xdigit:]]|U.{0,7}?[^[:xdigit:]])`)

// tabIndent returns the column of a tab in the indentation of a line; 0: there is none.
func (t typed) tabIndent(line int) int {
	text := t.line(line)
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	return 1 + strings.IndexByte(indent, '\t')
}

// escapeNames are the escapes that have a name (YAML 1.2, 5.7).
var escapeNames = map[byte]string{
	'0': "a NUL", 'a': "a bell", 'b': "a backspace", 't': "a tab", 'n': "a line feed", 'v': "a vertical tab", 'f': "a form feed",
	'r': "a carriage return", 'e': "an escape character", ' ': "a blank", 'N': "a next line", '_': "a no-break space",
	'L': "a line separator", 'P': "a paragraph separator", 'x': "a character by its number", 'u': "a character by its number", 'U': "a character by its number",
}

// inSingleQuotes says what to write in place of a value in double quotes.
func inSingleQuotes(raw string) string {
	at := unknownEscapes.FindString(raw)
	means := "means nothing"
	if at == "" {
		at = escape.FindString(raw)
	}
	if name, ok := escapeNames[at[1]]; ok {
		means = "is " + name
	}
	return fmt.Sprintf("single quotes, %s: in double quotes %s %s", singleQuoted(strings.Trim(raw, `"`)), at[:2], means)
}

// singleQuoted is a text as YAML has it in single quotes.
func singleQuoted(s string) string {
	return "'" + strings.ReplaceAll(clip(s), "'", "''") + "'"
}
