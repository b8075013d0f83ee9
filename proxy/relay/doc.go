// Package relay moves DCE/RPC between clients and a domain controller and lets
// a [Handler] decide on every PDU. It knows PDUs as framed bytes only: what they
// mean is the handler's business.
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
// connection, its handler included, is touched by one goroutine: there is no
// lock on the path of a PDU, the two directions never race, and an injected PDU
// always stands between two whole PDUs of the stream.
//
// Whatever may wait must not do so in a handler. It answers [Hold], which pauses
// reading from that side, and later calls [Conn.Wake] from any goroutine; the
// loop then asks [Handler.Resume]. A decision that comes from elsewhere, as of a
// changed rule or of an administrator, is brought to the loop by [Conn.Decide], or
// by [Group.DecideAll] for every connection. Messages reach a loop through its
// mailbox, whose eventfd is one of the descriptors the loop waits for.
//
// # Before a server is chosen
//
// A [Router] names the server, and the next one when that is not reached. What it
// needs to know is waited for: the address that a load balancer tells in a PROXY
// header, the association group of the client's bind ([ListenOptions]). These
// bytes are looked at in the socket; only the PROXY header is taken out of it.
//
// In the network path the server is [Conn.Local], what the client connected to:
// the kernel leads connections to other addresses here by tproxy or redirect
// rules. With [Route.Source] the server sees the client's address as well.
//
// # What arrives how
//
// Whole PDUs of one read leave in one write, straight from the read buffer; PDUs
// of separate reads are not merged, and a PDU is split over two writes only when
// the receiver's socket buffer is full. Every injected PDU has a write of its
// own. An end of stream follows the bytes before it to the other side; an
// incomplete PDU before it does not. A reset stays a reset.
//
// Bytes are kept, in pooled buffers, in two cases only: a PDU that is not
// complete or not decided on, and bytes that a socket does not take. A side is
// not read while the other one has such bytes waiting, so what is kept is bounded
// by one read and the injected PDUs' limit. An idle connection holds its state,
// two descriptors and no buffer.
//
// # States of a connection
//
//	state     on                            action                                  next
//	arriving  too few bytes                 look at them, without reading           arriving
//	          enough, or none are needed    ask the Router                          dialing
//	          no PROXY header where there   reset the client                        gone
//	          must be one, timeout
//	          end or reset of the client    close                                   gone
//	dialing   connected                     read both sides                         open
//	          refused, timeout, CloseServer Handler.Closed, ask the Router again    dialing
//	          and the Router has no other   reset the client                        gone
//	          client reset                  close both                              gone
//	          Close by a Decision           close both, reset the client            gone
//	open      PDU                           ask the handler                         open
//	          a PDU of that side is held    do not read it                          open
//	          wake                          ask Handler.Resume for what is held     open
//	          Decision                      ask it, send its PDUs                   open
//	          end of one stream             half-close the other side               open
//	          the same, of the server's     and give the client DrainTimeout, once  open
//	                                        it has taken everything
//	          and the client takes nothing  close both, reset the client            gone
//	          end of both                   close both                              gone
//	          reset or loss of one side     reset the other                         gone
//	          CloseServer                   reset the client                        gone
//	          Close, bytes that are no PDU  send the answer, half-close both sides  closing
//	          no bind answered in time      half-close both sides                   closing
//	closing   bytes                         discard                                 closing
//	          the client takes nothing      close both, reset the client            gone
//	          end of both, drain timeout    close both                              gone
//	gone                                    Handler.Closed has been called
//
// # Platforms
//
// The loops need Linux. Elsewhere the package builds, and [NewGroup] returns
// [ErrUnsupported].
package relay
