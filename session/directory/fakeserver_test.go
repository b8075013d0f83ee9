package directory

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// fakeServer is an LDAP server with as much of Active Directory as the package
// asks for. It evaluates filters on its own, from their bytes on the wire.
type fakeServer struct {
	t        testing.TB
	listener net.Listener
	secure   *tls.Config // with a certificate for 127.0.0.1
	roots    *x509.CertPool
	ldaps    bool
	serving  sync.WaitGroup

	mu        sync.Mutex
	entries   []fakeEntry
	catalog   bool              // answers for all domains
	unlimited bool              // does not observe the limit of a search
	users     map[string]string // who may bind, with password
	refuse    map[string]int    // result code by attribute asked for, "starttls" or "search"
	garbage   string            // answers searches with these bytes, and closes the connection
	hangUp    int               // closes the connection instead of answering, so many times
	gate      chan struct{}     // account searches wait until it is closed
	sasl      func(token []byte) (answer []byte, code int)
	conns     map[net.Conn]bool
	binds     []string // names that tried
	searches  []fakeSearch
	accepted  int
}

type fakeEntry struct {
	dn         string
	attributes map[string][]string
}

// fakeSearch is a search for an account: (&(objectClass=user)(attribute=value)).
type fakeSearch struct{ base, attribute, value string }

// newFakeServer starts a server that speaks LDAP after TLS or, not ldaps, StartTLS.
func newFakeServer(t testing.TB, ldaps bool, entries ...fakeEntry) *fakeServer {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	s := &fakeServer{
		t: t, ldaps: ldaps, secure: &tls.Config{Certificates: web.TLS.Certificates}, roots: x509.NewCertPool(), entries: entries,
		users: map[string]string{"CN=svc": "secret"}, refuse: map[string]int{}, conns: map[net.Conn]bool{}, catalog: true,
	}
	s.roots.AddCert(web.Certificate())
	s.listen("127.0.0.1:0")
	t.Cleanup(s.stop)
	return s
}

func (s *fakeServer) listen(address string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.listener = l
	s.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = true
			s.accepted++
			s.mu.Unlock()
			s.serving.Go(func() { s.serve(c) })
		}
	})
}

// stop closes the listener and all connections, and waits for the goroutines.
func (s *fakeServer) stop() {
	s.listener.Close()
	s.disconnect()
	s.serving.Wait()
}

// disconnect closes all connections.
func (s *fakeServer) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// set changes the server while it runs.
func (s *fakeServer) set(change func(*fakeServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// asked returns the searches for accounts so far.
func (s *fakeServer) asked() []fakeSearch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.searches)
}

func (s *fakeServer) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	conn := c
	if s.ldaps {
		conn = tls.Server(c, s.secure)
	}
	in := bufio.NewReader(conn)
	for {
		message, err := ber.ReadPacket(in)
		if err != nil || len(message.Children) < 2 {
			return
		}
		id, op := message.Children[0].Value.(int64), message.Children[1]
		var answers []*ber.Packet
		switch op.Tag {
		case ldap.ApplicationBindRequest:
			answers = s.bind(op)
		case ldap.ApplicationSearchRequest:
			if answers = s.search(op); answers == nil {
				_, _ = conn.Write([]byte(s.garbageBytes()))
				return
			}
		case ldap.ApplicationExtendedRequest:
			answers = []*ber.Packet{result(ldap.ApplicationExtendedResponse, s.code("starttls"))}
		default:
			return
		}
		for _, a := range answers {
			envelope := ber.NewSequence("")
			envelope.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
			envelope.AppendChild(a)
			if _, err := conn.Write(envelope.Bytes()); err != nil {
				return
			}
		}
		if op.Tag == ldap.ApplicationExtendedRequest {
			conn = tls.Server(c, s.secure)
			in = bufio.NewReader(conn)
		}
	}
}

// code returns the result code that is set for what.
func (s *fakeServer) code(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse[what]
}

func (s *fakeServer) garbageBytes() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.garbage
}

// result is an LDAPResult (RFC 4511 4.1.9).
func result(tag ber.Tag, code int) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	return p
}

func (s *fakeServer) bind(op *ber.Packet) []*ber.Packet {
	if op.Children[2].Tag == tagSASL {
		return s.bindSASL(op.Children[2])
	}
	name, password := op.Children[1].Data.String(), op.Children[2].Data.String()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.binds = append(s.binds, name)
	code := ldap.LDAPResultInvalidCredentials
	if want, ok := s.users[name]; ok && want == password {
		code = ldap.LDAPResultSuccess
	}
	return []*ber.Packet{result(ldap.ApplicationBindResponse, code)}
}

// Tags of a BindRequest's and a BindResponse's SASL credentials (RFC 4511 4.2).
const (
	tagSASL        = 3
	tagSASLAnswers = 7
)

// bindSASL takes one step of a bind with SASL.
func (s *fakeServer) bindSASL(credentials *ber.Packet) []*ber.Packet {
	if mechanism := credentials.Children[0].Data.String(); mechanism != "GSSAPI" {
		s.t.Errorf("bind with SASL %s", mechanism)
	}
	var token []byte
	if len(credentials.Children) > 1 {
		token = credentials.Children[1].Data.Bytes()
	}
	answer, code := s.sasl(token)
	response := result(ldap.ApplicationBindResponse, code)
	if answer != nil {
		response.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, tagSASLAnswers, string(answer), ""))
	}
	return []*ber.Packet{response}
}

// search answers a search; nil: by closing the connection.
func (s *fakeServer) search(op *ber.Packet) []*ber.Packet {
	base, scope, limit := op.Children[0].Data.String(), op.Children[1].Value.(int64), int(op.Children[3].Value.(int64))
	filter, attributes := op.Children[6], []string{}
	for _, a := range op.Children[7].Children {
		attributes = append(attributes, a.Data.String())
	}
	if scope == ldap.ScopeWholeSubtree && slices.Contains(attributes, "objectSid") {
		if !s.beginAccountSearch(base, filter) {
			return nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	code := s.refuse["search"]
	for _, a := range attributes {
		code = max(code, s.refuse[a])
	}
	if !s.catalog && strings.Contains(base, "DC=child") {
		code = ldap.LDAPResultReferral
	}
	if code != 0 {
		return []*ber.Packet{result(ldap.ApplicationSearchResultDone, code)}
	}
	var answers []*ber.Packet
	for _, e := range s.entries {
		if !e.in(base, scope) || !e.matches(s.t, filter) {
			continue
		}
		if limit > 0 && len(answers) == limit && !s.unlimited {
			code = ldap.LDAPResultSizeLimitExceeded
			break
		}
		answers = append(answers, e.encode(attributes))
	}
	return append(answers, result(ldap.ApplicationSearchResultDone, code))
}

// beginAccountSearch notes a search and does with it what the test wants.
func (s *fakeServer) beginAccountSearch(base string, filter *ber.Packet) bool {
	s.mu.Lock()
	if filter.Tag != ldap.FilterAnd || len(filter.Children) != 2 || filter.Children[1].Tag != ldap.FilterEqualityMatch {
		s.t.Errorf("the filter is not (&(objectClass=user)(attribute=value)): %d", filter.Tag)
	} else {
		condition := filter.Children[1].Children
		s.searches = append(s.searches, fakeSearch{base, condition[0].Data.String(), condition[1].Data.String()})
	}
	gate, answered := s.gate, s.garbage == "" && s.hangUp == 0
	if s.hangUp > 0 {
		s.hangUp--
	}
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return answered
}

// in reports whether e is in the scope of a search below base.
func (e *fakeEntry) in(base string, scope int64) bool {
	if scope == ldap.ScopeBaseObject {
		return strings.EqualFold(e.dn, base)
	}
	below, err1 := ldap.ParseDN(e.dn)
	above, err2 := ldap.ParseDN(base)
	return err1 == nil && err2 == nil && e.dn != "" && (base == "" || above.EqualFold(below) || above.AncestorOfFold(below))
}

// matches evaluates a filter (RFC 4511 4.5.1.7) of the kinds that are needed.
func (e *fakeEntry) matches(t testing.TB, filter *ber.Packet) bool {
	switch filter.Tag {
	case ldap.FilterAnd:
		return !slices.ContainsFunc(filter.Children, func(f *ber.Packet) bool { return !e.matches(t, f) })
	case ldap.FilterPresent:
		name := filter.Data.String()
		return name == "objectClass" || len(e.attributes[name]) > 0
	case ldap.FilterEqualityMatch:
		value := filter.Children[1].Data.String()
		return slices.ContainsFunc(e.attributes[filter.Children[0].Data.String()], func(v string) bool { return strings.EqualFold(v, value) })
	}
	t.Errorf("a filter of kind %d", filter.Tag)
	return false
}

// encode returns a SearchResultEntry with the attributes asked for.
func (e *fakeEntry) encode(attributes []string) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, e.dn, ""))
	list := ber.NewSequence("")
	for _, name := range attributes {
		if len(e.attributes[name]) == 0 {
			continue
		}
		attribute, values := ber.NewSequence(""), ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range e.attributes[name] {
			values.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, v, ""))
		}
		attribute.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, name, ""))
		attribute.AppendChild(values)
		list.AppendChild(attribute)
	}
	p.AppendChild(list)
	return p
}
