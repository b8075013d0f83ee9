package oracle

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nspiproxy/nspiproxy/proxy/capture/listing"
)

// Table is what tshark prints: columns by the names of fields, a line a frame.
type Table struct {
	Columns []string
	Lines   []Line
}

// Line is what tshark says of one frame.
type Line struct {
	Frame int
	Cells []string // as Columns
}

// ReadTable reads a table whose first column is frame.number.
func ReadTable(r io.Reader) (*Table, error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	if !s.Scan() {
		return nil, errors.Join(errors.New("no header line"), s.Err())
	}
	t := &Table{Columns: strings.Split(s.Text(), "\t")}
	if t.Columns[0] != "frame.number" {
		return nil, fmt.Errorf("the first column is %q", t.Columns[0])
	}
	for s.Scan() {
		cells := strings.Split(s.Text(), "\t")
		frame, err := strconv.Atoi(cells[0])
		if err != nil || len(cells) != len(t.Columns) {
			return nil, fmt.Errorf("line %q does not fit the header", s.Text())
		}
		t.Lines = append(t.Lines, Line{Frame: frame, Cells: cells})
	}
	return t, s.Err()
}

// ReadRows reads what "nspiproxy decode --format json" prints.
func ReadRows(r io.Reader) ([]listing.Row, error) {
	var rows []listing.Row
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	for {
		var row listing.Row
		if err := d.Decode(&row); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
}
