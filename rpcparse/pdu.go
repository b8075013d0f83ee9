package rpcparse

// PDU is one whole PDU whose body has been parsed as far as inspection needs
// it, so that every part of the inspection reads the same result. The zero
// value is ready for [PDU.Parse] and may be used again for the next PDU.
type PDU struct {
	Header
	Raw      []byte   // the whole PDU; not owned
	Request  Request  // of type request: its views lead into Raw; zero if Err is set
	Response Response // of type response likewise
	Err      error    // why the body of a request or response could not be parsed; an *[Error]
	// Call is the call that the PDU belongs to, once a [Conversation] has followed
	// the PDU; nil if it belongs to none, or to one that is not followed.
	Call *Call
	// Opened says that the body was signed or sealed, has been verified and, if
	// it was sealed, decrypted in Raw.
	Opened bool
}

// Parse sets p to the PDU raw, whose header h the caller has from
// [ParseHeader] or a [Framer], and parses the body of a request or response.
// It keeps raw, and it allocates only to fail.
func (p *PDU) Parse(h Header, raw []byte) {
	if p.Raw != nil { // clearing what is zero already would take as long as parsing
		p.Request, p.Response = Request{}, Response{}
	}
	p.Header, p.Raw, p.Err, p.Call, p.Opened = h, raw, nil, nil, false
	switch h.Type {
	case PTypeRequest:
		p.Request.Header = h
		if p.Err = p.Request.parseBody(raw); p.Err != nil {
			p.Request = Request{}
		}
	case PTypeResponse:
		p.Response.Header = h
		if p.Err = p.Response.parseBody(raw); p.Err != nil {
			p.Response = Response{}
		}
	}
}

// Verifier returns the verifier of a request or response, or nil where there
// is none or the body could not be parsed. It leads into p.
func (p *PDU) Verifier() *Verifier {
	switch {
	case p.Request.HasVerifier:
		return &p.Request.Verifier
	case p.Response.HasVerifier:
		return &p.Response.Verifier
	}
	return nil
}

// StubOffset returns where the stub of a request or response begins, from the
// start of the PDU in bytes; 0 where there is none or the body could not be
// parsed.
func (p *PDU) StubOffset() int {
	if p.Type == PTypeRequest {
		return p.Request.StubOffset
	}
	return p.Response.StubOffset
}

// Rebase makes p refer to raw, a copy of the PDU with the same layout: header,
// lengths and trailer are equal, the stub and the token may differ, as in a
// copy that was decrypted. Nothing is parsed again. raw must be as long as
// p.Raw.
func (p *PDU) Rebase(raw []byte) {
	raw = raw[:len(p.Raw):len(p.Raw)]
	p.Raw = raw
	rebase(&p.Request.Stub, p.Request.StubOffset, raw)
	rebase(&p.Response.Stub, p.Response.StubOffset, raw)
	if v := p.Verifier(); v != nil {
		rebase(&v.Token, v.Offset+VerifierSize, raw)
	}
}

// rebase makes view, which begins at offset of a PDU, the same part of raw.
func rebase(view *[]byte, offset int, raw []byte) {
	if *view != nil {
		end := offset + len(*view)
		*view = raw[offset:end:end]
	}
}
