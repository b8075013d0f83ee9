package krb5

import (
	"encoding/binary"
	"fmt"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/adtype"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/ber"
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

const namePAC = "pac"

// Limits of the authorization data of a ticket. KDCs put one PAC into one container
// in front of all else. Clients can have more of both behind it, which are never
// reached where that PAC is good.
const (
	maxRelevant = 10 // levels of containers in each other, as Heimdal reads
	maxPACs     = 32 // whose signatures are verified
)

// PAC is who a ticket is for, as the KDC vouches for it (MS-PAC), with SIDs in
// their text form. Names are for people; they may hold any character.
type PAC struct {
	SID     string   // the user; of the account that is impersonated under constrained delegation
	Groups  []string // SIDs of enabled groups: of the domain, of others, resource groups; without SID
	Account string   // sAMAccountName
	Domain  string   // NetBIOS name of the account's domain

	// Foreign: the ticket is of another realm than the server's, which may say any
	// names.
	Foreign bool

	UPN        string // user principal name, perhaps made up from account and domain
	DNSDomain  string // DNS name of the account's domain
	ClientName string // client name of the ticket request
	Requestor  string // SID that asked for the ticket; empty in most service tickets, not the user's under delegation

	resourceDomain string // SID of the server's own domain; empty where the user is in no group of it
}

// String names the account.
func (p *PAC) String() string {
	return fmt.Sprintf("%s %q", p.SID, p.Domain+`\`+p.Account)
}

// pacType of a PAC_INFO_BUFFER (MS-PAC 2.4).
type pacType uint32

const (
	pacLogonInfo       pacType = 1
	pacServerSignature pacType = 6
	pacKDCSignature    pacType = 7
	pacClientInfo      pacType = 10
	pacUPNInfo         pacType = 12
	pacRequestor       pacType = 18
)

// pacBuffer is one PAC_INFO_BUFFER.
type pacBuffer struct {
	kind   pacType
	offset int // from the start of the PAC
	data   []byte
}

// Sizes of PACTYPE and PAC_INFO_BUFFER (MS-PAC 2.3, 2.4).
const (
	pacHeaderSize = 8
	pacInfoSize   = 16
)

// findPAC returns the PAC of a ticket that was signed with the service's key: the
// first such one in its authorization data, nil if that has no PAC at all. Clients
// can put authorization data into their ticket requests, so there may be others:
// they are not believed, wherever they are.
func findPAC(data []byte, service Key) (*PAC, error) {
	s := pacSearch{service: service}
	s.in(data, maxRelevant)
	if s.found != nil {
		return s.found, nil
	}
	return nil, s.failed
}

// pacSearch looks for a PAC.
type pacSearch struct {
	service Key
	found   *PAC
	tried   int
	failed  error // why the first PAC is not believed, which servers read
}

// in looks into AuthorizationData (RFC 4120 5.2.6) and its AD-IF-RELEVANT
// containers, which hold each other at most depth times.
func (s *pacSearch) in(data []byte, depth int) {
	list, err := ber.Inside(data, tagSequence)
	for err == nil && len(list) > 0 && s.found == nil {
		f, broken := readFields(list, "authorization data")
		_, list, err = ber.Next(list)
		switch kind := number(f[0]); {
		case broken != nil:
		case kind == int64(adtype.ADWin2KPAC):
			s.try(octets(f[1]))
		case kind == int64(adtype.ADIfRelevant) && depth > 0:
			s.in(octets(f[1]), depth-1)
		}
	}
}

// try takes a PAC that is signed with the service's key.
func (s *pacSearch) try(b []byte) {
	if s.tried++; s.tried > maxPACs {
		return
	}
	p, err := ParsePAC(b, s.service)
	if err == nil {
		s.found = p
	} else if s.failed == nil {
		s.failed = err
	}
}

// ParsePAC verifies the server signature of a PAC with the service's key, and
// only then reads what it signs.
func ParsePAC(b []byte, service Key) (*PAC, error) {
	buffers, err := pacBuffers(b)
	if err != nil {
		return nil, err
	}
	if err := verifyPAC(b, buffers, service); err != nil {
		return nil, err
	}
	p := &PAC{}
	logon, ok := find(buffers, pacLogonInfo)
	if ok {
		if err := p.takeLogonInfo(logon.data); err != nil {
			return nil, err
		}
	}
	err = p.takeNames(buffers)
	switch {
	case p.SID != "":
		return p, nil
	case err != nil:
		return nil, err
	}
	return nil, wire.Errorf(wire.ClassInvalid, namePAC, 0, "names no user")
}

// takeNames reads the buffers that only add names. A server does without them, so
// what cannot be read of them is missing.
func (p *PAC) takeNames(buffers []pacBuffer) (err error) {
	if buffer, ok := find(buffers, pacUPNInfo); ok {
		err = p.takeUPNInfo(buffer.data)
	}
	if buffer, ok := find(buffers, pacClientInfo); ok {
		_ = p.takeClientInfo(buffer.data)
	}
	if buffer, ok := find(buffers, pacRequestor); ok {
		_ = p.takeRequestor(buffer.data)
	}
	return err
}

// pacBuffers reads the directory of a PAC. All sums are of 64 bits; buffers
// must lie behind the directory and in the PAC. Of two of one type servers read
// the first, and there is one signature of each kind.
func pacBuffers(b []byte) ([]pacBuffer, error) {
	if len(b) > maxMessage {
		return nil, wire.Errorf(wire.ClassLimit, namePAC, 0, "%d bytes, at most %d", len(b), maxMessage)
	}
	if len(b) < pacHeaderSize {
		return nil, wire.Short(namePAC, 0, len(b), pacHeaderSize)
	}
	count, version := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if version != 0 {
		return nil, wire.Errorf(wire.ClassInvalid, namePAC, 4, "version %d, expected 0", version)
	}
	if uint64(count)*pacInfoSize > uint64(len(b)-pacHeaderSize) {
		return nil, wire.Errorf(wire.ClassInvalid, namePAC, 0, "%d buffers in %d bytes", count, len(b))
	}
	end := pacHeaderSize + int(count)*pacInfoSize
	buffers := make([]pacBuffer, 0, count)
	for at := pacHeaderSize; at < end; at += pacInfoSize {
		buffer, err := pacInfo(b, at, end)
		if err != nil {
			return nil, err
		}
		if buffer.kind == pacServerSignature || buffer.kind == pacKDCSignature {
			if _, ok := find(buffers, buffer.kind); ok {
				return nil, wire.Errorf(wire.ClassInvalid, namePAC, at, "two signatures of type %d", buffer.kind)
			}
		}
		buffers = append(buffers, buffer)
	}
	return buffers, nil
}

// pacInfo reads the entry at offset at of a directory that ends at end.
func pacInfo(b []byte, at, end int) (pacBuffer, error) {
	kind := pacType(binary.LittleEndian.Uint32(b[at:]))
	size := uint64(binary.LittleEndian.Uint32(b[at+4:]))
	offset := binary.LittleEndian.Uint64(b[at+8:])
	if total := uint64(len(b)); offset < uint64(end) || offset > total || size > total-offset {
		return pacBuffer{}, wire.Errorf(wire.ClassInvalid, namePAC, at, "buffer type %d of %d bytes at %d in a PAC of %d", kind, size, offset, total)
	}
	return pacBuffer{kind: kind, offset: int(offset), data: b[offset : offset+size]}, nil
}

// find returns the first buffer of a type.
func find(buffers []pacBuffer, kind pacType) (pacBuffer, bool) {
	for _, b := range buffers {
		if b.kind == kind {
			return b, true
		}
	}
	return pacBuffer{}, false
}
