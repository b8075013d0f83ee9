package directory

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// maxMessage bounds one message of the server, in bytes: the LDAP library
// allocates what a message announces, and a hundred times as much for elements of
// two bytes. The largest is an account with the SIDs of its groups, of which a
// token has 1,015 at most: some 40 KiB.
const maxMessage = 128 << 10

// The bound is the library's, for the whole process: nothing else in it uses BER.
func init() { ber.MaxPacketLengthBytes = maxMessage }

// link is one LDAP connection, bound, with the domains of the forest as it has read
// them. It is used by one worker at a time.
type link struct {
	config *Config
	server server
	raw    net.Conn // below TLS: to close it ends everything at once
	meter  *meter   // around raw
	ldap   *ldap.Conn
	forest forest
	since  time.Time
}

// connect makes a connection, unless the last one failed a short while ago. It has
// a time limit of its own, and not that of the look-up which needs it, because the
// connection serves later look-ups, too.
func (d *Directory) connect() (*link, error) {
	ctx, cancel := context.WithTimeout(d.running, d.config.Timeout)
	defer cancel()
	l := &link{config: &d.config, server: d.server, since: time.Now()}
	err := l.open(ctx)
	if d.running.Err() != nil {
		l.close()
		return nil, ErrClosed
	}
	if err != nil {
		l.close()
		err = fmt.Errorf("%w: %w", ErrDown, err)
		d.counts.failures.Add(1)
		d.failed(err)
		return nil, err
	}
	d.counts.connects.Add(1)
	domains := l.forest.all()
	d.domains.Store(&domains)
	if d.breaker.connected() {
		d.changed(nil)
	}
	return l, nil
}

// open dials, encrypts, binds and asks for the domains.
func (l *link) open(ctx context.Context) error {
	var dialer net.Dialer
	var err error
	if l.raw, err = dialer.DialContext(ctx, "tcp", l.server.address); err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer l.limit(ctx)()
	if err := l.start(ctx); err != nil {
		return fmt.Errorf("connecting to %s: %w", l.server.address, err)
	}
	if err := l.bind(ctx); err != nil {
		return fmt.Errorf("binding as %s: %w", l.config.BindDN, err)
	}
	if l.forest, err = l.readForest(); err != nil {
		return fmt.Errorf("reading the domains of the forest: %w", err)
	}
	return nil
}

// start begins LDAP, encrypted as configured.
func (l *link) start(ctx context.Context) error {
	secure := &tls.Config{ServerName: l.server.host, RootCAs: l.config.RootCAs, MinVersion: tls.VersionTLS12}
	l.meter = &meter{Conn: l.raw}
	l.meter.refill()
	var conn net.Conn = l.meter
	if l.server.tls {
		t := tls.Client(conn, secure)
		if err := t.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = t
	}
	l.ldap = ldap.NewConn(conn, l.server.tls)
	l.ldap.SetTimeout(2 * l.config.Timeout) // contexts end what takes long; this is for what they miss
	l.ldap.Start()
	if l.config.StartTLS {
		return l.ldap.StartTLS(secure)
	}
	return nil
}

// bind authenticates as BindDN.
func (l *link) bind(ctx context.Context) error {
	if l.config.BindDN == "" {
		return nil
	}
	secret, err := l.config.Secret()
	if err != nil {
		return err
	}
	if l.config.Kerberos != nil {
		return l.bindKerberos(ctx, secret)
	}
	return l.ldap.Bind(l.config.BindDN, strings.TrimRight(string(secret), "\r\n"))
}

// limit begins a look-up, with what the server may send for it, and closes the
// connection when ctx ends before the returned function is called, because the
// library's calls do not take contexts.
func (l *link) limit(ctx context.Context) func() bool {
	if l.meter != nil {
		l.meter.refill()
	}
	return context.AfterFunc(ctx, func() { l.raw.Close() })
}

// close ends the connection and the library's goroutines. The network connection is
// closed first, so that they do not wait for the server.
func (l *link) close() {
	if l.raw != nil {
		l.raw.Close()
	}
	if l.ldap != nil {
		_ = l.ldap.Close() // the network is closed already, and says so
	}
}
