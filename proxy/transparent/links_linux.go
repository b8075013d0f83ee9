package transparent

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The lengths of struct ifinfomsg and struct ifaddrmsg in bytes, and offsets in them.
const (
	linkHeader    = 16
	addressHeader = 8
	addressLength = 1 // of the network's prefix, in bits
	indexOffset   = 4 // in both
)

// skipStatistics is RTEXT_FILTER_SKIP_STATS (linux/rtnetlink.h): they are most of what
// the kernel tells of an interface.
const skipStatistics = 8

// macvlanPassthru is MACVLAN_MODE_PASSTHRU (linux/if_link.h).
const macvlanPassthru = 8

// readLinks returns the interfaces of this machine.
func readLinks(conn *netlink.Conn) (links []link, err error) {
	mask := netlink.NewAttributeEncoder()
	mask.Uint32(unix.IFLA_EXT_MASK, skipStatistics)
	attributes, err := mask.Encode()
	if err != nil {
		return nil, err
	}
	err = dump(conn, unix.RTM_GETLINK, linkHeader, append(make([]byte, linkHeader), attributes...), func(header []byte, a *netlink.AttributeDecoder) {
		links = append(links, parseLink(header, a))
	})
	if err != nil {
		return nil, err
	}
	err = dump(conn, unix.RTM_GETADDR, addressHeader, make([]byte, addressHeader), func(header []byte, a *netlink.AttributeDecoder) {
		index := int(binary.NativeEndian.Uint32(header[indexOffset:]))
		for i := range links {
			if links[i].index == index {
				links[i].parseAddress(header, a)
			}
		}
	})
	return links, err
}

// parseAddress reads an address of k. On a link between two machines it is the other
// one's.
func (k *link) parseAddress(header []byte, a *netlink.AttributeDecoder) {
	var own, address netip.Addr
	for a.Next() {
		switch a.Type() {
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(a.Bytes())
		case unix.IFA_LOCAL:
			own, _ = netip.AddrFromSlice(a.Bytes())
		}
	}
	if !address.IsValid() || address.IsLinkLocalUnicast() {
		return
	}
	k.address = true
	if !own.IsValid() {
		own = address
	}
	k.own = append(k.own, own)
	if own != address {
		k.neighbours = append(k.neighbours, address)
	} else if n := neighbourOf(netip.PrefixFrom(address, int(header[addressLength]))); n.IsValid() {
		k.neighbours = append(k.neighbours, n)
	}
}

// parseLink reads one interface.
func parseLink(header []byte, a *netlink.AttributeDecoder) (k link) {
	k.index = int(binary.NativeEndian.Uint32(header[indexOffset:]))
	elsewhere := false
	for a.Next() {
		switch a.Type() {
		case unix.IFLA_IFNAME:
			k.name = a.String()
		case unix.IFLA_MASTER:
			k.master = int(a.Uint32())
		case unix.IFLA_LINK:
			k.below = int(a.Uint32())
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		case unix.IFLA_PROP_LIST:
			a.Nested(func(n *netlink.AttributeDecoder) error {
				for n.Next() {
					if n.Type() == unix.IFLA_ALT_IFNAME {
						k.other = append(k.other, n.String())
					}
				}
				return nil
			})
		case unix.IFLA_LINKINFO:
			a.Nested(k.parseInfo)
		}
	}
	if elsewhere {
		k.below = 0 // an index in another namespace
	}
	return k
}

// The settings by which br_netfilter applies rules for IP packets to what passes
// bridges: all of them, or one.
var bridgeFilters = []struct {
	setting   string // for all, under /proc/sys
	attribute uint16 // of one
	name      string // of that, as ip has it
}{
	{"net.bridge.bridge-nf-call-iptables", unix.IFLA_BR_NF_CALL_IPTABLES, "nf_call_iptables"},
	{"net.bridge.bridge-nf-call-ip6tables", unix.IFLA_BR_NF_CALL_IP6TABLES, "nf_call_ip6tables"},
}

// parseBridge reads which settings apply rules for IP packets to what passes the
// bridge: none without the module.
func (k *link) parseBridge(d *netlink.AttributeDecoder) error {
	own := make(map[uint16]bool)
	for d.Next() {
		if d.Type() == unix.IFLA_BR_NF_CALL_IPTABLES || d.Type() == unix.IFLA_BR_NF_CALL_IP6TABLES {
			own[d.Type()] = d.Uint8() != 0
		}
	}
	for _, f := range bridgeFilters {
		switch value := sysctl(f.setting); {
		case value == "1":
			k.filter = append(k.filter, f.setting)
		case value == "0" && own[f.attribute]:
			k.filter = append(k.filter, f.name)
		}
	}
	return nil
}

// parseInfo reads what is particular to a kind of interface.
func (k *link) parseInfo(n *netlink.AttributeDecoder) error {
	for n.Next() {
		switch n.Type() {
		case unix.IFLA_INFO_KIND:
			k.kind = n.String()
		case unix.IFLA_INFO_DATA:
			switch k.kind {
			case "bridge":
				n.Nested(k.parseBridge)
			case "macvlan", "macvtap":
				n.Nested(k.parseMacvlan)
			}
		}
	}
	return nil
}

// parseMacvlan reads whether it takes all packets.
func (k *link) parseMacvlan(d *netlink.AttributeDecoder) error {
	for d.Next() {
		k.takes = k.takes || d.Type() == unix.IFLA_MACVLAN_MODE && d.Uint32() == macvlanPassthru
	}
	return nil
}
