// Package relay moves DCE/RPC between clients and a domain controller and lets
// a [Handler] decide on every PDU. It knows PDUs as framed bytes only; what they mean,
// the handler has to know.
//
//	client ─ recv ─▶ Framer ─▶ PDU ─▶ Handler.FromClient ─▶ Verdict ─ send ─▶ server
//	client ◀─ send ─ Verdict ◀─ Handler.FromServer ◀─ PDU ◀─ Framer ◀─ recv ─ server
//
// # Use
//
//	g, err := relay.NewGroup(relay.Options{MaxConnections: 20000})
//	l, err := g.Listen(relay.ListenOptions{Address: addr, Route: func(c *relay.Conn, attempt int) relay.Route {
//		if attempt > 0 {
//			return relay.Route{} // the domain controller is not reached: the client is reset
//		}
//		return relay.Route{Handler: newInspector(c), Server: domainController}
//	}})
//	...
//	err = g.Shutdown(ctx)
//
// # Loops
//
// A [Group] is a small number of event loops, one per core. Each loop is one
// goroutine with one epoll instance, one read buffer, one listening socket per
// [Listener] (SO_REUSEPORT spreads the clients) and the connections it accepted.
// Both sockets of a connection belong to one loop, so everything about a
// connection, its handler included, is used by one goroutine: there is no lock on
// the path of a PDU, the two directions never race, and an injected PDU always stands
// between two whole PDUs of the stream.
//
// A handler must not block. When it has to wait for something, it answers [Hold],
// which makes the PDU pending and pauses reading from that side. Later [Conn.Wake] is
// called, from any goroutine, and the loop calls [Handler.Resume] with the PDU.
//
// A [Decision] that comes from elsewhere, such as a reload or an administrator, is
// brought to the loop by [Conn.Decide], or by [Group.DecideAll] for every connection.
// These messages reach a loop through its mailbox, whose eventfd is one of the
// descriptors that the loop waits for.
//
// # Before a server is chosen
//
// A [Router] names the server, and the next one when that is not reached. The relay
// asks it when the client has sent what it needs to know ([ListenOptions]): the
// client's address in a load balancer's PROXY header, the association group of the
// client's bind. These bytes are peeked at; only the PROXY header is consumed.
//
// In the network path, where tproxy or redirect rules of the kernel lead connections
// to other addresses here, the server is [Conn.Local], which the client connected to.
// With [Route.Source] the server sees the client's address as well.
//
// # How bytes are passed on
//
// Whole PDUs of one read leave in one write, straight from the read buffer. PDUs of
// separate reads are not merged, and a PDU is split over two writes only when the
// receiver's socket buffer is full. Every injected PDU has a write of its own. An end
// of stream is passed on behind the bytes before it, without an incomplete PDU. A
// reset is passed on as a reset.
//
// Bytes are copied, to pooled buffers, in two cases only: a PDU that is incomplete
// (buffered) or not decided on (pending), and bytes that a socket does not take. A
// side is not read while the other one has such bytes waiting, so they are bounded by
// one read and the limit of injected PDUs. An idle connection has its state, two
// descriptors and no buffer. Forwarding a PDU does not allocate.
//
// # States of a connection
//
//	state     on                            action                                  next
//	arriving  too few bytes                 leave them in the socket                arriving
//	          enough, or none are needed    ask the Router                          dialing
//	          no PROXY header where there   reset the client                        gone
//	          must be one, timeout
//	          end or reset of the client    close                                   gone
//	dialing   connected                     read both sides                         open
//	          not yet, for FailoverTimeout  the next attempt if the route is Brief  dialing
//	          refused, timeout, CloseServer Handler.Closed, ask the Router again    dialing
//	          and the Router has no other   reset the client                        gone
//	          client reset                  close both                              gone
//	          Close by a Decision           close both, reset the client            gone
//	open      PDU                           ask the handler                         open
//	          a PDU of one side is pending  do not read that side                   open
//	          wake                          ask Handler.Resume for pending PDUs     open
//	          Decision                      ask it, send its PDUs                   open
//	          end of one stream             half-close the other side               open
//	          end of the server's stream    the same, and give the client           open
//	                                        DrainTimeout, once it has read all
//	          and the client reads nothing  close both, reset the client            gone
//	          end of both                   close both                              gone
//	          reset or loss of one side     reset the other                         gone
//	          CloseServer                   reset the client                        gone
//	          ResetMoved                    reset both                              gone
//	          Close, bytes that are no PDU  send the answer, half-close both sides  closing
//	          no bind of the client in time half-close both sides                   closing
//	closing   bytes                         discard                                 closing
//	          the client reads nothing      close both, reset the client            gone
//	          end of both, drain timeout    close both                              gone
//	gone                                    Handler.Closed has been called
//
// # Platforms
//
// The loops need Linux. Elsewhere the package builds, and [NewGroup] returns
// [ErrUnsupported].
package relay
