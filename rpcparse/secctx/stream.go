package secctx

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// stream is one half-state: the keys and counters of one direction.
type stream interface {
	Protect(pdu []byte, body, trailer int, seal bool) error
	Unprotect(pdu []byte, body, trailer int, seal bool) error
	// skip advances it over a PDU that is not opened.
	skip(bodyLen int, seal bool)
	clone() stream
	tokenSize(seal bool) int
	setHeaderSigning(on bool)
}

// ntlmStream is an NTLM stream. With extended session security it always signs
// headers.
type ntlmStream struct{ *ntlm.Stream }

func (s ntlmStream) skip(bodyLen int, seal bool) { s.Skip(bodyLen, seal) }
func (s ntlmStream) clone() stream               { return ntlmStream{s.Clone()} }
func (ntlmStream) tokenSize(bool) int            { return ntlm.TokenSize }
func (ntlmStream) setHeaderSigning(bool)         {}

// krb5Stream is a Kerberos stream.
type krb5Stream struct{ *krb5.Stream }

func (s krb5Stream) skip(n int, seal bool)    { s.Skip(n, seal) }
func (s krb5Stream) clone() stream            { return krb5Stream{s.Clone()} }
func (s krb5Stream) tokenSize(seal bool) int  { return s.TokenSize(seal) }
func (s krb5Stream) setHeaderSigning(on bool) { s.SetHeaderSigning(on) }
