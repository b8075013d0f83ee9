package simdc

import (
	"context"

	gen "github.com/oiweiwei/go-msrpc/msrpc/nspi/nspi/v56"
)

// people are the rows of the one table, by name.
var people = []string{
	"Ada Byron", "Alan Turing", "Barbara Liskov", "Claude Shannon", "Donald Knuth", "Edsger Dijkstra",
	"Frances Allen", "Grace Hopper", "Hedy Lamarr", "John McCarthy", "Niklaus Wirth", "Tony Hoare",
}

// A STAT's current record (MS-NSPI 2.2.1.8): the end of the table, or a row from
// firstMId on. Everything else is taken for the beginning.
const (
	midEnd   = 2
	firstMId = 0x10
)

// The property types and the column that rows have (MS-OXCDATA 2.11.1).
const (
	typeError      = 0x000a
	tagDisplayName = 0x3001001f
)

// codeNotFound is the value of a property that an object lacks.
const codeNotFound = 0x8004010f

// addressBook implements the operations that hasMethod names in the words of
// the generated code: as much of a table as clients read to see that a session
// works. The others of its interface are never called.
type addressBook struct{ gen.UnimplementedNspiServer }

// UpdateStat moves the position in a table (MS-NSPI 3.1.4.5).
func (addressBook) UpdateStat(_ context.Context, r *gen.UpdateStatRequest) (*gen.UpdateStatResponse, error) {
	at := seek(r.Stat, r.Stat.Delta)
	return &gen.UpdateStatResponse{Stat: r.Stat, Delta: int32(at)}, nil
}

// QueryRows returns rows from a position on (MS-NSPI 3.1.4.8).
func (addressBook) QueryRows(_ context.Context, r *gen.QueryRowsRequest) (*gen.QueryRowsResponse, error) {
	tags := []uint32{tagDisplayName}
	if r.PropertyTags != nil {
		tags = r.PropertyTags.PropertyTag[:min(len(r.PropertyTags.PropertyTag), int(r.PropertyTags.ValuesCount))]
	}
	from := seek(r.Stat, r.Stat.Delta)
	to := min(len(people), from+int(min(r.Count, uint32(len(people)))))
	set := rows(tags, people[from:to]...)
	seek(r.Stat, int32(to-from))
	return &gen.QueryRowsResponse{Stat: r.Stat, Rows: set}, nil
}

// GetSpecialTable returns the hierarchy of containers: one (MS-NSPI 3.1.4.3).
func (addressBook) GetSpecialTable(context.Context, *gen.GetSpecialTableRequest) (*gen.GetSpecialTableResponse, error) {
	return &gen.GetSpecialTableResponse{Version: 1, Rows: rows([]uint32{tagDisplayName}, "Global Address List")}, nil
}

// seek moves s by delta and returns the row it is then at, from 0 to the number
// of rows.
func seek(s *gen.Stat, delta int32) int {
	at := int64(0)
	switch {
	case s.CurrentRecord == midEnd:
		at = int64(len(people))
	case s.CurrentRecord >= firstMId:
		at = int64(s.CurrentRecord) - firstMId
	}
	at = min(max(at+int64(delta), 0), int64(len(people)))
	s.CurrentRecord = midEnd
	if int(at) < len(people) {
		s.CurrentRecord = firstMId + uint32(at)
	}
	s.Delta, s.PosLength, s.TotalRecords = 0, uint32(at), uint32(len(people))
	return int(at)
}

// rows makes a row for each name, with a value for each tag. What is not there
// is an error value.
func rows(tags []uint32, names ...string) *gen.PropertyRowSet {
	set := &gen.PropertyRowSet{RowsCount: uint32(len(names))}
	for _, name := range names {
		r := &gen.PropertyRow{ValuesCount: uint32(len(tags))}
		for _, tag := range tags {
			v := &gen.PropertyValue{PropertyTag: tag, Value: &gen.PropertyValueUnion{Value: &gen.PropertyValueUnion_String{String: name}}}
			if tag != tagDisplayName {
				v = &gen.PropertyValue{PropertyTag: tag&^0xffff | typeError, Value: &gen.PropertyValueUnion{
					Value: &gen.PropertyValueUnion_Error{Error: int32(codeNotFound - 1<<32)}}}
			}
			r.Properties = append(r.Properties, v)
		}
		set.Row = append(set.Row, r)
	}
	return set
}
