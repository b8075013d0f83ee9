package lab

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// Metrics are the series of one scrape, by name and labels as they were written: `name{label="value"}`.
type Metrics map[string]float64

// readMetrics reads the Prometheus text format. Comments and lines that are no series are left out.
func readMetrics(r io.Reader) Metrics {
	m := Metrics{}
	for s := bufio.NewScanner(r); s.Scan(); {
		line := s.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			m[line[:at]] = v
		}
	}
	return m
}

// Sum adds all series of the metric name whose labels contain each of the given texts, such as `result="granted"`.
func (m Metrics) Sum(name string, labels ...string) float64 {
	total := 0.0
	for series, v := range m {
		metric, rest, _ := strings.Cut(series, "{")
		if metric == name && containsAll(rest, labels) {
			total += v
		}
	}
	return total
}

func containsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
