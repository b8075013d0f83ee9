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

// encode makes the stub of a request.
func (b *book) encode(in ndr.Marshaler) []byte {
	b.t.Helper()
	marshal := ndr.Marshal
	if b.ndr64 {
		marshal = ndr.Marshal64
	}
	stub, err := marshal(in, b.drep)
	if err != nil {
		b.t.Fatal(err)
	}
	return stub
}

// call runs one operation.
func (b *book) call(opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) {
	b.t.Helper()
	stub, err := b.conn.Call(opnum, b.encode(in))
	if err != nil {
		b.t.Fatal(err)
	}
	unmarshal := ndr.Unmarshal
	if b.ndr64 {
		unmarshal = ndr.Unmarshal64
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
	displayName = 0x3001001f
	nonsense    = 0x12340003
)

func TestTablesAreRead(t *testing.T) {
	inEverySyntax(t, func(t *testing.T, b *book) {
		var s gen.GetSpecialTableResponse
		b.call(12, &gen.GetSpecialTableRequest{Handle: b.h(), Stat: &gen.Stat{}}, &s)
		if got := values(s.Rows); !slices.Equal(got, []string{"Global Address List;"}) || s.Version != 1 {
			t.Errorf("hierarchy: %q, version %d", got, s.Version)
		}
		var r gen.QueryRowsResponse
		b.call(3, &gen.QueryRowsRequest{Handle: b.h(), Stat: &gen.Stat{CodePage: 1252}, Count: 50}, &r)
		if len(r.Rows.Row) != 12 || r.Stat.TotalRecords != 12 || r.Stat.CurrentRecord != 2 {
			t.Errorf("all rows: %d, %+v", len(r.Rows.Row), r.Stat)
		}
		b.call(3, &gen.QueryRowsRequest{Handle: b.h(), Stat: &gen.Stat{CurrentRecord: 0x11}, Count: 2,
			PropertyTags: tags(displayName, nonsense)}, &r)
		if got := values(r.Rows); !slices.Equal(got, []string{"Alan Turing;-2147221233;", "Barbara Liskov;-2147221233;"}) || r.Stat.CurrentRecord != 0x13 {
			t.Errorf("two rows: %q, %+v", got, r.Stat)
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

func TestTablesAreReadWithASessionOnly(t *testing.T) {
	inEverySyntax(t, func(t *testing.T, b *book) {
		whole := b.encode(&gen.UpdateStatRequest{Handle: b.h(), Stat: &gen.Stat{}})
		for cut := range whole {
			if _, err := b.conn.Call(2, whole[:cut]); !client.IsFault(err, rpcparse.StatusBadStubData) {
				t.Fatalf("%d of %d bytes: %v", cut, len(whole), err)
			}
		}
		if err := b.conn.NspiUnbind(b.handle); err != nil {
			t.Fatal(err)
		}
		if _, err := b.conn.Call(2, whole); !client.IsFault(err, rpcparse.StatusContextMismatch) {
			t.Errorf("without the session: %v", err)
		}
	})
}
