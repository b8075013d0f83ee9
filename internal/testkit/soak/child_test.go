package soak

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy"
	"github.com/nspiproxy/nspiproxy/session"
)

// configVariable makes a copy of the test binary be the proxy, with that configuration file.
const configVariable = "NSPIPROXY_SOAK_CONFIG"

func TestMain(m *testing.M) {
	if file := os.Getenv(configVariable); file != "" {
		if err := serve(file); err != nil {
			fmt.Fprintln(os.Stderr, "soak:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// left is what the proxy holds at one moment.
type left struct {
	Table       session.Counts
	Goroutines  int
	Descriptors int
	Heap        uint64 // bytes of live objects
}

// serve runs the proxy until standard input ends. Each line there is a question for what it holds.
func serve(file string) error {
	config, err := policy.Load(file)
	if err != nil {
		return err
	}
	server, err := proxy.New(config, proxy.Options{Log: zerolog.New(os.Stderr).Level(zerolog.InfoLevel)})
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if err := json.NewEncoder(os.Stdout).Encode(look(server)); err != nil {
			return err
		}
	}
	cancel()
	return <-ended
}

func look(server *proxy.Server) left {
	runtime.GC()
	runtime.GC() // what has finalizers is free after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return left{Table: server.Sessions().Count(), Goroutines: runtime.NumGoroutine(), Descriptors: len(files), Heap: m.HeapAlloc}
}
