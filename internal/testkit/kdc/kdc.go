package kdc

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/keytab"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// Config is what a KDC knows.
type Config struct {
	Realm          string
	Etype          int32
	User, Password string
	Salt           string // of the user's key; "": the default
	Iterations     uint32 // of the user's key; 0: the default of the type
	Services       []string
	Referrals      map[string]string // services of other realms, and the realm to ask
	Trusts         []string          // realms whose KDC refers to this one
}

// KDC is a running KDC.
type KDC struct {
	config   Config
	keys     *keytab.Keytab
	listener net.Listener
	serving  sync.WaitGroup
}

// secret is the password of services, and of the trust between realms.
const secret = "what no client knows"

// kvno is the version of all keys.
const kvno = 3

// Start starts a KDC on a loopback address.
func Start(c Config) (*KDC, error) {
	k := &KDC{config: c, keys: keytab.New()}
	names := append([]string{"krbtgt/" + c.Realm}, c.Services...)
	for _, realm := range c.Referrals {
		names = append(names, "krbtgt/"+realm)
	}
	for _, name := range names {
		if err := k.keys.AddEntry(name, c.Realm, secret, time.Unix(1e9, 0), kvno, c.Etype); err != nil {
			return nil, err
		}
	}
	for _, realm := range c.Trusts {
		if err := k.keys.AddEntry("krbtgt/"+c.Realm, realm, secret, time.Unix(1e9, 0), kvno, c.Etype); err != nil {
			return nil, err
		}
	}
	var err error
	if k.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	k.serving.Go(k.accept)
	return k, nil
}

// Close stops the KDC.
func (k *KDC) Close() {
	k.listener.Close()
	k.serving.Wait()
}

// Addr is where it listens.
func (k *KDC) Addr() netip.AddrPort { return k.listener.Addr().(*net.TCPAddr).AddrPort() }

// Krb5Conf is a configuration for clients of this and other KDCs.
func (k *KDC) Krb5Conf(others ...*KDC) string {
	text := fmt.Sprintf("[libdefaults]\n\tdefault_realm = %s\n[realms]\n", k.config.Realm)
	for _, o := range append(others, k) {
		text += fmt.Sprintf("\t%s = {\n\t\tkdc = %s\n\t}\n", o.config.Realm, o.Addr())
	}
	return text
}

// Keytab has the keys of the services.
func (k *KDC) Keytab() (*krb5.Keytab, error) {
	file, err := k.keys.Marshal()
	if err != nil {
		return nil, err
	}
	return krb5.ParseKeytab(file)
}

func (k *KDC) accept() {
	for {
		conn, err := k.listener.Accept()
		if err != nil {
			return
		}
		k.serving.Go(func() {
			defer conn.Close()
			k.serve(conn)
		})
	}
}

// serve answers one request.
func (k *KDC) serve(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	request := make([]byte, min(binary.BigEndian.Uint32(length[:]), 1<<16))
	if _, err := io.ReadFull(conn, request); err != nil {
		return
	}
	answer, err := k.answer(request)
	if err != nil {
		return
	}
	_, _ = conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...))
}
