package kerberos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// maxReply is the largest reply of a KDC that is read, in bytes. The ticket in
// it must fit the token of a PDU, whose size has 16 bits; Windows makes none of
// more than 48,000 bytes.
const maxReply = 65535

// attempt is how long one KDC may take, so that there is time for another.
const attempt = 5 * time.Second

// lengthSize is the size of the length in front of a message over TCP (RFC 4120
// 7.2.2). UDP is not used: tickets of accounts in many groups do not fit it.
const lengthSize = 4

// ask sends a request to the KDCs of a realm, one after the other until one
// answers. A KRB-ERROR is an answer, and the error then.
func (c *Client) ask(ctx context.Context, realm string, request []byte) ([]byte, error) {
	kdcs, err := c.kdcs(ctx, realm)
	if err != nil {
		return nil, err
	}
	for _, addr := range kdcs {
		var reply []byte
		if reply, err = exchange(ctx, addr, request); err == nil {
			c.answered = addr
			return answer(reply)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return nil, err
}

// answer makes a KRB-ERROR an error.
func answer(reply []byte) ([]byte, error) {
	if !krb5.IsKRBError(reply) {
		return reply, nil
	}
	refused, err := krb5.ParseKRBError(reply)
	if err != nil {
		return nil, err
	}
	return nil, refused
}

// exchange sends a request to one KDC and returns its reply, of one byte at
// least.
func exchange(ctx context.Context, addr string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	reply, err := exchangeWithin(ctx, addr, request)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("KDC %s: %w", addr, err)
	}
	return reply, nil
}

func exchangeWithin(ctx context.Context, addr string, request []byte) ([]byte, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	message := binary.BigEndian.AppendUint32(nil, uint32(len(request)))
	if _, err := conn.Write(append(message, request...)); err != nil {
		return nil, err
	}
	return readReply(conn)
}

func readReply(r io.Reader) ([]byte, error) {
	var head [lengthSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	switch {
	case length == 0:
		return nil, errors.New("an empty reply")
	case length > maxReply:
		return nil, fmt.Errorf("a reply of %d bytes is announced, at most %d", length, maxReply)
	}
	reply := make([]byte, length)
	if _, err := io.ReadFull(r, reply); err != nil {
		return nil, err
	}
	return reply, nil
}
