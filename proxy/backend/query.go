package backend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

var (
	// errNoName is NXDOMAIN.
	errNoName = errors.New("the name does not exist")
	// errAnswer is an answer that does not belong to its question.
	errAnswer = errors.New("an answer to another question")
)

// resolver sends questions to DNS servers.
type resolver struct {
	servers func() ([]string, error) // IP:port, in the order in which they are asked
	timeout time.Duration            // of one question to one server
}

// newResolver makes a resolver that asks server, or those of the file conf.
func newResolver(server netip.AddrPort, conf string) *resolver {
	r := &resolver{timeout: queryTimeout}
	if server.IsValid() {
		r.servers = func() ([]string, error) { return []string{server.String()}, nil }
	} else {
		r.servers = func() ([]string, error) { return systemServers(conf) }
	}
	return r
}

// systemServers returns the servers of a resolv.conf.
func systemServers(conf string) ([]string, error) {
	c, err := dns.ClientConfigFromFile(conf)
	if err != nil {
		return nil, fmt.Errorf("no DNS server is configured: %w", err)
	}
	var list []string
	for _, s := range c.Servers {
		if addr, err := netip.ParseAddr(s); err == nil && len(list) < maxServers {
			list = append(list, netip.AddrPortFrom(addr, 53).String())
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no DNS server in %s", conf)
	}
	return list, nil
}

// query asks for records until a server gives an answer: one without records is
// an answer, [errNoName] too.
func (r *resolver) query(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	servers, err := r.servers()
	if err != nil {
		return nil, err
	}
	for _, server := range slices.Repeat(servers, queryRounds) {
		var m *dns.Msg
		m, err = r.exchange(ctx, server, name, qtype)
		if err == nil || errors.Is(err, errNoName) {
			return m, err
		}
		err = fmt.Errorf("%s: %w", server, err)
	}
	return nil, err
}

// exchange asks one server, by UDP, and by TCP if the answer does not fit that.
func (r *resolver) exchange(ctx context.Context, server, name string, qtype uint16) (*dns.Msg, error) {
	question := new(dns.Msg).SetQuestion(name, qtype)
	m, err := r.send(ctx, "udp", server, question)
	if err == nil && m.Truncated {
		m, err = r.send(ctx, "tcp", server, question)
	}
	if err != nil {
		return nil, err
	}
	switch m.Rcode {
	case dns.RcodeSuccess:
		return m, nil
	case dns.RcodeNameError:
		return nil, errNoName
	}
	if name := dns.RcodeToString[m.Rcode]; name != "" {
		return nil, errors.New(name)
	}
	return nil, fmt.Errorf("response code %d", m.Rcode)
}

// send exchanges one message and checks that the answer belongs to it.
func (r *resolver) send(ctx context.Context, network, server string, question *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	client := dns.Client{Net: network, Timeout: r.timeout}
	conn, err := client.DialContext(ctx, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// The library itself looks at the deadline of ctx only.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	m, _, err := client.ExchangeWithConnContext(ctx, question, conn)
	if err != nil {
		return nil, err
	}
	asked := question.Question[0]
	if !m.Response || len(m.Question) != 1 || network == "tcp" && m.Truncated {
		return nil, errAnswer
	}
	if got := m.Question[0]; got.Qtype != asked.Qtype || got.Qclass != asked.Qclass ||
		dns.CanonicalName(got.Name) != dns.CanonicalName(asked.Name) {
		return nil, errAnswer
	}
	return m, nil
}
