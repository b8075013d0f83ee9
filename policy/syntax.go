package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parseYAML returns the root of the only document in data, or nil and a problem.
func parseYAML(c *collector, data []byte) *yaml.Node {
	if !checkText(c, data) {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		c.add(place{line: 1}, "", "an empty file", "a configuration that begins with version: 1")
		return nil
	} else if err != nil {
		addSyntaxError(c, data, err)
		return nil
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
		return doc.Content[0]
	case err != nil:
		addSyntaxError(c, data, err)
	default:
		c.add(placeOf(&second), "", "a second document", "one document in a file")
	}
	return nil
}

// checkText reports what the YAML library would refuse without saying where:
// too much, no UTF-8 (PowerShell writes UTF-16), and control characters.
func checkText(c *collector, data []byte) bool {
	switch {
	case len(data) > maxFile:
		c.add(place{}, "", fmt.Sprintf("more than %d bytes", maxFile), "a configuration file")
		return false
	case bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")):
		c.add(place{line: 1}, "", "text in UTF-16", "text in UTF-8")
		return false
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			c.add(placeAt(data, i), "", fmt.Sprintf("the byte %#02x", data[i]), "text in UTF-8")
			return false
		case r < ' ' && !strings.ContainsRune("\t\n\r", r), 0x7F <= r && r < 0xA0 && r != 0x85:
			c.add(placeAt(data, i), "", fmt.Sprintf("the control character %U", r), "text")
			return false
		}
		i += n
	}
	return true
}

// placeAt returns where data[i] stands.
func placeAt(data []byte, i int) place {
	before := data[:i]
	return place{1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])}
}

// What the YAML library says about a line.
var (
	syntaxLine    = regexp.MustCompile(`^line (\d+): `)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	// parserError marks errors of its parser, whose lines count from 0; those
	// of its scanner count from 1.
	parserError = regexp.MustCompile(`^did not find expected (['<]|key|node)|^found (undefined|duplicate|incompatible)`)
)

// unquotedIPv6 is an IPv6 address without quotes that begins like a value behind no key.
var unquotedIPv6 = regexp.MustCompile(`[\[{, ]::[0-9a-fA-F]`)

// addSyntaxError records text that is not YAML. The library leaves the line
// out where it is the first.
func addSyntaxError(c *collector, data []byte, err error) {
	text, line, source := strings.TrimPrefix(err.Error(), "yaml: "), 1, typed(data)
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		line, _ = strconv.Atoi(m[1])
		if parserError.MatchString(text) {
			line++
		}
	}
	if raw, column := source.unknownEscape(line); raw != "" {
		c.add(place{line, column}, "", clip(raw), inSingleQuotes(raw))
		return
	}
	for n := line; n <= line+1; n++ { // the library's line is that of what came before, at times
		if column := source.tabIndent(n); column > 0 {
			c.add(place{n, column}, "", "a tab in front of a line", "blanks: YAML has no tabs in the indentation")
			return
		}
	}
	if m := unknownAnchor.FindStringSubmatch(text); m != nil {
		line = placeAt(data, max(0, bytes.Index(data, []byte("*"+m[1])))).line
	}
	expected := "YAML"
	if strings.Contains(text, "anchor") || strings.Contains(text, "alphabetic or numeric character") {
		expected = `YAML; a pattern that begins with * stands in quotes: '*\svc-*'`
	}
	if strings.Contains(source.line(line), `\"`) {
		expected = `YAML; a backslash in double quotes takes the next character with it, single quotes take it as it is: 'LAB\*'`
	}
	if unquotedIPv6.MatchString(source.line(line)) {
		expected = `YAML; IPv6 addresses stand in quotes: "fd00::1"`
	}
	c.add(place{line: line}, "", "text that is not YAML: "+text, expected)
}
