package oracle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nspiproxy/nspiproxy/proxy/capture/listing"
)

// Report is the outcome of a comparison.
type Report struct {
	PDUs        int // that both have
	Cells       int // that were compared
	Known       int // cells that differ as known
	Differences []string
}

// maxDifferences is how many differences of one capture are listed.
const maxDifferences = 20

func (r *Report) differ(format string, args ...any) {
	if len(r.Differences) < maxDifferences {
		r.Differences = append(r.Differences, fmt.Sprintf(format, args...))
	}
}

// Compare compares the rows of a capture with a table of the same.
func Compare(capture string, t *Table, rows []listing.Row) Report {
	var report Report
	frames := byFrame(rows, &report)
	for i := range t.Lines {
		l := &t.Lines[i]
		own := frames[l.Frame]
		delete(frames, l.Frame)
		if len(own) == 0 {
			report.missing(capture, l.Frame, "only tshark has PDUs")
			continue
		}
		report.PDUs += len(own)
		report.line(capture, t.Columns, l, own)
	}
	for frame := range frames {
		report.missing(capture, frame, "tshark has no PDUs")
	}
	return report
}

// byFrame groups rows, and demands that they come in the order of frames.
func byFrame(rows []listing.Row, report *Report) map[int][]*listing.Row {
	frames := make(map[int][]*listing.Row)
	for i := range rows {
		r := &rows[i]
		frames[r.Frame] = append(frames[r.Frame], r)
		if i > 0 && rows[i-1].Frame > r.Frame {
			report.differ("frame %d comes after frame %d", r.Frame, rows[i-1].Frame)
		}
	}
	return frames
}

func (r *Report) missing(capture string, frame int, text string) {
	if known(capture, frame, "") {
		r.Known++
		return
	}
	r.differ("frame %d: %s", frame, text)
}

func (r *Report) line(capture string, columns []string, l *Line, own []*listing.Row) {
	for i, column := range columns {
		got, ok := cell(column, own)
		if !ok {
			r.differ("column %s cannot be compared", column)
			continue
		}
		r.Cells++
		want := l.Cells[i]
		if column == "dcerpc.request_in" { // once by the PDU, once by its stub
			got, want = distinct(got), distinct(want)
		}
		switch {
		case got == want:
		case known(capture, l.Frame, column):
			r.Known++
		default:
			r.differ("frame %d: %s is %q, tshark says %q", l.Frame, column, got, want)
		}
	}
}

// cell writes what the rows of one frame have of a column as tshark does.
func cell(column string, rows []*listing.Row) (text string, ok bool) {
	if f, ok := ofFrame[column]; ok {
		return f(rows[0]), true
	}
	f, ok := fields[column]
	if !ok {
		return "", false
	}
	var all []string
	for _, r := range rows {
		all = append(all, f(r)...)
	}
	return strings.Join(all, ","), true
}

// distinct drops values that repeat the one before.
func distinct(cell string) string {
	return strings.Join(slices.Compact(strings.Split(cell, ",")), ",")
}
