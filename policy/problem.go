package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Problem is one finding about a configuration file.
type Problem struct {
	File     string
	Line     int    // from 1; 0 if the finding has no line
	Column   int    // from 1, in characters; 0 if it has none
	Path     string // key path, such as "policy.rules[1].match.sid"; empty for the file itself
	Found    string // what the file says; text from the file is quoted
	Expected string // what would be right
}

// Error returns "file:line:column: path: found …, expected …".
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Column > 0 {
		fmt.Fprintf(&b, ":%d", p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	fmt.Fprintf(&b, "found %s, expected %s", p.Found, p.Expected)
	return b.String()
}

// Problems is every error of one file, in the order of lines. It is the error
// that [Load] and [Parse] return for a file that is wrong.
type Problems []Problem

// maxProblems bounds what one file is told: nobody reads more at once, and a
// file that is no configuration at all has one per line.
const maxProblems = 100

// Error returns one problem per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// place is where something stands in the file, in lines and characters from 1. The zero
// place is none; a column of 0 is not known.
type place struct{ line, column int }

func placeOf(n *yaml.Node) place { return place{n.Line, n.Column} }

// collector gathers problems up to maxProblems.
type collector struct {
	file    string
	found   Problems
	dropped int
}

// add records one problem.
func (c *collector) add(at place, path, found, expected string) {
	if c.full() {
		c.dropped++
		return
	}
	c.found = append(c.found, Problem{File: c.file, Line: at.line, Column: at.column, Path: path, Found: found, Expected: expected})
}

// full reports whether no further problem is kept.
func (c *collector) full() bool { return len(c.found) == maxProblems }

// sorted returns the problems in the order of lines.
func (c *collector) sorted() Problems {
	slices.SortStableFunc(c.found, func(a, b Problem) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	if c.dropped > 0 {
		return append(c.found, Problem{
			File:     c.file,
			Found:    fmt.Sprintf("%d more errors", c.dropped),
			Expected: "a file with fewer",
		})
	}
	return c.found
}

// err returns the problems as an error, nil if there are none.
func (c *collector) err() error {
	if len(c.found) == 0 {
		return nil
	}
	return c.sorted()
}

// expectation is the error of a value that cannot be read: what would be right.
type expectation string

// Error implements error.
func (e expectation) Error() string { return "expected " + string(e) }

// expectedf makes an expectation.
func expectedf(format string, args ...any) error {
	return expectation(fmt.Sprintf(format, args...))
}

// maxQuoted is how many bytes of a value an error repeats.
const maxQuoted = 80

// clip returns text that is repeated as it was typed.
func clip(s string) string {
	if len(s) > maxQuoted {
		s = strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// quote returns text from the file, safe to print on a terminal. Backslashes are shown
// as they are.
func quote(s string) string {
	if strings.Contains(s, `\`) && !strings.ContainsFunc(s, unprintable) {
		return singleQuoted(s)
	}
	if len(s) > maxQuoted {
		return fmt.Sprintf("%q…", s[:maxQuoted])
	}
	return fmt.Sprintf("%q", s)
}
