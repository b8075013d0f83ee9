package inspect

import (
	"bytes"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

const (
	first  = rpcparse.FlagFirstFrag
	middle = rpcparse.Flags(0)
	last   = rpcparse.FlagLastFrag
)

// mapperPDU is one PDU of an endpoint mapper.
type mapperPDU struct {
	ptype rpcparse.PType
	call  uint32
	flags rpcparse.Flags
}

func (m mapperPDU) bytes(t *testing.T) (b []byte) {
	t.Helper()
	h := rpcparse.Header{Type: m.ptype, Flags: m.flags, Drep: rpcparse.DrepLittleEndian, CallID: m.call}
	var err error
	if m.ptype == rpcparse.PTypeFault {
		b, err = rpcparse.AppendFault(nil, rpcparse.Fault{Header: h, Status: rpcparse.StatusBadStubData})
	} else {
		b, err = rpcparse.AppendResponse(nil, rpcparse.Response{Header: h, Stub: make([]byte, 8)})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pass does with a PDU what the inspector does, and returns what the client gets.
func (e *endpointRewriter) pass(h rpcparse.Header, pdu []byte) []byte {
	var v Verdict
	late := e.interrupted(unheardExchange(), h)
	if h.Type == rpcparse.PTypeResponse {
		var x protectedPDU
		x.parse(h, pdu)
		v = e.answer(unheardExchange(), &rpcparse.Call{
			Opnum: tower.OpnumLookup, Level: rpcparse.LevelNone,
			Context: &rpcparse.PresentationContext{Abstract: tower.EPMInterface, Transfer: rpcparse.TransferNDR},
		}, x)
	}
	v = before(late, pdu, v)
	return v.ToClient
}

// What is not made of whole answers reaches the client as the server sent it.
func TestMapperAnswersAreNeverMixed(t *testing.T) {
	response := func(call uint32, flags rpcparse.Flags) mapperPDU {
		return mapperPDU{rpcparse.PTypeResponse, call, flags}
	}
	fault := mapperPDU{rpcparse.PTypeFault, 1, first | last}
	for name, tc := range map[string]struct {
		pdus []mapperPDU
		want []int // how many PDUs the client has after each
	}{
		"whole":                {[]mapperPDU{response(1, first), response(1, middle), response(1, last)}, []int{0, 0, 3}},
		"ended by a fault":     {[]mapperPDU{response(1, first), fault, response(2, first), response(2, last)}, []int{0, 2, 2, 4}},
		"begun anew":           {[]mapperPDU{response(1, first), response(1, first), response(1, last)}, []int{0, 1, 3}},
		"another call":         {[]mapperPDU{response(1, first), response(2, first), response(2, last)}, []int{0, 1, 3}},
		"another, whole":       {[]mapperPDU{response(1, first), response(2, first|last), response(1, last)}, []int{0, 2, 3}},
		"interleaved":          {[]mapperPDU{response(1, first), response(2, first), response(1, last), response(2, last)}, []int{0, 1, 3, 4}},
		"middle, no beginning": {[]mapperPDU{response(1, middle), response(1, last)}, []int{1, 2}},
		"without a beginning":  {[]mapperPDU{response(1, last), response(2, first), response(2, last)}, []int{1, 1, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &endpointRewriter{}
			var sent [][]byte
			var got []byte
			for n, m := range tc.pdus {
				pdu := m.bytes(t)
				sent = append(sent, pdu)
				h, err := rpcparse.ParseHeader(pdu)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, e.pass(h, slices.Clone(pdu))...)
				if want := bytes.Join(sent[:tc.want[n]], nil); !bytes.Equal(got, want) {
					t.Fatalf("after PDU %d the client has %d bytes, want %d PDUs, %d bytes", n, len(got), tc.want[n], len(want))
				}
			}
		})
	}
}
