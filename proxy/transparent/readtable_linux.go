package transparent

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Attributes and values of nf_tables that package unix does not have
// (linux/netfilter/nf_tables.h).
const (
	nftaTableUserdata = 6
	nftaChainFlags    = 10
	udataComment      = 0 // in the user data of a table: a text that ends with NUL
)

// nfHeader is the length of struct nfgenmsg in bytes.
const nfHeader = 4

// nfConn is a conversation with nf_tables about the tables of family inet.
type nfConn struct{ *netlink.Conn }

func dialNetfilter() (nfConn, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nfConn{}, err
	}
	_ = conn.SetReadBuffer(netlinkBuffer) // only as large as the system allows
	return nfConn{conn}, conn.SetDeadline(time.Now().Add(netlinkTimeout))
}

// nfAttribute is an attribute of a request that is a text.
type nfAttribute struct {
	kind uint16
	text string
}

// ask sends one request of NFT_MSG_GET… and calls each with the attributes of
// every answer.
func (c nfConn) ask(kind, flags netlink.HeaderType, attributes []nfAttribute, each func(attributes)) error {
	encoder := netlink.NewAttributeEncoder()
	for _, a := range attributes {
		encoder.String(a.kind, a.text)
	}
	encoded, err := encoder.Encode()
	if err != nil {
		return err
	}
	answers, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | kind, Flags: netlink.Request | netlink.HeaderFlags(flags)},
		Data:   append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, encoded...),
	})
	if err != nil {
		return err
	}
	for _, m := range answers {
		if len(m.Data) < nfHeader {
			return errors.New("a message of nf_tables without a header")
		}
		a, err := readAttributes(m.Data[nfHeader:])
		if err != nil {
			return err
		}
		each(a)
	}
	return nil
}

// attributes are those of one message, or of one attribute, in its order.
type attributes []netlink.Attribute

func readAttributes(b []byte) (attributes, error) { return netlink.UnmarshalAttributes(b) }

// bytes returns the first attribute of a kind; nil: there is none.
func (all attributes) bytes(kind uint16) []byte {
	for _, a := range all {
		if a.Type&^(netlink.Nested|netlink.NetByteOrder) == kind {
			return a.Data
		}
	}
	return nil
}

// text returns one that ends with NUL, and number one of 32 bits in network order.
func (all attributes) text(kind uint16) string {
	return strings.TrimRight(string(all.bytes(kind)), "\x00")
}

func (all attributes) number(kind uint16) uint32 {
	if b := all.bytes(kind); len(b) == 4 {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// generation returns the number of the last transaction of nf_tables. As long as it
// is the same, nothing was changed in any table: packets that add elements to a set,
// and elements whose time is over, do not count.
func (c nfConn) generation() (id uint32, err error) {
	err = c.ask(unix.NFT_MSG_GETGEN, 0, nil, func(a attributes) { id = a.number(unix.NFTA_GEN_ID) })
	return id, err
}

// readTable reads our table; nil: there is none.
func (c nfConn) readTable() (*table, error) {
	r := &tableReader{conn: c, table: table{chains: map[string]chain{}, sets: map[string]digest{}}}
	err := c.ask(unix.NFT_MSG_GETTABLE, 0, []nfAttribute{{unix.NFTA_TABLE_NAME, TableName}}, func(a attributes) {
		r.table.dormant = a.number(unix.NFTA_TABLE_FLAGS)&unix.NFT_TABLE_F_DORMANT != 0
		r.table.comment = tableComment(a.bytes(nftaTableUserdata))
	})
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	for _, read := range []func() error{r.chains, r.rules, r.sets} {
		if err == nil {
			err = read()
		}
	}
	if err != nil {
		return nil, err
	}
	return &r.table, nil
}

// tableComment finds the comment in the user data of a table, which is a list of a
// type, a length and so many bytes each.
func tableComment(data []byte) string {
	for len(data) >= 2 {
		kind, n := data[0], int(data[1])
		if len(data) < 2+n {
			return ""
		}
		if kind == udataComment {
			return strings.TrimRight(string(data[2:2+n]), "\x00")
		}
		data = data[2+n:]
	}
	return ""
}

// tableReader reads the parts of a table.
type tableReader struct {
	conn  nfConn
	table table
}

// chains reads the chains without their rules.
func (r *tableReader) chains() error {
	// The kernel lists those of all tables of the family.
	return r.conn.ask(unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP, nil, func(a attributes) {
		if a.text(unix.NFTA_CHAIN_TABLE) != TableName {
			return
		}
		hook := a.bytes(unix.NFTA_CHAIN_HOOK)
		r.table.chains[a.text(unix.NFTA_CHAIN_NAME)] = chain{base: hook != nil, digest: digestOf(sha256.New(),
			hook, a.bytes(unix.NFTA_CHAIN_TYPE), a.bytes(unix.NFTA_CHAIN_POLICY), a.bytes(nftaChainFlags))}
	})
}

// rules adds the rules to the chains, in their order.
func (r *tableReader) rules() (err error) {
	asked := r.conn.ask(unix.NFT_MSG_GETRULE, unix.NLM_F_DUMP, []nfAttribute{{unix.NFTA_RULE_TABLE, TableName}}, func(a attributes) {
		name := a.text(unix.NFTA_RULE_CHAIN)
		c := r.table.chains[name]
		h := sha256.New()
		h.Write(c.digest[:])
		if e := writeExpressions(h, a.bytes(unix.NFTA_RULE_EXPRESSIONS)); e != nil {
			err = e
		}
		c.rules++
		c.digest = digestOf(h)
		r.table.chains[name] = c
	})
	return errors.Join(asked, err)
}

// counting are the expressions of rules whose data packets change.
var counting = []string{"counter", "quota", "last"}

// writeExpressions writes what a rule matches and does.
func writeExpressions(h hash.Hash, list []byte) error {
	all, err := readAttributes(list)
	if err != nil {
		return err
	}
	for _, element := range all {
		e, err := readAttributes(element.Data)
		if err != nil {
			return err
		}
		name := e.text(unix.NFTA_EXPR_NAME)
		writePart(h, []byte(name))
		if !slices.Contains(counting, name) {
			writePart(h, e.bytes(unix.NFTA_EXPR_DATA))
		}
	}
	return nil
}

// sets reads the sets. Those that belong to a rule have no name of ours, and keep
// their elements.
func (r *tableReader) sets() error {
	const anonymous = unix.NFT_SET_ANONYMOUS | unix.NFT_SET_CONSTANT
	var ofRules []string
	h := sha256.New()
	err := r.conn.ask(unix.NFT_MSG_GETSET, unix.NLM_F_DUMP, []nfAttribute{{unix.NFTA_SET_TABLE, TableName}}, func(a attributes) {
		name, flags := a.text(unix.NFTA_SET_NAME), a.number(unix.NFTA_SET_FLAGS)
		d := digestOf(sha256.New(), a.bytes(unix.NFTA_SET_FLAGS), a.bytes(unix.NFTA_SET_KEY_TYPE), a.bytes(unix.NFTA_SET_KEY_LEN),
			a.bytes(unix.NFTA_SET_DATA_TYPE), a.bytes(unix.NFTA_SET_DATA_LEN), a.bytes(unix.NFTA_SET_DESC), a.bytes(unix.NFTA_SET_TIMEOUT))
		if flags&anonymous != anonymous {
			r.table.sets[name] = d
			return
		}
		ofRules = append(ofRules, name)
		writePart(h, []byte(name))
		writePart(h, d[:])
	})
	for _, name := range ofRules {
		if err != nil {
			return err
		}
		var d digest
		d, err = r.elements(name)
		writePart(h, d[:])
	}
	r.table.anonymous = digestOf(h)
	return err
}

// elements returns a digest of a set's elements, which the kernel lists in any
// order.
func (r *tableReader) elements(set string) (sum digest, err error) {
	request := []nfAttribute{{unix.NFTA_SET_ELEM_LIST_TABLE, TableName}, {unix.NFTA_SET_ELEM_LIST_SET, set}}
	asked := r.conn.ask(unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, request, func(a attributes) {
		list, e := readAttributes(a.bytes(unix.NFTA_SET_ELEM_LIST_ELEMENTS))
		for _, element := range list {
			d := digestOf(sha256.New(), element.Data)
			for i := range sum {
				sum[i] ^= d[i]
			}
		}
		if e != nil {
			err = e
		}
	})
	return sum, errors.Join(asked, err)
}

// digestOf writes parts and returns the digest of all that h was given.
func digestOf(h hash.Hash, parts ...[]byte) (d digest) {
	for _, p := range parts {
		writePart(h, p)
	}
	h.Sum(d[:0])
	return d
}

// writePart writes a part with its length, so that parts cannot be taken for others.
func writePart(h hash.Hash, part []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(part)))
	h.Write(n[:])
	h.Write(part)
}
