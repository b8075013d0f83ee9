package rpcparse

// Framer cuts one direction of a connection into PDUs, without copying and
// without keeping bytes: the caller owns the buffer. One per direction; the
// zero value frames what a client sends.
//
//	for {
//		pdu, h, err := f.Next(buf)
//		if err != nil { close both sides }
//		if pdu == nil { read more behind buf; continue later }
//		...
//		buf = buf[len(pdu):]
//	}
//
// Each call looks at no more than one header, so framing takes time linear in
// the bytes however they are split.
type Framer struct {
	Limits Limits
	Dir    Direction
	// AllowRTS accepts PTYPE 20, which belongs on RPC over HTTP connections
	// only: elsewhere it is invalid.
	AllowRTS bool

	negotiated uint16 // 0 until SetMaxFragment
	err        error  // the first failure; there is no way back into a stream
}

// Next returns the PDU at the start of b with its header. The PDU is the
// first bytes of b and the next one starts right behind it. A nil PDU and nil
// error mean that b does not hold a whole PDU yet (see [Framer.Need]); h is
// its header if b has that much.
//
// An error is returned as soon as the bytes that show it are there, from the
// first on. An error is final: every later call returns it again.
func (f *Framer) Next(b []byte) (pdu []byte, h Header, err error) {
	if f.err != nil {
		return nil, Header{}, f.err
	}
	if len(b) < HeaderSize {
		f.err = f.checkPrefix(b)
		return nil, Header{}, f.err
	}
	if err = h.parse(b); err == nil {
		err = f.check(&h)
	} else if earlier := f.checkPrefix(b); earlier != nil {
		err = earlier // what fewer bytes would have shown
	}
	if err != nil {
		f.err = err
		return nil, Header{}, err
	}
	n := int(h.FragLength)
	if n > len(b) {
		return nil, h, nil
	}
	return b[:n:n], h, nil
}

// Need returns how many bytes must follow b, at least, before Next can say
// more than it says now: 0 if b starts with a whole PDU or with an error.
func (f *Framer) Need(b []byte) int {
	if f.err != nil {
		return 0
	}
	if len(b) < HeaderSize {
		if f.checkPrefix(b) != nil {
			return 0
		}
		return HeaderSize - len(b)
	}
	var h Header
	if h.parse(b) != nil || f.check(&h) != nil {
		return 0
	}
	return max(0, int(h.FragLength)-len(b))
}

// SetMaxFragment sets the fragment size that bind_ack agreed on for this
// direction, in bytes. It raises the limit of requests, responses and faults
// above DefaultFragment, up to Limits.MaxFragment. It never lowers it below:
// what exceeds a smaller agreement is the other side's to judge.
func (f *Framer) SetMaxFragment(n int) { f.negotiated = uint16(min(max(n, 0), MaxPDU)) }

// MaxFragment returns the limit now in force for requests, responses and
// faults, in bytes.
func (f *Framer) MaxFragment() int {
	return min(max(DefaultFragment, int(f.negotiated)), f.Limits.maxFragment())
}

// checkPrefix judges the first bytes of a PDU in the order in which they
// arrive, so that the error does not depend on how the stream was split.
func (f *Framer) checkPrefix(b []byte) error {
	const upToType = 3
	if len(b) >= upToType {
		if err := checkPrefix(b[:upToType]); err != nil {
			return err
		}
		if t := PType(b[2]); !f.allows(t) {
			return f.typeError(t)
		}
	}
	return checkPrefix(b)
}

// check judges a good header: is this the direction and the size for it?
func (f *Framer) check(h *Header) error {
	if !f.allows(h.Type) {
		return f.typeError(h.Type)
	}
	if limit := f.limit(h.Type); int(h.FragLength) > limit {
		return Errorf(ClassLimit, "frag_length", 8, "%s of %d bytes, at most %d", h.Type, h.FragLength, limit)
	}
	if h.Type == PTypeAuth3 && h.AuthLength > MaxAuth3Token {
		return Errorf(ClassLimit, "auth_length", 10, "auth3 token of %d bytes, at most %d", h.AuthLength, MaxAuth3Token)
	}
	return nil
}

func (f *Framer) allows(t PType) bool {
	return t.SentBy(f.Dir) && (t != PTypeRTS || f.AllowRTS)
}

func (f *Framer) typeError(t PType) error {
	if t == PTypeRTS {
		return Errorf(ClassInvalid, "ptype", 2, "rts outside RPC over HTTP")
	}
	return Errorf(ClassInvalid, "ptype", 2, "%s, which the other side sends", t)
}

// limit returns the largest PDU of type t, in bytes.
func (f *Framer) limit(t PType) int {
	switch t {
	case PTypeBind, PTypeBindAck, PTypeAlterContext, PTypeAlterContextResp:
		return f.Limits.maxBind()
	case PTypeAuth3:
		return MaxAuth3
	}
	return f.MaxFragment()
}
