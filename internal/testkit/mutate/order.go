package mutate

import "slices"

// writes returns the places of the steps that write.
func (m *mutation) writes() (at []int) {
	for i := range m.Steps {
		if m.Steps[i].Do == Write {
			at = append(at, i)
		}
	}
	return at
}

// write picks one of them, -1 if there is none.
func (m *mutation) write() int {
	at := m.writes()
	if len(at) == 0 {
		return -1
	}
	return at[m.IntN(len(at))]
}

// drop leaves a PDU out.
func drop(m *mutation) bool {
	i := m.write()
	if i < 0 {
		return false
	}
	m.Steps = slices.Delete(m.Steps, i, i+1)
	return true
}

// place puts a copy of a step somewhere.
func (m *mutation) place(s Step) {
	s.Data = slices.Clone(s.Data)
	m.Steps = slices.Insert(m.Steps, m.IntN(len(m.Steps)+1), s)
}

// duplicate sends a PDU once more, anywhere.
func duplicate(m *mutation) bool {
	i := m.write()
	if i < 0 {
		return false
	}
	m.place(m.Steps[i])
	return true
}

// mostRepeats is how often a PDU is sent in a row: more than the calls that a connection may have under way.
const mostRepeats = 300

// repeat sends a PDU many times in a row, as one write: with call ids that count, as a client that floods does, or the same.
func repeat(m *mutation) bool {
	i := m.write()
	if i < 0 {
		return false
	}
	pdu := m.Steps[i].Data
	counted := m.IntN(2) == 0 && len(pdu) >= headerSize
	var all []byte
	for n := range 2 + m.IntN(mostRepeats) {
		at := len(all)
		if all = append(all, pdu...); counted {
			o := order(all[at:])
			o.PutUint32(all[at+offCallID:], o.Uint32(pdu[offCallID:])+uint32(n))
		}
	}
	m.Steps[i].Data = all
	return true
}

// swap exchanges two PDUs that differ.
func swap(m *mutation) bool {
	i, j := m.write(), m.write()
	if i < 0 || m.Steps[i].Side == m.Steps[j].Side && slices.Equal(m.Steps[i].Data, m.Steps[j].Data) {
		return false
	}
	m.Steps[i], m.Steps[j] = m.Steps[j], m.Steps[i]
	return true
}

// merge sends two PDUs of one end in one write, the second before its time.
func merge(m *mutation) bool {
	i := m.write()
	if i < 0 {
		return false
	}
	for j := i + 1; j < len(m.Steps); j++ {
		if s := m.Steps[j]; s.Do == Write && s.Side == m.Steps[i].Side {
			m.Steps[i].Data = slices.Concat(m.Steps[i].Data, s.Data)
			m.Steps = slices.Delete(m.Steps, j, j+1)
			return true
		}
	}
	return false
}

// mostPieces is into how many writes one is split.
const mostPieces = 6

// split sends a PDU in several writes, with pauses between them.
func split(m *mutation) bool {
	i := m.write()
	if i < 0 || len(m.Steps[i].Data) < 2 {
		return false
	}
	whole := m.Steps[i]
	var pieces []Step
	for rest := whole.Data; ; {
		if len(rest) < 2 || len(pieces)/2 == mostPieces-1 {
			pieces = append(pieces, Step{whole.Side, Write, rest})
			break
		}
		n := 1 + m.IntN(len(rest)-1)
		pieces = append(pieces, Step{whole.Side, Write, slices.Clip(rest[:n])}, Step{whole.Side, Pause, nil})
		rest = rest[n:]
	}
	m.Steps = slices.Replace(m.Steps, i, i+1, pieces...)
	return true
}

// insert sends a PDU of another conversation.
func insert(m *mutation) bool {
	from := m.seeds[m.IntN(len(m.seeds))].Steps
	if len(from) == 0 {
		return false
	}
	m.place(from[m.IntN(len(from))])
	return true
}

// changeSides has the wrong end send a PDU.
func changeSides(m *mutation) bool {
	i := m.write()
	if i < 0 {
		return false
	}
	if s := &m.Steps[i]; s.Side == Client {
		s.Side = Server
	} else {
		s.Side = Client
	}
	return true
}

// others is what speaks no RPC.
var others = []string{"GET / HTTP/1.1\r\n\r\n", "\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 135\r\n",
	"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x87", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}

// notRPC sends what is no PDU.
func notRPC(m *mutation) bool {
	side := []Side{Client, Server}[m.IntN(2)]
	m.place(Step{side, Write, []byte(others[m.IntN(len(others))])})
	return true
}
