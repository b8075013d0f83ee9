package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// tick is the unit of CPU times in /proc, in microseconds: USER_HZ is 100 on every Linux.
const tick = 1e6 / 100

// family returns pid and its descendants: nginx works in children.
func family(pid int) []int {
	all := []int{pid}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return all
	}
	for field := range strings.FieldsSeq(string(data)) {
		if child, err := strconv.Atoi(field); err == nil {
			all = append(all, family(child)...)
		}
	}
	return all
}

// cpuTime is what pid and its descendants have used, user and system, in microseconds.
func cpuTime(pid int) float64 {
	total := 0.0
	for _, p := range family(pid) {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		if err != nil {
			continue
		}
		fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:]) // from field 3, the state, on
		for _, f := range fields[11:13] {                               // 14 utime, 15 stime
			if n, err := strconv.Atoi(string(f)); err == nil {
				total += float64(n) * tick
			}
		}
	}
	return total
}

// pss is the proportional set size of pid and its descendants, in KiB.
func pss(pid int) float64 {
	total := 0.0
	for _, p := range family(pid) {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if value, ok := strings.CutPrefix(line, "Pss:"); ok {
				if n, err := strconv.Atoi(strings.Fields(value)[0]); err == nil {
					total += float64(n)
				}
			}
		}
	}
	return total
}
