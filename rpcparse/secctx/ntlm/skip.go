package ntlm

// maxSkipped is how many bytes of key stream may be owed before they are
// spent: a message that has to be read after a long silence must not hold up
// everybody else. A mebibyte of RC4 takes a few milliseconds.
const maxSkipped = 1 << 20

// Skip advances the stream over one PDU that is not opened: its body has n
// bytes, and with seal they are encrypted. The key stream is not computed
// before it is needed.
func (s *Stream) Skip(n int, seal bool) {
	if seal {
		s.skipped += n
	}
	if s.keyExchange {
		s.skipped += checksumSize
	}
	s.seq++
	if s.skipped > maxSkipped {
		s.catchUp()
	}
}

// checksumSize is the part of a token that the key stream encrypts.
const checksumSize = 8

// catchUp spends the key stream of skipped PDUs.
func (s *Stream) catchUp() {
	var waste [512]byte
	for s.skipped > 0 {
		n := min(s.skipped, len(waste))
		s.cipher.XORKeyStream(waste[:n], waste[:n])
		s.skipped -= n
	}
}

// Clone returns a stream in the same state that goes its own way.
func (s *Stream) Clone() *Stream {
	c := *s
	cipher := *s.cipher
	c.cipher = &cipher
	c.mac = s.newMAC()
	return &c
}
