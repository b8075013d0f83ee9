package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// maxRequest bounds a request, in bytes: a few file names.
const maxRequest = 64 << 10

// Serve is the child's side of [Child]: it limits its own process, reads a
// [Target] as JSON from in, probes it and writes the [Report] to out. The end of
// in tells it to stop: to close its session and to report what it has.
func Serve(in io.Reader, out io.Writer) error {
	if err := limitProcess(); err != nil {
		return err
	}
	if err := os.Unsetenv("KRB5_CCACHE"); err != nil { // go-msrpc would use it whatever the target says
		return err
	}
	var t Target
	requests := json.NewDecoder(io.LimitReader(in, maxRequest))
	if err := requests.Decode(&t); err != nil {
		return fmt.Errorf("no request: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go awaitEnd(in, cancel)
	// Whatever hangs, in a library or here, does not hang for ever.
	time.AfterFunc(t.withDefaults().Timeout+UnbindTime+killGrace, func() {
		fmt.Fprintln(os.Stderr, "the probe hangs")
		os.Exit(1)
	})
	return json.NewEncoder(out).Encode(Run(ctx, t))
}

// awaitEnd cancels when in ends.
func awaitEnd(in io.Reader, cancel context.CancelFunc) {
	_, _ = io.Copy(io.Discard, in)
	cancel()
}
