package simdc

import (
	"context"

	gen "github.com/oiweiwei/go-msrpc/msrpc/nspi/nspi/v56"
)

// maxRows bounds the rows of one answer, as real servers do.
const maxRows = 1000

// methods implements the operations that hasMethod names in the words of the
// generated code. The others of its interface are never called.
type methods struct {
	gen.UnimplementedNspiServer
	book *addressBook
}

// UpdateStat moves the position in a table (MS-NSPI 3.1.4.5).
func (m methods) UpdateStat(_ context.Context, r *gen.UpdateStatRequest) (*gen.UpdateStatResponse, error) {
	at := m.book.seek(r.Stat, int64(r.Stat.Delta))
	return &gen.UpdateStatResponse{Stat: r.Stat, Delta: int32(at)}, nil
}

// QueryRows returns rows from a position on, or those that an explicit table
// names (MS-NSPI 3.1.4.8).
func (m methods) QueryRows(_ context.Context, r *gen.QueryRowsRequest) (*gen.QueryRowsResponse, error) {
	tags := wanted(r.PropertyTags)
	set := &gen.PropertyRowSet{}
	if len(r.ETable) > 0 {
		for _, mid := range r.ETable[:min(len(r.ETable), int(min(r.Count, maxRows)))] {
			i, ok := m.book.row(mid)
			values := map[uint32]any{} // an id that nobody has makes a row of errors
			if ok {
				values = m.book.values(i)
			}
			set.Row = append(set.Row, row(values, tags))
		}
	} else {
		from := m.book.seek(r.Stat, int64(r.Stat.Delta))
		to := min(len(m.book.people), from+int(min(r.Count, maxRows)))
		for i := from; i < to; i++ {
			set.Row = append(set.Row, row(m.book.values(i), tags))
		}
		m.book.seek(r.Stat, int64(to-from))
	}
	set.RowsCount = uint32(len(set.Row))
	return &gen.QueryRowsResponse{Stat: r.Stat, Rows: set}, nil
}

// GetProperties returns the row that the position is at (MS-NSPI 3.1.4.7).
func (m methods) GetProperties(_ context.Context, r *gen.GetPropertiesRequest) (*gen.GetPropertiesResponse, error) {
	i, ok := m.book.row(r.Stat.CurrentRecord)
	if !ok {
		return &gen.GetPropertiesResponse{Return: codeNotFound - 1<<32}, nil
	}
	return &gen.GetPropertiesResponse{Rows: row(m.book.values(i), wanted(r.PropertyTags))}, nil
}

// GetSpecialTable returns the hierarchy of containers: one (MS-NSPI 3.1.4.3).
func (m methods) GetSpecialTable(context.Context, *gen.GetSpecialTableRequest) (*gen.GetSpecialTableResponse, error) {
	set := &gen.PropertyRowSet{RowsCount: 1, Row: []*gen.PropertyRow{row(hierarchyRow(), hierarchyColumns)}}
	return &gen.GetSpecialTableResponse{Version: 1, Rows: set}, nil
}

// QueryColumns lists the columns (MS-NSPI 3.1.4.6).
func (m methods) QueryColumns(context.Context, *gen.QueryColumnsRequest) (*gen.QueryColumnsResponse, error) {
	return &gen.QueryColumnsResponse{Columns: tagArray(columns)}, nil
}

// seek moves s by delta and returns the row it is then at.
func (b *addressBook) seek(s *gen.Stat, delta int64) int {
	at := b.position(s.CurrentRecord, int64(s.PosLength), delta)
	s.CurrentRecord = midEnd
	if at < len(b.people) {
		s.CurrentRecord = b.mid(at)
	}
	s.Delta, s.PosLength, s.TotalRecords = 0, uint32(at), uint32(len(b.people))
	return at
}

// wanted returns the columns that a client asks for, or all.
func wanted(tags *gen.PropertyTagArray) []uint32 {
	if tags == nil || len(tags.PropertyTag) == 0 || tags.ValuesCount == 0 {
		return columns
	}
	return tags.PropertyTag[:min(len(tags.PropertyTag), int(tags.ValuesCount))]
}

// tagArray makes an array of tags. The generated code wants room for one more
// (size_is cValues+1).
func tagArray(tags []uint32) *gen.PropertyTagArray {
	return &gen.PropertyTagArray{ValuesCount: uint32(len(tags)), PropertyTag: tags}
}
