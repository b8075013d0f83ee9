// Package spnego reads and writes SPNEGO tokens (RFC 4178, MS-SPNG), the
// envelope in which DCE/RPC clients negotiate NTLM or Kerberos.
//
// Three shapes arrive in a verifier of authentication type 9, and a few more
// in types 10 and 16:
//
//	60 L 06 06 <SPNEGO> a0 …   negTokenInit, the client's first leg   Parse
//	a1 L …                     negTokenResp, every later leg          Parse
//	60 L 06 09 <krb5> 01 00 …  a GSS-framed Kerberos token            Unwrap
//	6e …, 6f …, 7e …           a bare AP-REQ, AP-REP or KRB-ERROR     Unwrap
//	"NTLMSSP\0" …              a bare NTLM message                    Unwrap
//
// [Unwrap] answers the one question most readers have: which mechanism's
// token is in there, and where. [Parse] gives the envelope's own fields, and
// [AppendInit] and [AppendResp] write it.
//
// Input is hostile. The DER reader knows definite lengths of at most three
// octets, never recurses into what it does not know, advances by at least two
// bytes per element, and returns sub-slices of the token without copying. A
// failure here makes a security context unreadable for us and nothing more:
// the server is the judge of tokens.
package spnego
