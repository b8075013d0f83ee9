package rpcparse

import (
	"errors"
	"reflect"
	"testing"
)

// view is what every PDU view has.
type view interface {
	comparableHeader() Header
	Len() int
}

func (h Header) comparableHeader() Header { return h }

// codec is one PDU type's three functions, for the tests that all types share.
type codec[T view] struct {
	types  []PType
	parse  func([]byte) (T, error)
	append func([]byte, T) ([]byte, error)
	// setDrep changes the byte order that x is written in.
	setDrep func(x *T, d Drep)
}

// anyCodec is a codec of any type.
type anyCodec interface {
	has(PType) bool
	checkBytes(testing.TB, []byte) []byte
	parseOnly([]byte) error
}

// codecs has every PDU type but rts, which has a header and no view.
var codecs = []anyCodec{
	requestCodec, responseCodec, faultCodec, bindCodec, bindAckCodec, bindNakCodec,
	auth3Codec, shutdownCodec, coCancelCodec, orphanedCodec,
}

var (
	requestCodec = codec[Request]{[]PType{PTypeRequest}, ParseRequest, AppendRequest,
		func(x *Request, d Drep) { x.Drep = d }}
	responseCodec = codec[Response]{[]PType{PTypeResponse}, ParseResponse, AppendResponse,
		func(x *Response, d Drep) { x.Drep = d }}
	faultCodec = codec[Fault]{[]PType{PTypeFault}, ParseFault, AppendFault,
		func(x *Fault, d Drep) { x.Drep = d }}
	bindCodec = codec[Bind]{[]PType{PTypeBind, PTypeAlterContext}, ParseBind, AppendBind,
		func(x *Bind, d Drep) { x.Drep = d }}
	bindAckCodec = codec[BindAck]{[]PType{PTypeBindAck, PTypeAlterContextResp}, ParseBindAck, AppendBindAck,
		func(x *BindAck, d Drep) { x.Drep = d }}
	bindNakCodec = codec[BindNak]{[]PType{PTypeBindNak}, ParseBindNak, AppendBindNak,
		func(x *BindNak, d Drep) { x.Drep = d }}
	auth3Codec = codec[Auth3]{[]PType{PTypeAuth3}, ParseAuth3, AppendAuth3,
		func(x *Auth3, d Drep) { x.Drep = d }}
	shutdownCodec = codec[Shutdown]{[]PType{PTypeShutdown}, ParseShutdown, AppendShutdown,
		func(x *Shutdown, d Drep) { x.Drep = d }}
	coCancelCodec = codec[CoCancel]{[]PType{PTypeCoCancel}, ParseCoCancel, AppendCoCancel,
		func(x *CoCancel, d Drep) { x.Drep = d }}
	orphanedCodec = codec[Orphaned]{[]PType{PTypeOrphaned}, ParseOrphaned, AppendOrphaned,
		func(x *Orphaned, d Drep) { x.Drep = d }}
)

// codecOf returns the codec of type p.
func codecOf(t testing.TB, p PType) anyCodec {
	t.Helper()
	for _, c := range codecs {
		if c.has(p) {
			return c
		}
	}
	t.Fatalf("no codec for %v", p)
	return nil
}

func (c codec[T]) has(p PType) bool {
	for _, t := range c.types {
		if t == p {
			return true
		}
	}
	return false
}

func (c codec[T]) parseOnly(b []byte) error {
	_, err := c.parse(b)
	return err
}

// check holds what every value of every type must: appending writes Len bytes
// behind what was there, parsing them gives a value that is written the same,
// in the other byte order too, and no part of a PDU is a PDU.
func (c codec[T]) check(t testing.TB, x T) {
	t.Helper()
	pdu := c.write(t, x)
	c.checkBytes(t, pdu)
	if back := c.otherOrderAndBack(t, x); string(back) != string(pdu) {
		t.Fatalf("through the other byte order\n%x became\n%x", pdu, back)
	}
	for i := range pdu {
		want := ClassInvalid
		if i < HeaderSize {
			want = ClassShort
		}
		if err := c.parseOnly(pdu[:i]); ClassOf(err) != want {
			t.Fatalf("first %d of %d bytes: error %v, expected class %v", i, len(pdu), err, want)
		}
		c.checkBytes(t, relength(pdu[:i]))
	}
	if err := c.parseOnly(append(pdu[:len(pdu):len(pdu)], 0)); !errors.Is(err, &Error{Class: ClassInvalid, Name: "frag_length"}) {
		t.Fatalf("a byte too many: error %v", err)
	}
	c.checkOtherTypes(t, pdu)
}

// write appends x behind other bytes and checks that they survive.
func (c codec[T]) write(t testing.TB, x T) []byte {
	t.Helper()
	const before = "before"
	b, err := c.append([]byte(before), x)
	if err != nil {
		t.Fatalf("appending %+v: %v", x, err)
	}
	pdu := b[len(before):]
	if string(b[:len(before)]) != before || len(pdu) != x.Len() {
		t.Fatalf("appended %x, expected %d bytes behind %q", b, x.Len(), before)
	}
	return pdu
}

// checkBytes holds what must be true of any bytes: a named error, or a view
// that is written and read again as the same. It returns what was written.
func (c codec[T]) checkBytes(t testing.TB, pdu []byte) []byte {
	t.Helper()
	x, err := c.parse(pdu)
	if err != nil {
		checkError(t, err, pdu)
		return nil
	}
	if h := x.comparableHeader(); int(h.FragLength) != len(pdu) {
		t.Fatalf("frag_length %d of %d bytes", h.FragLength, len(pdu))
	}
	again, err := c.append(nil, x)
	if err != nil {
		// Only what the encoder adds, padding that the input went without, can be too much.
		if ClassOf(err) == ClassLimit && x.Len() > MaxPDU {
			return nil
		}
		t.Fatalf("appending what was parsed from %x: %v", pdu, err)
	}
	if len(again) != x.Len() {
		t.Fatalf("appended %d bytes, Len is %d", len(again), x.Len())
	}
	y, err := c.parse(again)
	if err != nil {
		t.Fatalf("parsing what was appended, %x: %v", again, err)
	}
	c.same(t, again, y)
	// Reserved bytes inside a list survive its byte order, not another one.
	back := c.otherOrderAndBack(t, y)
	if z, err := c.parse(back); err != nil || len(back) != len(again) || string(c.otherOrderAndBack(t, z)) != string(back) {
		t.Fatalf("through the other byte order\n%x became\n%x (%v)", again, back, err)
	}
	return again
}

// same requires that y, parsed from pdu, is written as pdu.
func (c codec[T]) same(t testing.TB, pdu []byte, y T) {
	t.Helper()
	b, err := c.append(nil, y)
	if err != nil || string(b) != string(pdu) {
		t.Fatalf("written as\n%x (%v), was\n%x", b, err, pdu)
	}
}

// otherOrderAndBack writes x in the other byte order, reads that, and writes
// it in its own again.
func (c codec[T]) otherOrderAndBack(t testing.TB, x T) []byte {
	t.Helper()
	drep := x.comparableHeader().Drep
	x, _ = c.through(t, x, DrepOf(!drep.Order()))
	_, b := c.through(t, x, drep)
	return b
}

// through writes x with representation d and reads it.
func (c codec[T]) through(t testing.TB, x T, d Drep) (T, []byte) {
	t.Helper()
	c.setDrep(&x, d)
	b, err := c.append(nil, x)
	if err != nil {
		t.Fatal(err)
	}
	y, err := c.parse(b)
	if err != nil {
		t.Fatalf("parsing what was appended as %v, %x: %v", d, b, err)
	}
	return y, b
}

// checkOtherTypes requires that no other type's parser takes the PDU.
func (c codec[T]) checkOtherTypes(t testing.TB, pdu []byte) {
	t.Helper()
	for _, other := range codecs {
		if !other.has(PType(pdu[2])) && other.parseOnly(pdu) == nil {
			t.Fatalf("%T takes a %v", other, PType(pdu[2]))
		}
	}
}

// checkError requires an *Error of a class that more or other bytes explain,
// and an offset inside what was given or right behind it.
func checkError(t testing.TB, err error, b []byte) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || reflect.TypeOf(err) != reflect.TypeOf(e) {
		t.Fatalf("error %v is a %T", err, err)
	}
	if e.Class != ClassShort && e.Class != ClassInvalid || e.Name == "" || e.Offset < 0 || e.Offset > len(b) {
		t.Fatalf("error %+v for %x", e, b)
	}
	if e.Class == ClassShort && len(b) >= HeaderSize {
		t.Fatalf("%v, but a PDU is whole or wrong", e)
	}
}

// relength returns a copy of b whose frag_length says len(b).
func relength(b []byte) []byte {
	b = append([]byte(nil), b...)
	if len(b) >= HeaderSize {
		Drep(b[4:8]).Order().PutUint16(b[8:], uint16(len(b)))
	}
	return b
}
