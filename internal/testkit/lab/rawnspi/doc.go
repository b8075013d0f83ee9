// Package rawnspi is an NSPI client without authentication that speaks PDU by PDU, in little endian and NDR: for load,
// where Impacket is too slow, and for misbehaviour, since its TCP connection is there to be written to and broken at
// any byte.
//
//	c, err := rawnspi.Dial("127.0.20.10:49152", netip.Addr{})
//	err = c.Bind(0)                    // a new association, named in c.Group
//	handle, code, err := c.NspiBind()
//	code, err = c.NspiUnbind(handle)
//	c.Close()
//
// A call on a connection that has its buffers allocates nothing.
package rawnspi
