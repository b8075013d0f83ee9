package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	rounds int
	time   time.Duration // of one measurement
	idle   int           // connections of the memory test
	binary string        // nspiproxy; empty: build it
	before string        // another nspiproxy to compare with; empty: none
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "interleaved rounds")
	flag.DurationVar(&o.time, "time", 2*time.Second, "duration of one measurement")
	flag.IntVar(&o.idle, "idle", 5000, "connections of the memory test")
	flag.StringVar(&o.binary, "nspiproxy", "", "binary to measure (default: built from this tree)")
	flag.StringVar(&o.before, "before", "", "another binary, of an earlier version, to measure in the same rounds")
	serve := flag.String("serve", "", "be the server on this address; perf starts itself so")
	flag.Parse()
	raiseFileLimit()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := error(nil)
	if *serve != "" {
		err = serveBackend(*serve)
	} else {
		err = compare(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "perf:", err)
		os.Exit(1)
	}
}

// compare runs everything and prints the report.
func compare(ctx context.Context, o options) error {
	folder, err := os.MkdirTemp("", "nspiproxy-perf-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	bench := &bench{options: o, folder: folder}
	defer bench.stop()
	if err := bench.start(ctx); err != nil {
		return err
	}
	if err := bench.run(ctx); err != nil {
		return err
	}
	return bench.report(os.Stdout)
}

// raiseFileLimit lets this process and its children have as many files as the machine allows: a proxied connection
// takes two.
func raiseFileLimit() {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) == nil {
		r.Cur = r.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r)
	}
}

// fileLimit is the number of files that a process may have.
func fileLimit() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 1024
	}
	return int(min(r.Cur, 1<<20))
}
