package krb5

import (
	"encoding/binary"
	"fmt"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/adtype"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

const namePAC = "pac"

// Limits of a PAC. Windows Server 2022 sends ten buffers; 64 leave room for
// what comes. A client can add authorization data to its ticket, so only a few
// PACs of one ticket are tried.
const (
	maxPACBuffers = 64
	maxPACs       = 4
)

// PAC is who a ticket is for, as the KDC vouches for it (MS-PAC), with SIDs in
// their text form. Names are for people; they may hold any character.
type PAC struct {
	SID     string   // the user; of the account that is impersonated under constrained delegation
	Groups  []string // SIDs of enabled groups: of the domain, of others, resource groups; without SID
	Account string   // sAMAccountName
	Domain  string   // NetBIOS name of the account's domain

	UPN        string // user principal name, perhaps made up from account and domain
	DNSDomain  string // DNS name of the account's domain
	ClientName string // client name of the ticket request
	Requestor  string // SID that asked for the ticket; empty in most service tickets, not the user's under delegation
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

// findPAC returns the PAC of a ticket that was signed with the service's key.
// Clients can put authorization data into their ticket requests, so there may
// be others: they are not believed, wherever they are.
func findPAC(data types.AuthorizationData, service Key) (*PAC, error) {
	var valid []*PAC
	var failed error
	for _, b := range pacsOf(data) {
		p, err := ParsePAC(b, service)
		if err != nil {
			failed = err
			continue
		}
		valid = append(valid, p)
	}
	switch {
	case len(valid) == 1:
		return valid[0], nil
	case len(valid) > 1:
		return nil, wire.Errorf(wire.ClassInvalid, namePAC, 0, "%d valid PACs in one ticket", len(valid))
	}
	return nil, failed
}

// pacsOf collects the PACs in all AD-IF-RELEVANT containers (RFC 4120
// 5.2.6.1): two containers are common.
func pacsOf(data types.AuthorizationData) (pacs [][]byte) {
	for _, container := range data {
		if container.ADType != adtype.ADIfRelevant {
			continue
		}
		var elements types.AuthorizationData
		if Decode(container.ADData, "authorization data", elements.Unmarshal) != nil {
			continue
		}
		for _, e := range elements {
			if e.ADType == adtype.ADWin2KPAC && len(pacs) < maxPACs {
				pacs = append(pacs, e.ADData)
			}
		}
	}
	return pacs
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
	for _, read := range []struct {
		kind pacType
		take func(*PAC, []byte) error
	}{
		{pacLogonInfo, (*PAC).takeLogonInfo},
		{pacUPNInfo, (*PAC).takeUPNInfo}, // behind the logon information, which it must not contradict
		{pacClientInfo, (*PAC).takeClientInfo},
		{pacRequestor, (*PAC).takeRequestor},
	} {
		if buffer, ok := find(buffers, read.kind); ok {
			if err := read.take(p, buffer.data); err != nil {
				return nil, err
			}
		}
	}
	if p.SID == "" {
		return nil, wire.Errorf(wire.ClassInvalid, namePAC, 0, "names no user")
	}
	return p, nil
}

// pacBuffers reads the directory of a PAC. All sums are of 64 bits; buffers
// must lie behind the directory, in the PAC, and apart from each other; no
// type may occur twice.
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
	if count > maxPACBuffers {
		return nil, wire.Errorf(wire.ClassLimit, namePAC, 0, "%d buffers, at most %d", count, maxPACBuffers)
	}
	end := pacHeaderSize + int(count)*pacInfoSize
	if len(b) < end {
		return nil, wire.Short(namePAC, pacHeaderSize, len(b), end)
	}
	buffers := make([]pacBuffer, 0, count)
	for at := pacHeaderSize; at < end; at += pacInfoSize {
		buffer, err := pacInfo(b, at, end)
		if err != nil {
			return nil, err
		}
		for _, other := range buffers {
			if err := buffer.conflict(other, at); err != nil {
				return nil, err
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

// conflict tells whether two buffers have one type or share bytes.
func (b pacBuffer) conflict(other pacBuffer, at int) error {
	if b.kind == other.kind {
		return wire.Errorf(wire.ClassInvalid, namePAC, at, "two buffers of type %d", b.kind)
	}
	if b.offset < other.offset+len(other.data) && other.offset < b.offset+len(b.data) {
		return wire.Errorf(wire.ClassInvalid, namePAC, at, "buffers of types %d and %d overlap", b.kind, other.kind)
	}
	return nil
}

func find(buffers []pacBuffer, kind pacType) (pacBuffer, bool) {
	for _, b := range buffers {
		if b.kind == kind {
			return b, true
		}
	}
	return pacBuffer{}, false
}
