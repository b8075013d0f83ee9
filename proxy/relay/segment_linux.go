package relay

import "golang.org/x/sys/unix"

// Sizes of TCP segments, in bytes.
const (
	// commonSegment is what hosts announce on Ethernet with IPv6 (RFC 6691); with
	// IPv4 it is 20 more.
	commonSegment = 1440
	// leastSegment is what every host takes (RFC 9293 3.7.1). Clients that announce
	// less get it, so that one cannot make the proxy send its bytes one by one.
	leastSegment = 536
	// timestampSize is what the timestamp option takes of each segment (RFC 7323 3.2).
	timestampSize = 12
	// tcpiTimestamps of tcpi_options: the option is in use (Linux, uapi/linux/tcp.h).
	tcpiTimestamps = 1
)

// segmentOption returns the option that bounds the segments of the connection to the
// server by those that the client takes, or nil if these are of the common size. In
// the network path a small one says that a link of the path is small, a tunnel often,
// and without a proxy both ends would keep to it: a router that drops what is larger,
// and says nothing, would hang the connection.
func (c *Conn) segmentOption() []option {
	if o := &c.listener.options; !o.Transparent && !o.Redirected {
		return nil
	}
	info, err := unix.GetsockoptTCPInfo(int(c.client.fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return nil // its end will be seen
	}
	size := info.Snd_mss
	if info.Options&tcpiTimestamps != 0 {
		size += timestampSize
	}
	if size >= commonSegment {
		return nil
	}
	return []option{{unix.IPPROTO_TCP, unix.TCP_MAXSEG, int32(max(size, leastSegment))}}
}
