package probe

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxText is how much of a text from the network or a library goes into a
// report, in bytes before escaping: a sentence or two.
const maxText = 300

// clean returns s without anything that a terminal may act upon, clipped.
func clean(s string) string {
	clipped := len(s) > maxText
	if clipped {
		s = s[:maxText]
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if unicode.IsPrint(r) && r != utf8.RuneError {
			b.WriteString(s[:n])
		} else {
			quoted := strconv.QuoteToASCII(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	if clipped {
		b.WriteString("…")
	}
	return b.String()
}

// WriteText writes r as a table for people.
func (r Report) WriteText(w io.Writer) error {
	if err := r.writeHead(w); err != nil {
		return err
	}
	for _, s := range r.Steps {
		mark, what := "ok", s.Detail
		if s.Err != "" {
			mark, what = "FAILED", s.Err
		}
		line := fmt.Sprintf("  %-12s  %-6s  %10s  %s", s.Name, mark, inMilliseconds(s.Duration), what)
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s in %s: %s\n", r.Outcome, inMilliseconds(r.Duration), r.explain())
	return err
}

func (r Report) writeHead(w io.Writer) error {
	how := "without authentication"
	if r.Auth != AuthNone {
		how = fmt.Sprintf("%s, level %s", r.Auth, r.Level)
	}
	if r.SPN != "" {
		how += ", " + r.SPN
	}
	_, err := fmt.Fprintf(w, "NSPI on %s (%s)\n", r.Target, how)
	return err
}

// explain says what the outcome means for whoever asked.
func (r Report) explain() string {
	switch r.Outcome {
	case OutcomeOK:
		return fmt.Sprintf("the address book has %d entries, the session is closed", r.Entries)
	case OutcomeRefusedLimit:
		return "MAPI_E_LOGON_FAILED: this user has as many sessions as it may have"
	case OutcomeAnonymousRefused:
		return "NSPI answers; it opens no session without authentication"
	}
	return r.Err
}

func inMilliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", milliseconds(d)) }
