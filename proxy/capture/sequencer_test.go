package capture

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// collector joins what a sequencer delivers, with a mark for what is lost.
type collector struct {
	data []byte
	lost []int
}

func (c *collector) take(p piece, lost int) {
	if lost != 0 {
		c.lost = append(c.lost, lost)
	}
	c.data = append(c.data, p.data...)
}

// TestSegmentsInAnyOrderMakeTheStream cuts a stream at random, repeats and
// shuffles the segments, and demands the stream.
func TestSegmentsInAnyOrderMakeTheStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stream := rapid.SliceOfN(rapid.Byte(), 1, 400).Draw(t, "stream")
		base := rapid.Uint32().Draw(t, "base") // sequence numbers wrap around
		var pieces []piece
		for at := 0; at < len(stream); {
			n := rapid.IntRange(1, len(stream)-at).Draw(t, "length")
			back := rapid.IntRange(0, at).Draw(t, "overlap")
			pieces = append(pieces, piece{seq: base + uint32(at-back), data: stream[at-back : at+n], start: true})
			at += n
		}
		for range rapid.IntRange(0, 5).Draw(t, "repeated") {
			pieces = append(pieces, rapid.SampledFrom(pieces).Draw(t, "again"))
		}
		seed := rapid.Uint64().Draw(t, "seed")
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })

		var s sequencer
		var got collector
		s.begin(base)
		for _, p := range pieces {
			s.add(p, got.take)
		}
		if !bytes.Equal(got.data, stream) || len(got.lost) > 0 {
			t.Fatalf("got %x, lost %v, want %x", got.data, got.lost, stream)
		}
		if s.hole() || s.kept != 0 {
			t.Fatalf("hole %t, %d bytes kept", s.hole(), s.kept)
		}
	})
}

func TestGivingUpAHoleTellsHowMuchIsLost(t *testing.T) {
	var s sequencer
	var got collector
	s.begin(100)
	s.add(piece{seq: 100, data: []byte("ab")}, got.take)
	s.add(piece{seq: 110, data: []byte("ef")}, got.take)
	s.add(piece{seq: 105, data: []byte("cd")}, got.take)
	if s.lost() {
		t.Error("lost before anything was acknowledged")
	}
	s.acknowledge(103)
	if !s.lost() {
		t.Error("bytes at 102 are acknowledged and missing")
	}
	s.giveUp(got.take)
	if s.lost() || !s.hole() {
		t.Error("the second hole is not acknowledged")
	}
	s.giveUp(got.take)
	s.giveUp(got.take)
	if string(got.data) != "abcdef" || len(got.lost) != 2 || got.lost[0] != 3 || got.lost[1] != 3 {
		t.Errorf("got %q, lost %v", got.data, got.lost)
	}
}

func TestSequenceNumbersOfAnotherConnectionBeginAnew(t *testing.T) {
	var s sequencer
	var got collector
	s.begin(100)
	s.add(piece{seq: 100, data: []byte("ab")}, got.take)
	s.add(piece{seq: 200, data: []byte("cd")}, got.take)
	s.add(piece{seq: 100 + maxJump + 500, data: []byte("ef")}, got.take)
	s.add(piece{seq: 100 + maxJump + 502, data: []byte("gh")}, got.take)
	if string(got.data) != "abcdefgh" || len(got.lost) != 2 || got.lost[0] != 98 || got.lost[1] != unknown {
		t.Errorf("got %q, lost %v", got.data, got.lost)
	}
}

func TestCutSegmentsKeepTheirPlace(t *testing.T) {
	var s sequencer
	var cuts []int
	take := func(p piece, lost int) { cuts = append(cuts, lost, len(p.data), p.cut) }
	s.begin(0)
	s.add(piece{seq: 0, data: []byte("abcd"), cut: 6}, take)
	s.add(piece{seq: 8, data: []byte("ij"), cut: 4}, take) // the first two were cut before
	s.add(piece{seq: 14, data: []byte("o")}, take)
	want := []int{0, 4, 6, 0, 0, 4, 0, 1, 0}
	if len(cuts) != len(want) {
		t.Fatalf("delivered %v, want %v", cuts, want)
	}
	for i := range want {
		if cuts[i] != want[i] {
			t.Fatalf("delivered %v, want %v", cuts, want)
		}
	}
}
