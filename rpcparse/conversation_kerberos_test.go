package rpcparse

import "testing"

// The first bytes of Kerberos messages are all that a conversation looks at.
var apReq, apRep, krbError = []byte{0x6e, 1, 0}, []byte{0x6f, 1, 0}, []byte{0x7e, 1, 0}

func TestKerberosInThreeLegsByAlterContextIsNotOverAfterTheSecond(t *testing.T) {
	s := bound(t)
	s.client(alter(t, 2, 7, apReq)).server(s.ackPDU(PTypeAlterContextResp, 2, ntlmVerifier(7, LevelConnect, apRep)))
	if s.c.security.find(7).Accepted() {
		t.Error("accepted before the client's last leg")
	}
	s.client(alter(t, 3, 7, apRep))
	s.wantNoError()
}

func TestKRBErrorAcceptsNobodyAndTheClientMayTryAgain(t *testing.T) {
	s := bound(t)
	s.client(alter(t, 2, 7, apReq)).server(s.ackPDU(PTypeAlterContextResp, 2, ntlmVerifier(7, LevelConnect, krbError)))
	if s.c.security.find(7).Accepted() {
		t.Error("accepted by a KRB-ERROR")
	}
	s.client(alter(t, 3, 7, apReq))
	s.wantNoError()
}
