package krb5

import (
	"strings"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/ber"
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// What a domain controller has accepted names its user, however it was written. So
// the messages of a handshake are read here field by field, without the library,
// which refuses numbers, bits and times that Heimdal reads, and allocates for every
// element. Fields may come in any order, unknown ones are passed over, lengths and
// tags may have any form, and bytes behind a message are ignored. Nothing is
// allocated but what is returned.

const nameMessage = "kerberos_message"

// Tags of ASN.1 (X.680 8.4) and of the structures of RFC 4120.
const (
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagSequence    = 0x30

	tagTicket        = 0x61
	tagAuthenticator = 0x62
	tagEncTicketPart = 0x63
	tagEncAPRepPart  = 0x7b
)

// maxFields is more than the numbers that fields of a message have: 0 to 10.
const maxFields = 16

// fields are the contents of the fields of a SEQUENCE by the numbers of their
// tags; nil where one is absent. Of two of one number the first counts.
type fields [maxFields][]byte

// readFields reads the fields of the SEQUENCE that b begins with, inside the
// elements of the tags around it.
func readFields(b []byte, what string, around ...byte) (f fields, err error) {
	for _, tag := range around {
		if b, err = ber.Inside(b, tag); err != nil {
			return f, unreadable(what, err)
		}
	}
	if b, err = ber.Inside(b, tagSequence); err != nil {
		return f, unreadable(what, err)
	}
	const context, number = 0xa0, 0x1f
	for len(b) > 0 {
		var e ber.Element
		if e, b, err = ber.Next(b); err != nil {
			return f, unreadable(what, err)
		}
		if n := e.Tag & number; e.Tag&^number == context && n < maxFields && f[n] == nil {
			f[n] = e.Content
		}
	}
	return f, nil
}

// unreadable says in which message an element cannot be read.
func unreadable(what string, err error) error {
	return wire.Errorf(wire.ClassInvalid, nameMessage, 0, "the %s: %v", what, err)
}

// number reads an INTEGER; its low 64 bits, sign-extended. It is 0 where the field
// is absent or no number.
func number(field []byte) (n int64) {
	b, err := ber.Inside(field, tagInteger)
	if err != nil || len(b) == 0 {
		return 0
	}
	if b[0]&0x80 != 0 {
		n = -1
	}
	for _, c := range b {
		n = n<<8 | int64(c)
	}
	return n
}

// octets reads an OCTET STRING; nil where the field is absent or none.
func octets(field []byte) []byte {
	b, err := ber.Inside(field, tagOctetString)
	if err != nil {
		return nil
	}
	return b
}

// bit reports whether a bit of a BIT STRING is set; 0 is the first.
func bit(field []byte, n int) bool {
	b, err := ber.Inside(field, tagBitString)
	at := 1 + n/8 // behind the number of unused bits
	return err == nil && at < len(b) && b[at]&(0x80>>(n%8)) != 0
}

// text returns the content of a string, of whatever type.
func text(field []byte) []byte {
	e, _, err := ber.Next(field)
	if err != nil {
		return nil
	}
	return e.Content
}

// moment reads a KerberosTime (RFC 4120 5.2.3); zero if it is none. Heimdal reads
// the digits and nothing behind them, and years of two digits.
func moment(field []byte) time.Time {
	b := text(field)
	for _, layout := range [...]string{"20060102150405", "060102150405"} {
		if len(b) >= len(layout) {
			if t, err := time.Parse(layout, string(b[:len(layout)])); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}

// readKey reads an EncryptionKey. Its bytes are part of the message.
func readKey(field []byte) Key {
	f, err := readFields(field, "key")
	if err != nil {
		return Key{}
	}
	return Key{Etype: int32(number(f[0])), Value: octets(f[1])}
}

// readEncrypted reads an EncryptedData.
func readEncrypted(field []byte, what string) (types.EncryptedData, error) {
	f, err := readFields(field, what)
	if err != nil {
		return types.EncryptedData{}, err
	}
	return types.EncryptedData{EType: int32(number(f[0])), KVNO: int(uint32(number(f[1]))), Cipher: octets(f[2])}, nil
}

// name is a PrincipalName as a message has it: the elements of its strings.
type name []byte

// readName reads a PrincipalName; it is empty where the field is absent.
func readName(field []byte) name {
	f, err := readFields(field, "name")
	if err != nil {
		return nil
	}
	b, err := ber.Inside(f[1], tagSequence)
	if err != nil {
		return nil
	}
	return b
}

// next splits off the first component.
func (n name) next() (component []byte, rest name, ok bool) {
	e, b, err := ber.Next(n)
	return e.Content, b, err == nil
}

// components returns the first of the name's strings, maxComponents at most.
func (n name) components() (list []string) {
	for len(list) < maxComponents {
		c, rest, ok := n.next()
		if !ok {
			break
		}
		list, n = append(list, shown(c)), rest
	}
	return list
}

// maxShown bounds a name that is only shown, in bytes.
const maxShown = 1024

// shown returns a name as it is shown.
func shown(b []byte) string { return string(b[:min(len(b), maxShown)]) }

// principal prints a name as Kerberos does. It may hold any character.
func principal(components []string, realm string) string {
	return strings.Join(components, "/") + "@" + realm
}
