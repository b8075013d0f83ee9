// Package halfopen ends connections that are open on one side alone: those to domain
// controllers of a run of the program that a crash of the machine, or a loss of the
// network, has ended without a word. A domain controller keeps their sessions until it
// asks for a sign of life by itself, which Windows does after two hours.
//
//	file, err := halfopen.Open(path, 20000) // it outlives the program
//	n := file.Put(connection)               // once it is established
//	file.Clear(n)                           // when its socket is closed
//	report := file.Finish(ctx, passes)      // after a start: what an earlier run has left
//	file.Forget()                           // what servers have not answered about
//
// Finish connects from the same address and port to the same server (half-open connection
// discovery, RFC 9293 3.5.1). A server that still has the connection acknowledges what it
// expects there (RFC 5961 4), which the kernel answers by a reset with just that sequence
// number. When a connect succeeds there is no other connection any more: that one is
// reset at once.
//
// When the program alone ends, in whatever way, the kernel ends its connections, and
// Finish finds none. What the kernel has not written to the disk when its machine loses
// its power, half a minute's at most, is lost.
package halfopen
