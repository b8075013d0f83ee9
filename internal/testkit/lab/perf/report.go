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
	if b.before != "" {
		b.reportChange(out)
	}
	return out.Flush()
}

// reportChange prints the ratio of nspiproxy to the earlier version, round by round: the two of a round were measured
// seconds apart, so that a drifting machine spoils few of them.
func (b *bench) reportChange(out *bufio.Writer) {
	fmt.Fprintf(out, "\n| %s to %s, by round | median | least | most |\n|---|---:|---:|---:|\n", current, earlier)
	ping, connect := b.results.ping, b.results.connect
	rate := func(s sample) float64 { return s.rate }
	p99 := func(s sample) float64 { return s.p99 }
	cpu := func(s sample) float64 { return s.cpu }
	for _, r := range []struct {
		title   string
		samples map[string][]sample
		field   func(sample) float64
	}{
		{"requests/s", ping, rate}, {"p99", ping, p99}, {"CPU per request", ping, cpu},
		{"connections/s", connect, rate}, {"p99 of one such", connect, p99}, {"CPU for one such", connect, cpu},
	} {
		if all := ratios(r.samples[current], r.samples[earlier], r.field); len(all) > 0 {
			fmt.Fprintf(out, "| %s | %.2f | %.2f | %.2f |\n", r.title, all[len(all)/2], all[0], all[len(all)-1])
		}
	}
}

// ratios returns the ratios of a field, round by round, the least first.
func ratios(of, to []sample, field func(sample) float64) (all []float64) {
	for n := range min(len(of), len(to)) {
		if d := field(to[n]); d != 0 {
			all = append(all, field(of[n])/d)
		}
	}
	slices.Sort(all)
	return all
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
