package capturetest

// ordering shows segments that come twice, late or in pieces.
func ordering() []Scenario {
	return []Scenario{segmented(), coalesced(), retransmitted(), overlapping(), swapped(), splitHeader(), afterTheEnd(), keptAlive()}
}

func segmented() Scenario {
	t, frames := established()
	r := Request(1, 0, 3000)
	frames = append(frames, t.Client(r[:1400]), t.Client(r[1400:2800]), t.Client(r[2800:], Request(2, 0, 8)))
	return Scenario{Name: "a PDU over three segments", File: ethernet(frames...), Streams: 1, PDUs: []string{"5 0 0 1", "5 0 0 2"}}
}

func coalesced() Scenario {
	t, frames := established()
	frames = append(frames, t.Client(Request(1, 0, 8), Request(2, 0, 8), Request(3, 0, 8)), t.Server(Response(1, 8), Response(2, 8), Response(3, 8)))
	return Scenario{
		Name: "three PDUs in a segment", File: ethernet(frames...), Streams: 1,
		PDUs: []string{"3 0 0 1", "3 0 0 2", "3 0 0 3", "4 0 2 1", "4 0 2 2", "4 0 2 3"},
	}
}

func retransmitted() Scenario {
	t, frames := established()
	first := t.Client(Request(1, 0, 8))
	frames = append(frames, first, first, t.Client(Request(2, 0, 8)), first)
	return Scenario{Name: "a segment that comes three times", File: ethernet(frames...), Streams: 1, PDUs: []string{"3 0 0 1", "5 0 0 2"}}
}

func overlapping() Scenario {
	t, frames := established()
	one, two := Request(1, 0, 8), Request(2, 0, 8)
	start := *t
	frames = append(frames, t.Client(one[:20]), start.Client(one, two))
	return Scenario{
		Name: "a retransmission that brings more", File: ethernet(frames...), Streams: 1, PDUs: []string{"4 0 0 1", "4 0 0 2"},
		Why: "tshark leaves retransmissions out, also what is new in them",
	}
}

func swapped() Scenario {
	t, frames := established()
	first, second := t.Client(Request(1, 0, 8)), t.Client(Request(2, 0, 8))
	frames = append(frames, second, first, t.Server(Response(1, 8)))
	return Scenario{
		Name: "two segments in the wrong order", File: ethernet(frames...), Streams: 1,
		PDUs:   []string{"4 0 0 1", "4 0 0 2", "5 0 2 1"},
		Tshark: []string{"3 0 0 2", "5 0 2 1"},
		Why:    "without tcp.reassemble_out_of_order tshark takes the second as it comes, and leaves out the first",
	}
}

func splitHeader() Scenario {
	t, frames := established()
	r := Request(1, 0, 8)
	frames = append(frames, t.Client(r[:1]), t.Client(r[1:10]), t.Client(r[10:]), t.Client(Request(2, 0, 8)))
	return Scenario{
		Name: "a first header in three segments", File: ethernet(frames...), Streams: 1, PDUs: []string{"5 0 0 1", "6 0 0 2"},
		Tshark: []string{"6 0 0 2"}, Why: "tshark's heuristics see one segment",
	}
}

func afterTheEnd() Scenario {
	t, frames := established()
	frames = append(frames, t.Client(Request(1, 0, 8)), t.FromServer(RST, nil).Frame(), t.Client(Request(2, 0, 8)))
	return Scenario{Name: "data after a reset", File: ethernet(frames...), Streams: 1, PDUs: []string{"3 0 0 1", "5 0 0 2"}}
}

func keptAlive() Scenario {
	t, frames := established()
	frames = append(frames, t.Client(Request(1, 0, 8)))
	probe := t.FromClient(ACK, []byte{0})
	t.ClientSeq--
	frames = append(frames, with(probe, func(s *Segment) { s.Seq-- }), t.Client(Request(2, 0, 8)))
	return Scenario{Name: "a keep-alive probe with a byte", File: ethernet(frames...), Streams: 1, PDUs: []string{"3 0 0 1", "5 0 0 2"}}
}

// gaps shows what was sent, but not captured.
func gaps() []Scenario {
	return []Scenario{
		lostPDU(), lostTail(), lostInside(), lostHead(), lostAndNotAcknowledged(), lateAnswer(), cutFrames(), oneSided(),
	}
}

func lostPDU() Scenario {
	t, frames := established()
	frames = append(frames, t.Client(Request(1, 0, 8)))
	t.Lose(len(Request(2, 0, 8)))
	frames = append(frames, t.Client(Request(3, 0, 8)), t.Server(Response(3, 8)))
	return Scenario{Name: "a PDU is missing", File: ethernet(frames...), Streams: 1, PDUs: []string{"3 0 0 1", "4 0 0 3", "5 0 2 3"}}
}

func lostTail() Scenario {
	t, frames := established()
	two := Request(2, 0, 40)
	frames = append(frames, t.Client(Request(1, 0, 8), two[:30]))
	t.Lose(len(two) - 30)
	frames = append(frames, t.Client(Request(3, 0, 8)), t.Server(Response(3, 8)))
	return Scenario{Name: "the end of a PDU is missing", File: ethernet(frames...), Streams: 1, PDUs: []string{"3 0 0 1", "4 0 0 3", "5 0 2 3"}}
}

func lostInside() Scenario {
	t, frames := established()
	two := Request(2, 0, 40)
	frames = append(frames, t.Client(Request(1, 0, 8), two[:20]))
	t.Lose(10)
	frames = append(frames, t.Client(two[30:], Request(3, 0, 8)), t.Server(Response(3, 8)))
	return Scenario{
		Name: "the middle of a PDU is missing: its length tells where the next begins", File: ethernet(frames...), Streams: 1,
		PDUs: []string{"3 0 0 1", "4 0 0 3", "5 0 2 3"},
	}
}

func lostHead() Scenario {
	t, frames := established()
	two := Request(2, 0, 40)
	frames = append(frames, t.Client(Request(1, 0, 8)))
	t.Lose(30)
	frames = append(frames, t.Client(two[30:], Request(3, 0, 8)), t.Client(Request(4, 0, 8)))
	return Scenario{
		Name: "the head of a PDU is missing: reading goes on with a segment", File: ethernet(frames...), Streams: 1,
		PDUs: []string{"3 0 0 1", "5 0 0 4"},
	}
}

func lostAndNotAcknowledged() Scenario {
	t, frames := established()
	frames = append(frames, t.Client(Request(1, 0, 8)))
	t.Lose(500)
	frames = append(frames, t.Client(Request(3, 0, 8)))
	return Scenario{Name: "a gap shortly before the end", File: ethernet(frames...), Streams: 1, PDUs: []string{"3 0 0 1", "4 0 0 3"}}
}

func lateAnswer() Scenario {
	t, frames := established()
	request := t.Client(Request(1, 0, 8))
	frames = append(frames, t.Server(Response(1, 8)), request)
	return Scenario{
		Name: "an answer that was captured before its request", File: ethernet(frames...), Streams: 1,
		PDUs: []string{"3 0 2 1", "4 0 0 1"}, Tshark: []string{"3 0 2 1"},
		Why: "to tshark bytes that were acknowledged before are a spurious retransmission",
	}
}

func cutFrames() Scenario {
	t, frames := established()
	whole := t.Client(Request(1, 0, 8), Request(2, 3, 100))
	next := t.Client(Request(3, 0, 100))
	cut := Frame{Data: whole.Data[:14+40+len(Request(1, 0, 8))+30], Sent: len(whole.Data)}
	headless := Frame{Data: next.Data[:14+40+10], Sent: len(next.Data)}
	frames = append(frames, cut, headless, t.Client(Request(4, 0, 8)))
	return Scenario{
		Name: "frames cut at a snap length: a header is enough to show a PDU", File: ethernet(frames...), Streams: 1,
		PDUs: []string{"3 0 0 1", "3 0 0 2", "5 0 0 4"},
	}
}

func oneSided() Scenario {
	t := NewTalk()
	var frames []Frame
	for i := range uint32(3) {
		frames = append(frames, t.Client(Request(i, 0, 8)))
		t.Lose(100)
	}
	return Scenario{
		Name: "one direction only, in the middle, with gaps", File: ethernet(frames...), Streams: 1,
		PDUs: []string{"1 0 0 0", "2 0 0 1", "3 0 0 2"},
	}
}

// boundaries shows where PDUs begin, and where nothing is one.
func boundaries() []Scenario {
	return []Scenario{middle(), notAtAll(), typeOfTheOtherSide(), unknownType(), badAuthLength(), noLength(), otherVersion(), swappedRoles()}
}

func middle() Scenario {
	t := NewTalk()
	one := Request(1, 0, 40)
	return Scenario{
		Name: "a capture that begins inside a PDU", Streams: 1, PDUs: []string{"2 0 0 3"},
		File: ethernet(t.Client(one[20:], Request(2, 0, 8)), t.Client(Request(3, 0, 8))),
	}
}

func notAtAll() Scenario {
	t, frames := established()
	frames = append(frames, t.Client([]byte("GET / HTTP/1.1\r\n\r\n")), t.Client(Request(1, 0, 8)))
	return Scenario{Name: "a connection that begins with something else", File: ethernet(frames...), Streams: 1}
}

func bad(name string, pdu []byte, pdus ...string) Scenario {
	t, frames := established()
	frames = append(frames, t.Client(Request(1, 0, 8), pdu, Request(2, 0, 8)))
	return Scenario{Name: name, File: ethernet(frames...), Streams: 1, PDUs: pdus}
}

func typeOfTheOtherSide() Scenario {
	return bad("a PDU that only the server sends", Response(7, 8), "3 0 0 1", "3 0 2 7", "3 0 0 2")
}

func unknownType() Scenario {
	return bad("a PDU of the datagram protocol", PDU(6, 7, nil), "3 0 0 1", "3 0 6 7", "3 0 0 2")
}

func badAuthLength() Scenario {
	pdu := Request(7, 0, 8)
	pdu[10], pdu[11] = 0x90, 0x01
	return bad("a PDU whose auth_length is larger than itself", pdu, "3 0 0 1", "3 0 0 7", "3 0 0 2")
}

func noLength() Scenario {
	pdu := Request(7, 0, 8)
	pdu[8], pdu[9] = 10, 0
	return bad("a PDU of 10 bytes ends the direction", pdu, "3 0 0 1")
}

func otherVersion() Scenario {
	pdu := Request(7, 0, 8)
	pdu[0] = 4
	s := bad("a PDU of version 4 ends the direction", pdu, "3 0 0 1")
	s.Tshark, s.Why = []string{"3 0 0 1", "3 0 0 2"}, "tshark skips it by its length"
	return s
}

func swappedRoles() Scenario {
	t, frames := established()
	frames = append(frames, t.Server(Request(1, 0, 8)), t.Client(Response(1, 8)))
	return Scenario{Name: "the side that was called makes the calls", File: ethernet(frames...), Streams: 1, PDUs: []string{"3 0 0 1", "4 0 2 1"}}
}
