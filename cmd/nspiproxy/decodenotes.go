package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/nspiproxy/nspiproxy/proxy/capture"
)

// decodeNotes are what decode says beside rows.
type decodeNotes interface {
	note(n capture.Note)
	// summary comes last: what was not read, and whether there was anything.
	summary(r *capture.Reader)
}

func notesFor(format string, w io.Writer) decodeNotes {
	if format == "json" {
		return jsonNotes{json.NewEncoder(w)}
	}
	return textNotes{w}
}

type textNotes struct{ w io.Writer }

func (t textNotes) note(n capture.Note) { _, _ = fmt.Fprintln(t.w, n) }

func (t textNotes) summary(r *capture.Reader) {
	c := r.Counts()
	if left := r.LeftOut(); len(left) > 0 {
		_, _ = fmt.Fprintf(t.w, "left out %s that cannot be read: %s\n", countOf(frames(left), c.Frames), capture.Summary(left))
	}
	if c.PDUs > 0 {
		return
	}
	_, _ = fmt.Fprintf(t.w, "no DCE/RPC in %d frames with %d TCP connections\n", c.Frames, c.Connections)
	if others := r.Others(); len(others) > 0 {
		_, _ = fmt.Fprintf(t.w, "%s of other protocols than TCP: %s\n", countOf(frames(others), c.Frames), capture.Summary(others))
	}
}

// countOf says how many frames of all there are.
func countOf(n, all int) string {
	if n == 1 {
		return fmt.Sprintf("1 frame of %d", all)
	}
	return fmt.Sprintf("%d frames of %d", n, all)
}

func frames(kinds []capture.LeftOut) (n int) {
	for _, k := range kinds {
		n += k.Frames
	}
	return n
}

// jsonNotes writes one object a line, as rows are.
type jsonNotes struct{ e *json.Encoder }

func (j jsonNotes) note(n capture.Note) {
	_ = j.e.Encode(struct {
		Frame  int    `json:"frame"`
		Stream int    `json:"stream"`
		Note   string `json:"note"`
	}{n.Frame, n.Stream, n.Text})
}

func (j jsonNotes) summary(r *capture.Reader) {
	c := r.Counts()
	_ = j.e.Encode(struct {
		Frames      int               `json:"frames"`
		Connections int               `json:"connections"`
		PDUs        int               `json:"pdus"`
		Gaps        int               `json:"gaps"`
		LeftOut     []capture.LeftOut `json:"left_out"`
		Others      []capture.LeftOut `json:"others"`
	}{c.Frames, c.Connections, c.PDUs, c.Gaps, append([]capture.LeftOut{}, r.LeftOut()...), append([]capture.LeftOut{}, r.Others()...)})
}
