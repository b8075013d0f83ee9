package simdc_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/oiweiwei/go-msrpc/midl/uuid"
	"github.com/oiweiwei/go-msrpc/msrpc/dtyp"
	gen "github.com/oiweiwei/go-msrpc/msrpc/nspi/nspi/v56"
	"github.com/oiweiwei/go-msrpc/ndr"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// book is a client of the address book that speaks by the generated code.
type book struct {
	t      *testing.T
	conn   *client.Conn
	handle nspi.Handle
	ndr64  bool
	drep   ndr.DataRepresentation
}

// inEverySyntax runs f as a client of each dialect of NDR.
func inEverySyntax(t *testing.T, f func(t *testing.T, b *book)) {
	dc := start(t, simdc.Config{})
	for name, o := range epmDialects {
		t.Run(name, func(t *testing.T) {
			o.Security = alice(rpcparse.LevelPrivacy)
			b := &book{t: t, conn: dial(t, dc, o), ndr64: o.Transfer == rpcparse.SyntaxNDR64, drep: ndr.DefaultDataRepresentation}
			if o.Order == rpcparse.BigEndian {
				b.drep = ndr.DataRepresentation(ndr.ByteOrderBigEndian)
			}
			b.handle = bind(t, b.conn)
			f(t, b)
		})
	}
}

// call runs one operation.
func (b *book) call(opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) {
	b.t.Helper()
	marshal, unmarshal := ndr.Marshal, ndr.Unmarshal
	if b.ndr64 {
		marshal, unmarshal = ndr.Marshal64, ndr.Unmarshal64
	}
	stub, err := marshal(in, b.drep)
	if err != nil {
		b.t.Fatal(err)
	}
	if stub, err = b.conn.Call(opnum, stub); err != nil {
		b.t.Fatal(err)
	}
	if err := unmarshal(stub, out, b.drep); err != nil {
		b.t.Fatalf("%v in %x", err, stub)
	}
}

// h returns the session in the words of the generated code.
func (b *book) h() *gen.Handle {
	g := b.handle[4:]
	return &gen.Handle{UUID: dtyp.GUIDFromUUID(&uuid.UUID{
		TimeLow: binary.LittleEndian.Uint32(g), TimeMid: binary.LittleEndian.Uint16(g[4:]),
		TimeHiAndVersion: binary.LittleEndian.Uint16(g[6:]), ClockSeqHiAndReserved: g[8], ClockSeqLow: g[9], Node: [6]byte(g[10:]),
	})}
}

// tags makes a list of columns; its length is one more than its count.
func tags(list ...uint32) *gen.PropertyTagArray {
	return &gen.PropertyTagArray{ValuesCount: uint32(len(list)), PropertyTag: list}
}

// values returns the values of rows, one line each.
func values(rows *gen.PropertyRowSet) []string {
	var lines []string
	for _, r := range rows.Row {
		line := ""
		for _, p := range r.Properties {
			line += fmt.Sprint(p.Value.GetValue(), ";")
		}
		lines = append(lines, line)
	}
	return lines
}

const (
	displayName  = 0x3001001f
	displayName8 = 0x3001001e
	smtpAddress  = 0x39fe001f
	nonsense     = 0x12340003
)

func TestTablesAreRead(t *testing.T) {
	inEverySyntax(t, func(t *testing.T, b *book) {
		var r gen.QueryRowsResponse
		b.call(3, &gen.QueryRowsRequest{Handle: b.h(), Stat: &gen.Stat{CodePage: 1252}, Count: 50}, &r)
		if len(r.Rows.Row) != 12 || r.Stat.TotalRecords != 12 || r.Stat.CurrentRecord != 2 || len(r.Rows.Row[0].Properties) != 9 {
			t.Errorf("all rows: %d, %+v", len(r.Rows.Row), r.Stat)
		}
		b.call(3, &gen.QueryRowsRequest{Handle: b.h(), Stat: &gen.Stat{CurrentRecord: 0x11}, Count: 2,
			PropertyTags: tags(displayName, displayName8, smtpAddress, nonsense)}, &r)
		if got := values(r.Rows); !slices.Equal(got, []string{
			"Alan Turing;Alan Turing;turing@lab.test;-2147221233;", "Barbara Liskov;Barbara Liskov;liskov@lab.test;-2147221233;"}) {
			t.Errorf("two rows: %q", got)
		}
		b.call(3, &gen.QueryRowsRequest{Handle: b.h(), Stat: &gen.Stat{}, Count: 10, ETable: []uint32{0x1b, 0x99},
			ETableCount: 2, PropertyTags: tags(displayName)}, &r)
		if got := values(r.Rows); !slices.Equal(got, []string{"Tony Hoare;", "-2147221233;"}) {
			t.Errorf("an explicit table: %q", got)
		}
	})
}

func TestPositionsMove(t *testing.T) {
	inEverySyntax(t, func(t *testing.T, b *book) {
		for _, tc := range []struct {
			from gen.Stat
			want uint32
		}{
			{gen.Stat{Delta: 3}, 3},
			{gen.Stat{CurrentRecord: 2, Delta: -1}, 11},
			{gen.Stat{CurrentRecord: 1, PosLength: 5}, 5},
			{gen.Stat{CurrentRecord: 0x14, Delta: -100}, 0},
			{gen.Stat{CurrentRecord: 0x99, Delta: 100}, 12},
		} {
			var r gen.UpdateStatResponse
			b.call(2, &gen.UpdateStatRequest{Handle: b.h(), Stat: &tc.from}, &r)
			if r.Stat.PosLength != tc.want || r.Stat.TotalRecords != 12 || r.Stat.Delta != 0 {
				t.Errorf("from %+v to %+v, want %d", tc.from, r.Stat, tc.want)
			}
		}
	})
}

func TestObjectsHierarchyAndColumnsAreTold(t *testing.T) {
	inEverySyntax(t, func(t *testing.T, b *book) {
		var p gen.GetPropertiesResponse
		b.call(9, &gen.GetPropertiesRequest{Handle: b.h(), Stat: &gen.Stat{CurrentRecord: 0x17}, PropertyTags: tags(displayName)}, &p)
		if p.Rows == nil || len(p.Rows.Properties) != 1 || p.Rows.Properties[0].Value.GetValue() != "Grace Hopper" {
			t.Errorf("%+v", p)
		}
		p = gen.GetPropertiesResponse{}
		b.call(9, &gen.GetPropertiesRequest{Handle: b.h(), Stat: &gen.Stat{CurrentRecord: 0x99}}, &p)
		if nspi.Code(uint32(p.Return)) != nspi.NotFound {
			t.Errorf("an object that is not there: %#x", uint32(p.Return))
		}
		var s gen.GetSpecialTableResponse
		b.call(12, &gen.GetSpecialTableRequest{Handle: b.h(), Stat: &gen.Stat{}}, &s)
		if len(s.Rows.Row) != 1 || len(s.Rows.Row[0].Properties) != 6 || s.Version != 1 {
			t.Errorf("%+v", s)
		}
		var c gen.QueryColumnsResponse
		b.call(16, &gen.QueryColumnsRequest{Handle: b.h()}, &c)
		if c.Columns.ValuesCount != 9 {
			t.Errorf("%+v", c.Columns)
		}
	})
}

// namesStub builds an NspiResolveNamesW request, whose array of strings the
// generated code cannot write.
func (b *book) namesStub(columns []uint32, names ...string) []byte {
	o, word := b.conn.Order, func(dst []byte, v int) []byte { return b.conn.Order.AppendUint32(dst, uint32(v)) }
	size := 4
	if b.ndr64 {
		o, size = rpcparse.LittleEndian, 8
		word = func(dst []byte, v int) []byte { return o.AppendUint64(dst, uint64(v)) }
	}
	align := func(dst []byte, n int) []byte { return append(dst, make([]byte, (n-len(dst)%n)%n)...) }
	stub := append(b.handle.Append(nil, o), make([]byte, 4+nspi.StatSize)...)
	stub = align(stub, size)
	if columns == nil {
		stub = word(stub, 0)
	} else {
		stub = o.AppendUint32(word(word(stub, 1), len(columns)+1), uint32(len(columns)))
		stub = word(word(align(stub, size), 0), len(columns))
		for _, c := range columns {
			stub = o.AppendUint32(stub, c)
		}
	}
	stub = word(align(stub, size), len(names))
	stub = align(o.AppendUint32(stub, uint32(len(names))), size)
	for i := range names {
		stub = word(stub, i+1)
	}
	for _, name := range names {
		text := ntlm.AppendUTF16(nil, name+"\x00")
		stub = word(word(word(align(stub, size), len(text)/2), 0), len(text)/2)
		for i := 0; i < len(text); i += 2 {
			stub = o.AppendUint16(stub, binary.LittleEndian.Uint16(text[i:]))
		}
	}
	return stub
}

func TestNamesAreResolved(t *testing.T) {
	inEverySyntax(t, func(t *testing.T, b *book) {
		for _, columns := range [][]uint32{nil, {displayName}} {
			stub, err := b.conn.Call(20, b.namesStub(columns, "grace", "Nobody", "A", "knuth@lab.test", ""))
			if err != nil {
				t.Fatal(err)
			}
			unmarshal := ndr.Unmarshal
			if b.ndr64 {
				unmarshal = ndr.Unmarshal64
			}
			var r gen.ResolveNamesWResponse
			if err := unmarshal(stub, &r, b.drep); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.MIDs.PropertyTag[:5], []uint32{0x17, 0, 1, 0x14, 0}) || len(r.Rows.Row) != 2 {
				t.Errorf("%v, %d rows", r.MIDs, len(r.Rows.Row))
			}
			if columns != nil && !slices.Equal(values(r.Rows), []string{"Grace Hopper;", "Donald Knuth;"}) {
				t.Errorf("%q", values(r.Rows))
			}
		}
		whole := b.namesStub([]uint32{displayName}, "grace", "hopper")
		for cut := nspi.HandleSize; cut < len(whole); cut++ {
			if _, err := b.conn.Call(20, whole[:cut]); !client.IsFault(err, rpcparse.StatusBadStubData) {
				t.Fatalf("%d of %d bytes: %v", cut, len(whole), err)
			}
		}
	})
}
