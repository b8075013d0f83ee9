package rpcparse

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func TestOfferOfTheAddressBookIsKnownUntilItIsAnsweredOrWithdrawn(t *testing.T) {
	alter := func(id uint32, iface SyntaxID) []byte {
		return must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, id), Contexts: NewContextList(
			ContextElement{ID: uint16(id), Abstract: iface, Transfers: NewSyntaxList(SyntaxNDR)}),
			HasVerifier: true, Verifier: *ntlmVerifier(id, LevelConnect, negotiateToken)}))
	}
	s := bound(t)
	s.client(alter(20, otherInterface), alter(21, nspi.Interface), alter(22, nspi.Interface))
	for id, want := range map[uint32]bool{20: false, 21: true, 22: true, 23: false} {
		if s.c.OffersNSPI(id) != want {
			t.Errorf("call %d offers it: %v", id, !want)
		}
	}
	s.c.WithdrawAlterContext(21)
	if s.c.OffersNSPI(21) || s.c.SecurityContexts() != 2 {
		t.Errorf("withdrawn: it offers %v, and there are %d security contexts", s.c.OffersNSPI(21), s.c.SecurityContexts())
	}
	s.server(s.ackPDU(PTypeAlterContextResp, 22, nil, acceptNDR))
	if s.c.OffersNSPI(22) || !s.c.Context(22).IsNSPI() {
		t.Error("an offer that was accepted is not over")
	}
	s.wantNoError()
	s.server(s.ackPDU(PTypeAlterContextResp, 21, nil, acceptNDR)) // of what the server was not sent
	s.wantError(ClassState, "unexpected_answer")
}

// Its tokens look like those of no other mechanism, and nobody has its keys.
func TestSecureChannelPresentsWhatCannotBeRead(t *testing.T) {
	s := newScript(t)
	s.client(s.bindPDU(&Verifier{Type: AuthNetlogon, Level: LevelPrivacy, ContextID: 7, Token: []byte{0, 0, 0, 0, 3, 0, 0, 0, 'L', 0, 'M', 0}}))
	s.wantNoError()
	c := s.c.security.find(7)
	if c == nil || c.Presented != PresentedUnsupported || c.Mechanism != MechanismUnknown {
		t.Errorf("got %+v", c)
	}
}
