package capturetest

import "net/netip"

// numbering shows when Wireshark begins to count another stream.
func numbering() []Scenario {
	return []Scenario{
		reusedPorts(), repeatedSYN(), closedAndRepeatedSYN(), midStreamThenSYN(), answersThenSYN(),
		synAnsweredFirst(), synFromTheOtherSide(), quotedByICMP(), quotedByICMPAlone(), oddHeaders(),
	}
}

func reusedPorts() Scenario {
	t, frames := established()
	frames = append(frames, t.Client(Request(1, 0, 8)))
	old := *t
	t.ClientSeq, t.ServerSeq = 900000, 950000
	frames = append(frames, t.SYN(), t.SYNACK(), t.Client(Request(2, 0, 8)), t.Server(Response(2, 8)), old.Server(Response(1, 8)))
	return Scenario{
		Name: "ports are used again: what comes late belongs to the new connection", File: ethernet(frames...), Streams: 2,
		PDUs: []string{"3 0 0 1", "6 1 0 2", "7 1 2 2"},
	}
}

func repeatedSYN() Scenario {
	t := NewTalk()
	syn := t.SYN()
	return Scenario{
		Name: "a repeated SYN begins nothing", Streams: 1, PDUs: []string{"4 0 0 1"},
		File: ethernet(syn, syn, t.SYNACK(), t.Client(Request(1, 0, 8))),
	}
}

func closedAndRepeatedSYN() Scenario {
	t, frames := established()
	syn := frames[0]
	frames = append(frames, t.FromClient(FIN|ACK, nil).Frame(), t.FromServer(FIN|ACK, nil).Frame(), syn)
	return Scenario{Name: "the same initial sequence number again is the same stream", File: ethernet(frames...), Streams: 1}
}

func midStreamThenSYN() Scenario {
	t := NewTalk()
	first := t.Client(Request(1, 0, 8))
	t.ClientSeq = 70000
	return Scenario{
		Name: "a SYN after the middle of a stream", Streams: 2, PDUs: []string{"1 0 0 1", "4 1 0 2"},
		File: ethernet(first, t.SYN(), t.SYNACK(), t.Client(Request(2, 0, 8))),
	}
}

func answersThenSYN() Scenario {
	t := NewTalk()
	answer := t.Server(Response(1, 8)) // acknowledges 1000: the client began at 999
	same, other := *t, *t
	same.ClientSeq, other.ClientSeq = 999, 70000
	return Scenario{
		Name: "acknowledgements tell the initial sequence number", Streams: 2, PDUs: []string{"1 0 2 1"},
		File: ethernet(answer, same.SYN(), other.SYN()),
	}
}

func synAnsweredFirst() Scenario {
	t := NewTalk()
	syn, answer := t.SYN(), t.SYNACK()
	return Scenario{
		Name: "the answer to the SYN comes first", Streams: 1, PDUs: []string{"3 0 0 1"},
		File: ethernet(answer, syn, t.Client(Request(1, 0, 8))),
	}
}

func synFromTheOtherSide() Scenario {
	t, frames := established()
	back := &Talk{ClientEnd: t.ServerEnd, ServerEnd: t.ClientEnd, ClientSeq: 1, ServerSeq: 2}
	frames = append(frames, back.SYN(), back.SYNACK(), back.Client(Request(1, 0, 8)))
	return Scenario{Name: "the server connects back between the same ports", File: ethernet(frames...), Streams: 2, PDUs: []string{"5 1 0 1"}}
}

func icmpError(about Segment) Frame {
	message := append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, about.IP()...)
	return Frame{Data: Ethernet(IPv4(about.To.Addr(), about.From.Addr(), 1, message))}
}

func quotedByICMP() Scenario {
	t := NewTalk()
	syn := t.FromClient(SYN, nil)
	other := *t
	other.ClientEnd = netip.AddrPortFrom(t.ClientEnd.Addr(), 50001)
	return Scenario{
		Name: "an ICMP error about a connection that is known", Streams: 2,
		File: ethernet(syn.Frame(), icmpError(syn), other.SYN()),
	}
}

func quotedByICMPAlone() Scenario {
	t := NewTalk()
	request := t.FromClient(ACK, Request(1, 0, 8))
	other := *t
	other.ClientEnd = netip.AddrPortFrom(t.ClientEnd.Addr(), 50001)
	return Scenario{
		Name: "an ICMP error about a connection that was not seen", Streams: 2,
		File: ethernet(icmpError(request), other.SYN()), Tshark: []string{"1 0 0 1"},
		Why: "a quoted PDU has not been received by anybody",
	}
}

func oddHeaders() Scenario {
	t := NewTalk()
	talk := func(port uint16) Segment {
		s := t.FromClient(SYN, nil)
		s.From = netip.AddrPortFrom(s.From.Addr(), port)
		return s
	}
	cut := func(port uint16, n int) Frame {
		f := talk(port).Frame()
		return Frame{Data: f.Data[:14+20+n], Sent: len(f.Data)}
	}
	offset := func(port uint16, words byte) Frame {
		b := talk(port).TCP()
		b[12] = words << 4
		return Frame{Data: Ethernet(IPv4(t.ClientEnd.Addr(), t.ServerEnd.Addr(), 6, b))}
	}
	return Scenario{
		Name: "headers that are cut or wrong count from 16 bytes on", Streams: 4,
		File: ethernet(cut(1, 10), cut(2, 15), cut(3, 16), offset(4, 4), offset(5, 10), talk(6).Frame()),
	}
}
