package report

import (
	"net/netip"
	"unicode/utf8"

	"github.com/rs/zerolog"
)

// record is what an event writes to the log. It keeps no text from the network that is longer
// than maxText.
type record interface {
	event(log *zerolog.Logger) *zerolog.Event // with all fields
	message() string
}

// entry is a record and what bounds it: there is no other way to the log for what the network
// can cause.
type entry struct {
	record
	key   key
	from  netip.Addr // the client that caused it; the zero Addr: none did
	burst int        // how many with this key are written one by one within a minute; 0 is 1
	once  bool       // only the first one with this key is ever written
}

// key is what records are summed by. Its kind is the name of the event, which is the program's own,
// and has a share of the log of its own. The other parts may be what a peer has chosen.
type key struct{ kind, a, b, c string }

const (
	// maxText is how much of a text from the network is written, in bytes, after it was escaped.
	maxText = 256
	// lineSize is above the longest line but that of health.panicked: six such texts, and the program's own.
	lineSize = 2 << 10
)

// clip shortens text from the network, so that it is no longer than maxText when the log writer has escaped it.
func clip(s string) string {
	size := 0
	for i, r := range s {
		if size += escapedSize(s[i:], r); size > maxText {
			return s[:i] + "…"
		}
	}
	return s
}

// escapedSize is how many bytes the log writer makes of a character at the beginning of s.
func escapedSize(s string, r rune) int {
	const short, long = len(`\"`), len(`\u0000`)
	switch _, n := utf8.DecodeRuneInString(s); {
	case r == '"' || r == '\\':
		return short
	case r < ' ' || r == 0x7f || r == utf8.RuneError:
		return long
	default:
		return n
	}
}

// failure adds an error, whose text may hold what a peer has sent.
func failure(e *zerolog.Event, err error) *zerolog.Event {
	if err == nil {
		return e
	}
	return e.Str("error", clip(err.Error()))
}
