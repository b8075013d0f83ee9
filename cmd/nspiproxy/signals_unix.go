//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// ignored are signals that would end the program, and mean something else: administrators send SIGHUP
// to reload a configuration. SIGQUIT makes some programs write their stacks and go on; Go's runtime would write
// registers, too, which may hold a key, and wait for ever where the log takes nothing.
var ignored = []os.Signal{syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// ignoreSignals calls report for each signal that is ignored, until ctx ends.
func ignoreSignals(ctx context.Context, report func(os.Signal)) {
	// A handler, instead of signal.Ignore, leaves the signal to programs that this one starts.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // the log's reader has ended: the write has failed, too
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, ignored...)
	go func() {
		for {
			select {
			case s := <-signals:
				report(s)
			case <-ctx.Done():
				return
			}
		}
	}()
}
