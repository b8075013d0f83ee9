package rpcparse

import (
	"bytes"
	"reflect"
	"testing"
)

// Whatever a PDU is, parsing it with its header gives what the parser of its
// type gives, and nothing of the PDU that was parsed before.
func TestPDUIsParsedAsByTheParserOfItsType(t *testing.T) {
	var p PDU
	for _, g := range goldens {
		raw := unhex(t, g.hex)
		h, err := ParseHeader(raw)
		if err != nil {
			t.Fatal(err)
		}
		p.Opened = true
		p.Parse(h, raw)
		want := PDU{Header: h, Raw: raw}
		switch h.Type {
		case PTypeRequest:
			want.Request, err = ParseRequest(raw)
		case PTypeResponse:
			want.Response, err = ParseResponse(raw)
		}
		if err != nil || !reflect.DeepEqual(p, want) {
			t.Errorf("%s:\n%+v, want\n%+v, error %v", g.name, p, want, err)
		}
	}
}

func TestPDUWithABadBodyKeepsItsHeaderAndTheError(t *testing.T) {
	for _, name := range []string{"request padded to four", "sealed response"} {
		raw := golden(t, name)
		h, err := ParseHeader(raw)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)-int(h.AuthLength)-VerifierSize+2] = 255 // auth_pad_length
		var p PDU
		p.Parse(h, raw)
		if ClassOf(p.Err) != ClassInvalid || p.Header != h || p.Verifier() != nil || p.StubOffset() != 0 {
			t.Errorf("%s: %+v", name, p)
		}
		if !reflect.DeepEqual(p.Request, Request{}) || !reflect.DeepEqual(p.Response, Response{}) {
			t.Errorf("%s: a part of the body is kept: %+v", name, p)
		}
		p.Parse(h, raw[:len(raw)-1])
		if ClassOf(p.Err) != ClassInvalid {
			t.Errorf("%s: one byte is missing, error %v", name, p.Err)
		}
	}
}

func TestRebasedPDURefersToTheCopyAlone(t *testing.T) {
	for _, g := range goldens {
		p, want := parsed(t, unhex(t, g.hex)), parsed(t, unhex(t, g.hex))
		original := p.Raw
		p.Rebase(append(bytes.Clone(original), 1, 2, 3)) // room behind it does not count
		for i := range original {
			original[i] = 0xee
		}
		if !reflect.DeepEqual(p, want) {
			t.Errorf("%s:\n%+v, want\n%+v", g.name, p, want)
		}
	}
}

func TestVerifierOfAPDULeadsToTheTrailer(t *testing.T) {
	p := parsed(t, golden(t, "sealed response"))
	v := p.Verifier()
	if v == nil || v.Level != LevelPrivacy || v.Offset != len(p.Raw)-VerifierSize-16 || p.StubOffset() != 24 {
		t.Errorf("verifier %+v, stub at %d", v, p.StubOffset())
	}
	if v := parsed(t, golden(t, "request with an object UUID")); v.Verifier() == nil || v.StubOffset() != 40 {
		t.Errorf("%+v", v)
	}
	if parsed(t, golden(t, "NspiUnbind response")).Verifier() != nil || parsed(t, golden(t, "auth3")).Verifier() != nil {
		t.Error("a verifier where none is looked for")
	}
}

// A reader of captures follows PDUs whose header was refused, because it shows them.
func TestBodyBehindARefusedHeaderIsAnErrorAndNoPanic(t *testing.T) {
	for _, g := range goldens {
		raw := unhex(t, g.hex)
		h, err := ParseHeader(raw)
		if err != nil {
			t.Fatal(err)
		}
		h.AuthLength = h.FragLength // more than fits
		h.Order().PutUint16(raw[10:], h.AuthLength)
		if _, err := ParseHeader(raw); err == nil {
			t.Fatalf("%s: a header that does not fit was accepted", g.name)
		}
		for _, follow := range []func(*Conversation, *PDU, []Event) ([]Event, error){(*Conversation).ClientPDU, (*Conversation).ServerPDU} {
			var p PDU
			p.Parse(h, raw)
			c := NewConversation(ConversationOptions{FollowAll: true, MidStream: true})
			if _, err := follow(c, &p, nil); err == nil && h.Type != PTypeShutdown && h.Type != PTypeCoCancel && h.Type != PTypeOrphaned {
				t.Errorf("%s: no error", g.name)
			}
		}
	}
}
