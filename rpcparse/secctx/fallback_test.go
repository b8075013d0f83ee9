package secctx

import "testing"

// Whoever offers a ticket and logs on with NTLM instead is not the ticket's user.
func TestTicketThatNTLMReplacesNamesNobody(t *testing.T) {
	h := NewHandshake(nil)
	h.identity, h.krb5 = &Identity{Account: `LAB\victim`}, &krb5Legs{}
	h.FromClient(append([]byte("NTLMSSP\x00\x01\x00\x00\x00"), make([]byte, 20)...))
	if id, ok := h.Identity(); ok || h.krb5 != nil {
		t.Errorf("the handshake is %v's", id)
	}
}
