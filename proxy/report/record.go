package report

import (
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
	burst int  // how many with this key are written one by one within a minute; 0 is 1
	once  bool // only the first one with this key is ever written
}

// key is what records are summed by. Its kind is the name of the event, which is the program's own,
// and has a share of the log of its own. The other parts may be what a peer has chosen.
type key struct{ kind, a, b, c string }

// maxText is how much of a text from the network is written, in bytes.
const maxText = 256

// clip shortens text from the network. The log writer escapes it.
func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}

// failure adds an error, whose text may hold what a peer has sent.
func failure(e *zerolog.Event, err error) *zerolog.Event {
	if err == nil {
		return e
	}
	return e.Str("error", clip(err.Error()))
}
