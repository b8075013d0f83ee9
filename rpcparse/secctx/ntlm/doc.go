// Package ntlm reads, writes and computes NTLM (MS-NLMP) as DCE/RPC carries
// it: the three messages of a handshake, the keys that follow from it, and
// the protection of PDUs.
//
//	client                              server
//	NEGOTIATE  ── bind ───────────────▶
//	           ◀─────────── bind_ack ── CHALLENGE      ServerChallenge
//	AUTHENTICATE ── auth3 ────────────▶                names, proof, session key
//
// Reading is for everybody who watches: [ParseNegotiate], [ParseChallenge] and
// [ParseAuthenticate] check every offset and length of hostile messages and
// return sub-slices of the token; only names are decoded, and bounded. A name
// in an AUTHENTICATE is a claim until the server accepts it.
//
// Keys follow from the user's NT hash alone ([Authenticate.Key]), for both
// ends and for whoever sits between them. A [Stream] is one direction of a
// security context, its keys, RC4 state and sequence number: it protects or
// unprotects PDUs in place without allocating. [Session] pairs two.
//
// [Initiator] and [Acceptor] are the two ends of a handshake.
//
// Only NTLMv2 and NTLM with extended session security are computed; the
// CRC-32 signatures of older dialects are not.
package ntlm
