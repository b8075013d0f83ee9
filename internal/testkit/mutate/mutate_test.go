package mutate

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
)

// pduOf makes a request, or its answer, with a verifier.
func pduOf(call uint32, ptype byte) []byte {
	p := make([]byte, 64)
	copy(p, []byte{5, 0, ptype, 3, 0x10})
	binary.LittleEndian.PutUint16(p[offFragLength:], 64)
	binary.LittleEndian.PutUint16(p[offAuthLength:], 16)
	binary.LittleEndian.PutUint32(p[offCallID:], call)
	return p
}

func seeds() Seeds {
	steps := func(first uint32) (all []Step) {
		for n := range uint32(4) {
			all = append(all, Step{Client, Write, pduOf(first+n, 0)}, Step{Server, Write, pduOf(first+n, 2)})
		}
		return all
	}
	return Seeds{{Name: "one", Steps: steps(1)}, {Name: "two", Steps: steps(100)}}
}

func TestEveryMutationChangesAConversation(t *testing.T) {
	s := seeds()
	for _, row := range Mutations {
		t.Run(row.Name, func(t *testing.T) {
			applied := 0
			for n := range uint64(200) {
				m := &mutation{Rand: rand.New(rand.NewPCG(1, n)), Conversation: s[0].clone(), seeds: s}
				before := m.clone()
				if !row.Apply(m) {
					continue
				}
				applied++
				if reflect.DeepEqual(before.Steps, m.Steps) {
					t.Fatalf("number %d is said to be changed, and is not", n)
				}
			}
			if applied < 100 {
				t.Errorf("it found something to change in %d of 200", applied)
			}
		})
	}
}

func TestMutationsOfNothingChangeNothingAndDoNotPanic(t *testing.T) {
	for _, c := range []Conversation{{}, {Steps: []Step{{Client, Close, nil}}}, {Steps: []Step{{Server, Write, []byte{5}}}},
		{Steps: []Step{{Client, Write, pduOf(1, 0)[:headerSize]}}}} {
		for _, row := range Mutations {
			for n := range uint64(50) {
				row.Apply(&mutation{Rand: rand.New(rand.NewPCG(2, n)), Conversation: c.clone(), seeds: Seeds{c}})
			}
		}
	}
}

func TestTheSameNumbersMakeTheSameConversation(t *testing.T) {
	differ := false
	for n := range uint64(300) {
		first, again := seeds().Conversation(7, n), seeds().Conversation(7, n)
		if !reflect.DeepEqual(first, again) {
			t.Fatalf("number %d: %v and %v", n, first, again)
		}
		differ = differ || !reflect.DeepEqual(first.Steps, seeds().Conversation(8, n).Steps)
	}
	if !differ {
		t.Error("another seed makes the same conversations")
	}
}

func TestSeedsStayAsTheyAre(t *testing.T) {
	s := seeds()
	for n := range uint64(2000) {
		s.Conversation(3, n)
	}
	if !reflect.DeepEqual(s, seeds()) {
		t.Error("a mutation has changed the seeds")
	}
}

func TestConversationsAreBoundedAndSurviveJSON(t *testing.T) {
	s := seeds()
	s[0].Steps[0].Data = append(s[0].Steps[0].Data, make([]byte, 60_000)...)
	for n := range uint64(500) {
		c := s.Conversation(4, n)
		total := 0
		for _, step := range c.Steps {
			total += len(step.Data)
		}
		if total > mostBytes {
			t.Fatalf("number %d has %d bytes", n, total)
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Conversation
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(back); err != nil || string(again) != string(text) {
			t.Fatalf("number %d does not survive: %v", n, err)
		}
	}
}
