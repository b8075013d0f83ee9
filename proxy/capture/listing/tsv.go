package listing

import (
	"bufio"
	"strconv"
	"strings"
)

// columns are the columns of the tsv format: name and value.
var columns = []struct {
	name  string
	value func(*Row) string
}{
	{"stream", func(r *Row) string { return strconv.Itoa(r.Stream) }},
	{"dir", func(r *Row) string { return r.Dir }},
	{"ptype", func(r *Row) string { return number(&r.PType) }},
	{"flags", func(r *Row) string { return r.Flags }},
	{"drep", func(r *Row) string { return r.Drep }},
	{"frag_length", func(r *Row) string { return number(&r.FragLength) }},
	{"auth_length", func(r *Row) string { return number(&r.AuthLength) }},
	{"call_id", func(r *Row) string { return number(&r.CallID) }},
	{"ctx_id", contextIDs},
	{"opnum", func(r *Row) string { return number(r.Opnum) }},
	{"auth_type", func(r *Row) string { return number(r.AuthType) }},
	{"auth_level", func(r *Row) string { return number(r.AuthLevel) }},
	{"auth_ctx_id", func(r *Row) string { return number(r.AuthContextID) }},
	{"interface", func(r *Row) string { return r.Interface }},
	{"event", func(r *Row) string { return r.Event }},
}

// Columns returns the names of the columns of the tsv format.
func Columns() []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return names
}

func number[T uint8 | uint16 | uint32](n *T) string {
	if n == nil {
		return ""
	}
	return strconv.FormatUint(uint64(*n), 10)
}

// contextIDs returns the context id of a call; those of a bind, joined by
// commas.
func contextIDs(r *Row) string {
	if len(r.Contexts) == 0 {
		return number(r.ContextID)
	}
	ids := make([]string, len(r.Contexts))
	for i := range r.Contexts {
		ids[i] = number(&r.Contexts[i].ID)
	}
	return strings.Join(ids, ",")
}

// tsvWriter prints the header line before the first row, or at the end.
type tsvWriter struct {
	*bufio.Writer
	begun bool
}

func (w *tsvWriter) header() error {
	if w.begun {
		return nil
	}
	w.begun = true
	_, err := w.WriteString(strings.Join(Columns(), "\t") + "\n")
	return err
}

func (w *tsvWriter) Write(r *Row) error {
	if err := w.header(); err != nil {
		return err
	}
	for i, c := range columns {
		if i > 0 {
			_ = w.WriteByte('\t')
		}
		_, _ = w.WriteString(c.value(r)) // a failed buffer reports it below
	}
	return w.WriteByte('\n')
}

func (w *tsvWriter) Flush() error {
	if err := w.header(); err != nil {
		return err
	}
	return w.Writer.Flush()
}
