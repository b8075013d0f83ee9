// Package krb5 reads Kerberos (RFC 4120, RFC 4121) as DCE/RPC carries it, with
// the keys of the server but without being one of the ends: the handshake, the
// identity in the ticket, and the protection of PDUs.
//
//	client                              server
//	AP-REQ  ── bind ──────────────────▶           ticket, authenticator: session key, initiator's subkey, number
//	        ◀────────────── bind_ack ── AP-REP    acceptor's subkey, number
//	AP-REP  ── alter_context or auth3 ▶           nothing new
//
// A [Service] has the keys of one server's computer account, out of a [Keytab].
// [OpenAPReq] opens an AP-REQ with them, which gives the session key and the
// client's identity; [Initiated.OpenAPRep] gives the key that protects PDUs, and
// proves that the server has read that ticket. For the identity, messages are read
// as leniently as servers read them (read.go): in any form of ASN.1, and without
// what only protection needs. Tokens are hostile until a key has verified them:
// libraries see only what has passed checks of sizes, and never take the process
// down.
//
// A [Client] is one of the ends: it makes the first and the last leg for the
// project's own RPC client, with a ticket that it is given.
//
// A [Stream] is one direction of a security context: its keys and sequence
// number. It protects or unprotects PDUs in place, with the tokens of
// RFC 4121 (AES, also with SHA-2 as in RFC 8009) or RFC 4757 (RC4), in the
// form that DCE style gives them: token and body do not touch.
//
//	header │ body, encrypted in place │ security trailer 8 │ token
//
// What tells the encryption types apart is one row each of a table (etype.go):
// a new one is a row, and a form where its tokens differ.
//
// Nothing in this package prints a key.
package krb5
