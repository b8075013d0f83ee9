package kerberos

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/patype"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// Bounds of the iterations that derive a key from a password. Active Directory has
// 4096 for AES (RFC 3962), 32768 are the default for AES with SHA-2 (RFC 8009). The
// most take a tenth of a second. With fewer than the least, who is in the path and
// asks for them could guess the password sooner from what the client encrypts.
const (
	minIterations = 1 << 12
	maxIterations = 1 << 17
)

// salting says how a key is made of a password, for one encryption type.
type salting struct {
	etype  int32
	salt   string
	params []byte // iterations; empty: the default of the type
}

// saltings reads what a KDC says of the account's keys (RFC 4120 5.2.7.5); nil
// if it says nothing.
func saltings(pa types.PADataSequence) ([]salting, error) {
	for _, p := range pa {
		if p.PADataType != patype.PA_ETYPE_INFO2 {
			continue
		}
		var info types.ETypeInfo2
		if err := krb5.Decode(p.PADataValue, "ETYPE-INFO2", info.Unmarshal); err != nil {
			return nil, err
		}
		var list []salting
		for _, e := range info {
			list = append(list, salting{e.EType, e.Salt, e.S2KParams})
		}
		return list, nil
	}
	return nil, nil
}

// key returns the account's key of an encryption type, and its version; 0 is
// none. With a password it is made with what the KDC says.
func (c *Client) key(etype int32, said []salting) (key krb5.Key, kvno int, err error) {
	if !slices.Contains(krb5.Types(), etype) {
		return key, 0, fmt.Errorf("the KDC chose encryption type %d", etype)
	}
	if c.Keytab != nil {
		found, kvno, err := c.Keytab.GetEncryptionKey(c.principal(), c.Realm, 0, etype)
		return krb5.Key{Etype: etype, Value: found.KeyValue}, kvno, err
	}
	with := salting{etype: etype, salt: c.principal().GetSalt(c.Realm)}
	if i := slices.IndexFunc(said, func(s salting) bool { return s.etype == etype }); i >= 0 {
		with.params = said[i].params
		if said[i].salt != "" {
			with.salt = said[i].salt
		}
	}
	key, err = with.key(c.Password)
	return key, 0, err
}

func (s salting) key(password string) (krb5.Key, error) {
	e, err := crypto.GetEtype(s.etype)
	if err != nil {
		return krb5.Key{}, err
	}
	params := e.GetDefaultStringToKeyParams()
	if len(s.params) == 4 {
		if n := binary.BigEndian.Uint32(s.params); n < minIterations || n > maxIterations {
			return krb5.Key{}, fmt.Errorf("the KDC wants a key of %d iterations, expected %d to %d", n, minIterations, maxIterations)
		}
		params = hex.EncodeToString(s.params)
	}
	value, err := e.StringToKey(password, s.salt, params)
	return krb5.Key{Etype: s.etype, Value: value}, err
}
