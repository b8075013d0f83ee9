// Package secctx follows a security context with the keys of its server: it
// derives what both ends derive, without taking part, and can then read, verify
// and make PDUs as either of them.
//
//	h := secctx.NewHandshake(keys)
//	h.FromClient(token) … h.FromServer(token)      every token of the handshake
//	c := h.Context()                               nil: the keys are not known; h.Outcome() says why
//
// A [Context] has two half-states for each direction: how the sender protects,
// and what the receiver expects. They are the same until a PDU is withheld or
// injected. From then on every protected PDU of that direction is opened with
// the one and protected again with the other:
//
//	        client                      proxy                        server
//	sends   Nc, keys  ──────▶  in[c→s]  open … seal  out[c→s]  ──────▶
//	expects           ◀──────  out[s→c] seal … open  in[s→c]   ◀──────  Ns, keys
//
// The mechanisms are in packages ntlm and krb5 below; tokens are unwrapped by
// package spnego. Nothing here logs, and no error holds a key.
package secctx
