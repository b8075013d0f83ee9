// Package mutate breaks conversations of DCE/RPC, for tests of what a program between a client and a server makes of them.
//
//	seeds := mutate.Seeds{{Name: "ntlm", Steps: steps}, ...}
//	broken := seeds.Conversation(1, 4711) // always the same for the same seeds and numbers
//	for _, s := range broken.Steps { ... } // what each end does, in this order
//
// A mutation is one function: it takes the conversation and a source of random numbers, and changes the steps. Those that
// change bytes of one PDU are in pdu.go, those that change which PDUs there are, and when, in order.go, and those that
// change how the ends behave in ends.go. To add one, write the function and its row in [Mutations]. Each has to change a
// conversation that has what it is about: a test holds every row to that.
//
// It has no sockets and no clock.
package mutate
