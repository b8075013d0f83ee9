package nspi

import (
	"bytes"
	"context"
	"testing"

	"github.com/oiweiwei/go-msrpc/msrpc/dtyp"
	nspi "github.com/oiweiwei/go-msrpc/msrpc/nspi/nspi/v56"
	"github.com/oiweiwei/go-msrpc/ndr"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// A second implementation encodes the same values. It only ever encodes: its
// decoders are not made for hostile bytes.

// oracle encodes v as the other implementation does.
func oracle(t *testing.T, v ndr.Marshaler, s Syntax, o wire.Order) []byte {
	t.Helper()
	if s == NDR64 {
		b, err := ndr.Marshal64(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	drep := ndr.DefaultDataRepresentation
	if o == wire.BigEndian {
		drep = ndr.DataRepresentation(ndr.ByteOrderBigEndian)
	}
	b, err := ndr.NDR20(nil, drep).Marshal(context.Background(), v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	oracleHandle = &nspi.Handle{Attributes: 0x01020304, UUID: &dtyp.GUID{
		Data1: 0xbd6c2765, Data2: 0xd7f4, Data3: 0x48c8, Data4: []byte{0x98, 0x5b, 0x43, 0x22, 0x16, 0x83, 0x9b, 0x6c},
	}}
	ourHandle = "04030201 65276cbdf4d7c848985b432216839b6c"
	ourGUID   = [GUIDSize]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
)

func oracleGUID(present bool) *nspi.FlatUID {
	if !present {
		return nil
	}
	return &nspi.FlatUID{Value: ourGUID[:]}
}

func TestBindAgreesWithAnotherImplementation(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			for _, guid := range []bool{true, false} {
				req := oracle(t, &nspi.BindRequest{
					Flags:      FlagAnonymousLogin,
					Stat:       &nspi.Stat{SortType: 1, ContainerID: 2, CurrentRecord: 3, Delta: -4, PosLength: 5, TotalRecords: 6, CodePage: 1252, TemplateLocale: 0x409, SortLocale: 0x40c},
					ServerGUID: oracleGUID(guid),
				}, e.syntax, e.order)
				got, err := ParseBindRequest(req, e.syntax, e.order)
				if err != nil {
					t.Fatal(err)
				}
				if got.Flags != FlagAnonymousLogin || got.CodePage != 1252 || got.HasGUID != guid || guid && got.GUID != ourGUID {
					t.Errorf("request: %+v", got)
				}
				if again := AppendBindRequest(nil, got, e.syntax, e.order); !bytes.Equal(again, req) {
					t.Errorf("request: ours %x, theirs %x", again, req)
				}

				resp := oracle(t, &nspi.BindResponse{ServerGUID: oracleGUID(guid), ContextHandle: oracleHandle, Return: 0}, e.syntax, e.order)
				answer, err := ParseBindResponse(resp, e.syntax, e.order)
				if err != nil {
					t.Fatal(err)
				}
				if !answer.Granted() || answer.HasGUID != guid || answer.Handle != Handle(unhex(t, ourHandle)) {
					t.Errorf("response: %+v", answer)
				}
				if again := AppendBindResponse(nil, answer, e.syntax, e.order); !bytes.Equal(again, resp) {
					t.Errorf("response: ours %x, theirs %x", again, resp)
				}
			}
		})
	}
}

func TestUnbindAgreesWithAnotherImplementation(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			theirs := oracle(t, &nspi.UnbindRequest{ContextHandle: oracleHandle}, e.syntax, e.order)
			ours := AppendUnbindRequest(nil, UnbindRequest{Handle: Handle(unhex(t, ourHandle))}, e.syntax, e.order)
			if !bytes.Equal(ours, theirs) {
				t.Errorf("request: ours %x, theirs %x", ours, theirs)
			}
			theirs = oracle(t, &nspi.UnbindResponse{Return: 1}, e.syntax, e.order)
			ours = AppendUnbindResponse(nil, UnbindResponse{Code: UnbindSuccess}, e.syntax, e.order)
			if !bytes.Equal(ours, theirs) {
				t.Errorf("response: ours %x, theirs %x", ours, theirs)
			}
		})
	}
}

// The refusal that we make up must be what any client decodes as a refusal.
func TestRefusalIsDecodedByAnotherImplementation(t *testing.T) {
	req := BindRequest{HasGUID: true, GUID: ourGUID}
	for _, form := range []FailureForm{FormSpec, FormEcho} {
		for _, s := range []Syntax{NDR, NDR64} {
			stub := AppendBindFailure(nil, s, form, req)
			var got nspi.BindResponse
			var err error
			if s == NDR64 {
				err = ndr.Unmarshal64(stub, &got)
			} else {
				err = ndr.Unmarshal(stub, &got)
			}
			if err != nil {
				t.Fatal(err)
			}
			if uint32(got.Return) != uint32(LogonFailed) || (got.ServerGUID != nil) != (form == FormEcho) {
				t.Errorf("%v, %v: %+v", s, form, got)
			}
		}
	}
}
