package transparent

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
)

// interfaces are those of a router.
var interfaces = []link{
	{index: 1, name: "lo", own: addresses("127.0.0.1")},
	{index: 2, name: "eth1", own: addresses("10.1.0.1", "fd00:1::1"), neighbours: addresses("10.1.0.2", "fd00:1::2")},
	{index: 3, name: "eth2", own: addresses("10.0.5.1", "fd00:5::1"), neighbours: addresses("10.0.5.2", "fd00:5::2")},
	{index: 4, name: "tun0"},
}

func addresses(texts ...string) (all []netip.Addr) {
	for _, t := range texts {
		all = append(all, netip.MustParseAddr(t))
	}
	return all
}

func TestQuestionsAreThePacketsOfClients(t *testing.T) {
	networks := []netip.Prefix{netip.MustParsePrefix("10.0.5.0/24"), netip.MustParsePrefix("10.9.9.9/32"), netip.MustParsePrefix("fd00:5::/64")}
	for _, c := range []struct {
		f          family
		interfaces []policy.InterfaceName
		want       []string
	}{
		{ipv4, []policy.InterfaceName{"eth1"}, []string{
			"ip route get 10.0.5.2 from 10.1.0.2 iif eth1 mark 20051 ipproto tcp dport 135",
			"ip route get 10.9.9.9 from 10.1.0.2 iif eth1 mark 20051 ipproto tcp dport 135"}},
		{ipv6, []policy.InterfaceName{"eth*"}, []string{
			"ip route get fd00:5::2 from fd00:1::2 iif eth1 mark 20051 ipproto tcp dport 135",
			"ip route get fd00:5::2 from fd00:5::2 iif eth2 mark 20051 ipproto tcp dport 135"}},
		{ipv6, []policy.InterfaceName{"tun0"}, []string{"ip route get fd00:5::2 from 2001:db8::1 iif tun0 mark 20051 ipproto tcp dport 135"}},
		{ipv4, []policy.InterfaceName{"eth9"}, nil},
	} {
		got := c.f.questions(policy.Listener{Interfaces: c.interfaces, Destinations: networks}, interfaces, 20051)
		if len(got) != len(c.want) {
			t.Errorf("%v: %v, want %v", c.interfaces, got, c.want)
			continue
		}
		for i, q := range got {
			if q.String() != c.want[i] {
				t.Errorf("%v: %v, want %v", c.interfaces, q, c.want[i])
			}
		}
	}
	all := ipv4.questions(policy.Listener{Destinations: networks}, interfaces, 1)
	if len(all) != 2 || all[0].in.name != "eth1" || all[1].in.name != "eth2" {
		t.Errorf("from all interfaces: %v", all)
	}
	if got := all[0].answered(interfaces[2]); got.String() != "ip route get 10.1.0.2 from 10.0.5.2 iif eth2 mark 1 ipproto tcp sport 135" {
		t.Errorf("the answer is %v", got)
	}
}

func TestRulesThatLeadPacketsAwayAreNamed(t *testing.T) {
	network := netip.MustParsePrefix
	q := question{to: netip.MustParseAddr("10.0.5.2"), from: netip.MustParseAddr("10.1.0.2"), in: interfaces[1], mark: 20051, toPort: 135}
	for _, c := range []struct {
		rule    ruleBefore
		matches bool
		text    string
	}{
		{ruleBefore{priority: 10, table: 100}, true, "10: from all lookup 100"},
		{ruleBefore{priority: 10, in: "eth1", table: 100}, true, "10: from all iif eth1 lookup 100"},
		{ruleBefore{priority: 10, in: "eth2", table: 100}, false, "10: from all iif eth2 lookup 100"},
		{ruleBefore{priority: 10, in: "eth2", table: 100, not: true}, true, "10: not from all iif eth2 lookup 100"},
		{ruleBefore{priority: 9, out: "eth2", table: 100}, false, "9: from all oif eth2 lookup 100"},
		{ruleBefore{priority: 9, from: network("10.1.0.0/16"), to: network("10.0.0.0/16"), action: "unreachable"}, true, "9: from 10.1.0.0/16 to 10.0.0.0/16 unreachable"},
		{ruleBefore{priority: 9, from: network("10.2.0.0/16"), action: "blackhole"}, false, "9: from 10.2.0.0/16 blackhole"},
		{ruleBefore{priority: 9, to: network("fd00::/8"), action: "prohibit"}, false, "9: from all to fd00::/8 prohibit"},
		{ruleBefore{priority: 9, mark: 0x4000, mask: 0x4000, table: 7}, true, "9: from all fwmark 0x4000/0x4000 lookup 7"}, // 20051 has it
		{ruleBefore{priority: 9, mark: 0x8000, mask: 0x8000, table: 7}, false, "9: from all fwmark 0x8000/0x8000 lookup 7"},
		{ruleBefore{priority: 9, protocol: tcp, table: 7}, true, "9: from all ipproto tcp lookup 7"},
		{ruleBefore{priority: 9, protocol: tcp, dport: portRange{100, 200}, table: 7}, true, "9: from all ipproto tcp dport 100-200 lookup 7"},
		{ruleBefore{priority: 9, dport: portRange{136, 136}, table: 7}, false, "9: from all dport 136 lookup 7"},
		{ruleBefore{priority: 9, sport: portRange{135, 135}, table: 7}, false, "9: from all sport 135 lookup 7"},
		{ruleBefore{priority: 9, protocol: 17, table: 7}, false, "9: from all ipproto 17 lookup 7"},
		{ruleBefore{priority: 9, action: "goto", goTo: 32766}, true, "9: from all goto 32766"},
	} {
		if got := c.rule.matches(q); got != c.matches || c.rule.String() != c.text {
			t.Errorf("%v: matches %t, want %t of %s", c.rule, got, c.matches, c.text)
		}
	}
	all := []ruleBefore{{priority: 1, action: "nop"}, {priority: 2, table: 7}, {priority: 3, table: 8}, {priority: 4, action: "unreachable"}, {priority: 5, action: "goto", goTo: 78}}
	for table, want := range map[uint32]int{7: 2, 8: 3, 0: 4, 254: 2} {
		if r, ok := blame(q, table, all); !ok || r.priority != want {
			t.Errorf("table %d: %v, want %d", table, r, want)
		}
	}
	if r, ok := blame(q, 254, all[4:]); ok {
		t.Errorf("blamed %v, which leads to ours", r)
	}
}

func TestRulesForOurMarkAndMoreAreFound(t *testing.T) {
	const mark = 20051 // 0x4e53
	for _, c := range []struct {
		rule  ruleBefore
		found bool
	}{
		{ruleBefore{mark: 0x10000, mask: 0x10000, table: 7}, true},
		{ruleBefore{mark: 0x14e53, mask: 0xffffffff, table: 7}, true},
		{ruleBefore{mark: 0x8000, mask: 0xc000, table: 7}, false},   // packets of ours have 0x4000
		{ruleBefore{mark: mark, mask: 0xffffffff, table: 7}, false}, // the look-up finds it
		{ruleBefore{mark: 0x10000, mask: 0x10000, action: "nop"}, false},
		{ruleBefore{table: 7}, false},
	} {
		if got := c.rule.withMark(mark); got != c.found {
			t.Errorf("%v: %t", c.rule, got)
		}
	}
	if bit := furtherBit(mark, []ruleBefore{{mask: 0xf0000000}}); bit != 0x08000000 {
		t.Errorf("further bit %#x", bit)
	}
	if bit := furtherBit(0xffffffff, nil); bit != 0 {
		t.Errorf("further bit %#x", bit)
	}
}
