package listing

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Writer prints rows in one format.
type Writer interface {
	// Write prints one row.
	Write(r *Row) error
	// Flush completes what was printed. It must be called at the end.
	Flush() error
}

// Formats are the names that [NewWriter] knows.
func Formats() []string { return []string{"text", "tsv", "json"} }

// NewWriter returns the writer for a format: text for people, tsv (a header
// line and the columns of [Columns]), or json (one object a line).
func NewWriter(format string, w io.Writer) (Writer, error) {
	b := bufio.NewWriter(w)
	switch format {
	case "text":
		return &textWriter{Writer: b, stream: -1}, nil
	case "tsv":
		return &tsvWriter{Writer: b}, nil
	case "json":
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		return jsonWriter{b, e}, nil
	}
	return nil, fmt.Errorf("format %q is none of %s", format, strings.Join(Formats(), ", "))
}

type jsonWriter struct {
	*bufio.Writer
	encoder *json.Encoder
}

func (w jsonWriter) Write(r *Row) error { return w.encoder.Encode(r) }
