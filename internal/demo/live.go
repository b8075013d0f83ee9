package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

const (
	livePause = 200 * time.Millisecond
	liveTick  = 2 * time.Second
)

// Live runs the demonstration until ctx ends or w cannot be written to, and
// prints to w what happens: who holds how many sessions, and every refusal as
// the proxy logs it, in colours if the reader can show them.
func Live(ctx context.Context, w io.Writer, colours bool) error {
	w = zerolog.SyncWriter(w) // for tables and log records: neither may land inside the other
	console := zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !colours}
	log := zerolog.New(zerolog.SyncWriter(console)).Level(zerolog.InfoLevel).With().Timestamp().Logger()
	s, err := build(ctx, log)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := io.WriteString(w, s.opening()); err != nil {
		return err
	}
	var t tally
	ended := make(chan error, 2)
	go func() { ended <- behave(ctx, s, &t, livePause) }()
	go func() { ended <- leak(ctx, s, &t, 0, livePause, func() {}) }()
	tick := time.NewTicker(liveTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := io.WriteString(w, s.holders(&t)); err != nil {
				return err
			}
		case err := <-ended:
			return err
		}
	}
}

// opening says who takes part.
func (s *stage) opening() string {
	return fmt.Sprintf(`domain controller (simulated)  endpoint mapper %v, limit %d
nspiproxy in front of it       endpoint mapper %v, limit %d, %d for LAB\svc-*
LAB\alice binds and unbinds; LAB\svc-leaky only binds. Stop with Ctrl-C.
`, s.controller.EPMAddr(), defaultLimit, s.mapper, defaultLimit, leakyLimit)
}

// holders is a table of who holds how many sessions at this moment.
func (s *stage) holders(t *tally) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-16s %5s %6s %8s %8s\n", "user", "held", "binds", "unbinds", "oldest")
	for _, u := range s.proxy.Sessions().Users() {
		fmt.Fprintf(&b, "%-16s %5d %6d %8d %8v\n", u.User, u.Held, u.Binds, u.Unbinds, u.Age.Round(time.Second))
	}
	fmt.Fprintf(&b, "refused %d; sessions: proxy %d, domain controller %d\n\n",
		t.refused.Load(), s.proxy.Sessions().Count().Sessions, s.controller.TotalSessions())
	return b.String()
}
