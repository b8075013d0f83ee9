package capture

import (
	"bytes"

	"github.com/gopacket/gopacket/ip4defrag"
	"github.com/gopacket/gopacket/ip6defrag"
	"github.com/gopacket/gopacket/layers"
)

// defragmenter puts IP fragments together. When too many wait for the rest of
// their packets, all of them are dropped.
type defragmenter struct {
	v4      *ip4defrag.IPv4Defragmenter
	v6      *ip6defrag.IPv6Defragmenter
	waiting int
	limit   int // of waiting
}

// room makes place for one more fragment.
func (d *defragmenter) room() {
	if d.v4 == nil || d.waiting >= d.limit {
		d.v4, d.v6, d.waiting = ip4defrag.NewIPv4Defragmenter(), ip6defrag.NewIPv6Defragmenter(), 0
	}
	d.waiting++
}

// ipv4 returns the packet that the fragment completes, or nil.
func (d *defragmenter) ipv4(fragment *layers.IPv4) *layers.IPv4 {
	d.room()
	kept := *fragment // the library keeps it, the file's buffer is used again
	kept.Payload = bytes.Clone(fragment.Payload)
	kept.SrcIP, kept.DstIP = bytes.Clone(fragment.SrcIP), bytes.Clone(fragment.DstIP)
	whole, err := d.v4.DefragIPv4(&kept)
	if err != nil {
		return nil
	}
	return whole
}

// ipv6 returns the packet that the fragment behind header completes, or nil.
func (d *defragmenter) ipv6(header *layers.IPv6, fragment *layers.IPv6Fragment) *layers.IPv6 {
	d.room()
	kept, part := *header, *fragment
	kept.SrcIP, kept.DstIP = bytes.Clone(header.SrcIP), bytes.Clone(header.DstIP)
	kept.Contents = bytes.Clone(header.Contents)
	part.Payload = bytes.Clone(fragment.Payload)
	return d.v6.DefragIPv6(&kept, &part)
}
