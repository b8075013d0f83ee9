package mutate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Side is one end of a connection.
type Side string

// The sides.
const (
	Client Side = "client"
	Server Side = "server"
)

// Action is what an end does.
type Action string

// The actions.
const (
	Write     Action = "write"      // Data, in one call
	HalfClose Action = "half-close" // no more is sent, more is read
	Close     Action = "close"      // the socket is closed
	Reset     Action = "reset"      // the same, by RST
	Deaf      Action = "deaf"       // nothing is read from here on
	Pause     Action = "pause"      // a moment in which nothing happens
)

// Step is one thing that one end does.
type Step struct {
	Side Side   `json:"side"`
	Do   Action `json:"do"`
	Data []byte `json:"data,omitempty"`
}

// Conversation is what both ends of one connection do, in this order.
type Conversation struct {
	Name  string `json:"name"` // the seed's, and the mutations
	Keys  bool   `json:"keys"` // for a program that knows the keys of the accounts
	Steps []Step `json:"steps"`
}

// clone returns a copy that shares no bytes with c.
func (c Conversation) clone() Conversation {
	c.Steps = slices.Clone(c.Steps)
	for i := range c.Steps {
		c.Steps[i].Data = slices.Clone(c.Steps[i].Data)
	}
	return c
}

// Seeds are conversations as they should be: each Write is a whole PDU.
type Seeds []Conversation

const (
	// unbrokenShare is the share of conversations without a mutation: one in so many. They keep the program's state alive,
	// which the broken ones meet.
	unbrokenShare = 8
	// mostMutations is how many one conversation has at most. More leave nothing that a program follows to its end.
	mostMutations = 4
	// mostBytes bounds what the ends of one conversation send, whatever the mutations have made of it.
	mostBytes = 1 << 20
)

// Conversation returns number n of those that the seed stands for.
func (s Seeds) Conversation(seed, n uint64) Conversation {
	r := rand.New(rand.NewPCG(seed, n))
	m := &mutation{Rand: r, Conversation: s[r.IntN(len(s))].clone(), seeds: s}
	m.Keys = r.IntN(2) == 0
	if r.IntN(unbrokenShare) == 0 {
		return m.Conversation
	}
	var names []string
	for range 1 + r.IntN(mostMutations) {
		row := Mutations[r.IntN(len(Mutations))]
		if row.Apply(m) {
			names = append(names, row.Name)
		}
	}
	m.Name = fmt.Sprintf("%s (%s)", m.Name, strings.Join(names, ", "))
	m.bound()
	return m.Conversation
}

// mutation is a conversation that is being broken.
type mutation struct {
	*rand.Rand
	Conversation
	seeds Seeds
}

// bound cuts the steps where they have more bytes than one conversation may.
func (m *mutation) bound() {
	total := 0
	for i, s := range m.Steps {
		if total += len(s.Data); total > mostBytes {
			m.Steps = m.Steps[:i]
			return
		}
	}
}

// Mutation is one way to break a conversation.
type Mutation struct {
	Name  string
	Apply func(*mutation) bool // reports whether it found something to change
}

// Mutations are all there are.
var Mutations = []Mutation{
	{"flip bits", flipBits},
	{"fragment length", fragmentLength},
	{"length of the verifier", verifierLength},
	{"call id", callID},
	{"context id", contextID},
	{"opnum", opnum},
	{"allocation hint", allocationHint},
	{"type of PDU", pduType},
	{"flags", flags},
	{"data representation", dataRepresentation},
	{"verifier", verifier},
	{"field", field},
	{"cut a PDU", truncate},
	{"lengthen a PDU", extend},
	{"drop", drop},
	{"duplicate", duplicate},
	{"repeat", repeat},
	{"swap", swap},
	{"merge", merge},
	{"split", split},
	{"insert", insert},
	{"change sides", changeSides},
	{"not RPC", notRPC},
	{"half-close", end(HalfClose)},
	{"close", end(Close)},
	{"reset", end(Reset)},
	{"deaf", end(Deaf)},
	{"pause", end(Pause)},
}
