package relay

import (
	"net/netip"
	"sync"
)

// crowdFactor times the connections that are free is how many one network of clients may have: alone, four
// fifths of all, which a load balancer or a terminal server of a whole company may need; several that take
// all they get always leave some free, for clients with few (the dynamic threshold of Choudhury and Hahne,
// 1998, for memory that queues share).
const crowdFactor = 4

// crowd counts connections by the network of their clients, over all loops. Only networks with a
// connection have a record.
type crowd struct {
	networkOf func(netip.Addr) netip.Prefix // nil: each address by itself
	most      int                           // connections of one network; 0: no such limit

	mu sync.Mutex
	of map[netip.Addr]int32 // by the first address of the network
}

// network is what a client is counted by.
func (c *crowd) network(client netip.Addr) netip.Addr {
	client = client.Unmap().WithZone("")
	if c.networkOf == nil {
		return client
	}
	return c.networkOf(client).Addr()
}

// enter counts a connection of a client. It is false, and counts nothing, where its network has its share: then
// held is what it has. free is how many connections there may be besides those that are.
func (c *crowd) enter(client netip.Addr, free int) (held int, ok bool) {
	network := c.network(client)
	c.mu.Lock()
	defer c.mu.Unlock()
	held = int(c.of[network])
	if held >= crowdFactor*free || c.most > 0 && held >= c.most {
		return held, false
	}
	if c.of == nil {
		c.of = make(map[netip.Addr]int32)
	}
	c.of[network]++
	return held, true
}

// leave undoes enter.
func (c *crowd) leave(client netip.Addr) {
	network := c.network(client)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[network]--; c.of[network] <= 0 {
		delete(c.of, network)
	}
}
