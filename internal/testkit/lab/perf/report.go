package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// reference is the subject that ratios are taken to.
const reference = "HAProxy"

// row is one line of the table: a value for each subject, absent if it has none.
type row struct {
	title  string
	format string
	value  func(name string) (float64, bool)
}

// report prints the table: medians, and in brackets their ratio to HAProxy's.
func (b *bench) report(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s; %d rounds of %s, medians, in brackets the ratio to %s.\n\n", machine(), b.rounds, b.time, reference)
	fmt.Fprint(out, "| |")
	for _, s := range b.subjects {
		fmt.Fprintf(out, " %s |", s.name)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---:|", len(b.subjects)))
	for _, r := range b.rows() {
		fmt.Fprintf(out, "| %s |", r.title)
		base, _ := r.value(reference)
		for _, s := range b.subjects {
			fmt.Fprintf(out, " %s |", r.cell(s.name, base))
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}

func (r row) cell(name string, base float64) string {
	v, ok := r.value(name)
	switch {
	case !ok:
		return "–"
	case name == reference || base == 0:
		return fmt.Sprintf(r.format, v)
	default:
		return fmt.Sprintf(r.format+" (%.2f)", v, v/base)
	}
}

func (b *bench) rows() []row {
	of := func(samples map[string][]sample, field func(sample) float64) func(string) (float64, bool) {
		return func(name string) (float64, bool) { return median(samples[name], field) }
	}
	memory := func(kib map[string]float64) func(string) (float64, bool) {
		return func(name string) (float64, bool) { v, ok := kib[name]; return v, ok }
	}
	rate := func(s sample) float64 { return s.rate }
	p50 := func(s sample) float64 { return s.p50 }
	p99 := func(s sample) float64 { return s.p99 }
	cpu := func(s sample) float64 { return s.cpu }
	ping, connect := b.results.ping, b.results.connect
	return []row{
		{"requests/s, 32 connections", "%.0f", of(ping, rate)},
		{"p50, µs", "%.0f", of(ping, p50)},
		{"p99, µs", "%.0f", of(ping, p99)},
		{"the proxy's CPU per request, µs", "%.1f", of(ping, cpu)},
		{"connect + bind + request + close, per second", "%.0f", of(connect, rate)},
		{"p99 of one such, µs", "%.0f", of(connect, p99)},
		{"the proxy's CPU for one such, µs", "%.1f", of(connect, cpu)},
		{"PSS per idle connection, KiB", "%.2f", memory(b.results.idle)},
		{"PSS per idle connection with a session, KiB", "%.2f", memory(b.results.session)},
	}
}

// median is the middle of a field over all rounds; without any, or if it is 0 (nothing to measure), there is none.
func median(samples []sample, field func(sample) float64) (float64, bool) {
	var all []float64
	for _, s := range samples {
		all = append(all, field(s))
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	m := all[len(all)/2]
	if len(all)%2 == 0 {
		m = (m + all[len(all)/2-1]) / 2
	}
	return m, m != 0
}

// machine says where and with what was measured.
func machine() string {
	return fmt.Sprintf("%s, %d × %s, Linux %s, HAProxy %s, nginx %s, %s", time.Now().UTC().Format(time.DateOnly),
		runtime.NumCPU(), first(`model name\s*: (.*)`, file("/proc/cpuinfo")), first(`(\d+\.\d+)`, file("/proc/sys/kernel/osrelease")),
		first(`(\d+\.\d+\.\d+)`, output("haproxy", "-v")), first(`(\d+\.\d+\.\d+)`, output("nginx", "-v")), runtime.Version())
}

func first(pattern, text string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return "unknown"
}

func file(name string) string {
	data, _ := os.ReadFile(name)
	return string(data)
}

func output(program string, args ...string) string {
	out, _ := exec.Command(program, args...).CombinedOutput()
	return string(out)
}
