package capturetest

import "slices"

// Scenario is a capture and what is in it.
type Scenario struct {
	Name    string
	File    []byte
	Streams int      // TCP connections
	PDUs    []string // "frame stream type call_id"

	// Options are what tshark needs to read it at all.
	Options []string

	// Why tshark 4.0 says otherwise, if it does, and what.
	Why    string
	Tshark []string
}

// Scenarios are all of them.
func Scenarios() []Scenario {
	return slices.Concat(numbering(), linkTypes(), ordering(), gaps(), boundaries())
}

func ethernet(frames ...Frame) []byte { return Pcap(LinkEthernet, frames...) }

// with changes a segment.
func with(s Segment, change func(*Segment)) Frame {
	change(&s)
	return s.Frame()
}

// established returns a connection and its first two frames.
func established() (*Talk, []Frame) {
	t := NewTalk()
	return t, []Frame{t.SYN(), t.SYNACK()}
}
