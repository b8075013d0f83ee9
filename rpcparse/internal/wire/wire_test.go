package wire

import (
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
)

func TestSyntaxIDReadsBothByteOrders(t *testing.T) {
	want := SyntaxID{UUID: MustUUID("f5cc5a18-4264-101a-8c59-08002b2f8426"), Version: 56}
	for _, tc := range []struct {
		order Order
		hex   string
	}{
		{LittleEndian, "185accf564421a108c5908002b2f842638000000"},
		{BigEndian, "f5cc5a184264101a8c5908002b2f842600000038"},
	} {
		b, _ := hex.DecodeString(tc.hex)
		var got SyntaxID
		if got.Read(b, tc.order); got != want {
			t.Errorf("big-endian %v: got %v, want %v", tc.order, got, want)
		}
		if got := hex.EncodeToString(want.Append(nil, tc.order)); got != tc.hex {
			t.Errorf("big-endian %v: appended %s, want %s", tc.order, got, tc.hex)
		}
	}
	if got := want.String(); got != "f5cc5a18-4264-101a-8c59-08002b2f8426 v56.0" {
		t.Errorf("String() = %q", got)
	}
}

func TestErrorMatchesByClassAndName(t *testing.T) {
	err := fmt.Errorf("reading: %w", Errorf(ClassLimit, "frag_length", 8, "70000, at most 65535"))
	if ClassOf(err) != ClassLimit {
		t.Errorf("ClassOf = %v", ClassOf(err))
	}
	if !errors.Is(err, &Error{Class: ClassLimit}) || !errors.Is(err, &Error{Name: "frag_length"}) {
		t.Error("does not match its own class and name")
	}
	if errors.Is(err, &Error{Class: ClassShort}) || errors.Is(err, &Error{Class: ClassLimit, Name: "other"}) {
		t.Error("matches another class or name")
	}
}
