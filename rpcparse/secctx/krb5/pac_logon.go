package krb5

import (
	"encoding/binary"
	"slices"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Layout of KERB_VALIDATION_INFO in type serialization version 1 (MS-PAC 2.5,
// MS-RPCE 2.2.6): offsets from the start of the buffer. The strings are
// headers {length u16, capacity u16, referent u32}; what referents point to
// follows at logonDeferred in the order of the referents.
const (
	logonReferent        = 16
	logonStrings         = 68 // six: account, full name, script, profile, home directory, its drive
	logonUserID          = 120
	logonGroupCount      = 128
	logonGroups          = 132
	logonServer          = 156
	logonDomainName      = 164
	logonDomainID        = 172
	logonSIDCount        = 216
	logonSIDs            = 220
	logonResourceDomain  = 224
	logonResourceCount   = 228
	logonResourceGroups  = 232
	logonDeferred        = 236
	logonStringSize      = 8
	logonStringsInFront  = 6
	logonMembershipSize  = 8 // GROUP_MEMBERSHIP: RID, attributes
	logonSIDElementSize  = 8 // KERB_SID_AND_ATTRIBUTES: referent, attributes
	logonStringReferents = 4 // offset of the referent in a string header
)

// serialization starts a buffer of type serialization version 1: version,
// little-endian, header length 8, filler (MS-RPCE 2.2.6.1).
const serialization = "\x01\x10\x08\x00\xcc\xcc\xcc\xcc"

// Attributes of a group (MS-PAC 2.2.1): a group counts when it is enabled and
// not only there to deny.
const (
	groupEnabled  = 0x04
	groupDenyOnly = 0x10
)

// membership is a SID or a RID with its attributes.
type membership struct {
	sid        sid
	rid        uint32
	attributes uint32
}

func (m membership) counts() bool {
	return m.attributes&groupEnabled != 0 && m.attributes&groupDenyOnly == 0
}

// logonInfo is what of KERB_VALIDATION_INFO is used.
type logonInfo struct {
	account, domain string
	userID          uint32
	groups          []membership // RIDs of domainID
	domainID        sid
	extra           []membership // SIDs
	resourceDomain  sid
	resources       []membership // RIDs of resourceDomain
}

// takeLogonInfo reads the logon information, the source of the SID.
func (p *PAC) takeLogonInfo(b []byte) error {
	info, err := parseLogonInfo(b)
	if err != nil {
		return err
	}
	p.Account, p.Domain = info.account, info.domain
	if len(info.resourceDomain.subs) > 0 {
		p.resourceDomain = info.resourceDomain.String()
	}
	extra := info.extra
	if info.userID == 0 { // the user is of no domain of that forest (MS-PAC 2.5)
		if len(extra) == 0 {
			return wire.Errorf(wire.ClassInvalid, nameLogonInfo, logonUserID, "neither a user's RID nor an extra SID")
		}
		p.SID, extra = extra[0].sid.String(), extra[1:]
	} else {
		user, err := info.domainID.with(info.userID)
		if err != nil {
			return err
		}
		p.SID = user.String()
	}
	return p.takeGroups(info, extra)
}

// takeGroups lists the groups that count, each once.
func (p *PAC) takeGroups(info logonInfo, extra []membership) error {
	for _, of := range []struct {
		domain sid
		groups []membership
	}{{info.domainID, info.groups}, {info.resourceDomain, info.resources}} {
		for _, g := range of.groups {
			s, err := of.domain.with(g.rid)
			if err != nil {
				return err
			}
			p.addGroup(s, g)
		}
	}
	for _, g := range extra {
		p.addGroup(g.sid, g)
	}
	slices.Sort(p.Groups)
	p.Groups = slices.Compact(p.Groups)
	return nil
}

func (p *PAC) addGroup(s sid, m membership) {
	if text := s.String(); m.counts() && text != p.SID {
		p.Groups = append(p.Groups, text)
	}
}

// parseLogonInfo walks the fixed part and the deferred items behind it.
func parseLogonInfo(b []byte) (info logonInfo, err error) {
	if len(b) < logonDeferred {
		return info, wire.Short(nameLogonInfo, 0, len(b), logonDeferred)
	}
	if string(b[:len(serialization)]) != serialization {
		return info, wire.Errorf(wire.ClassInvalid, nameLogonInfo, 0, "not little-endian type serialization version 1")
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	if u32(logonReferent) == 0 {
		return info, wire.Errorf(wire.ClassInvalid, nameLogonInfo, logonReferent, "a null pointer")
	}
	info.userID = u32(logonUserID)

	d := deferred{b: b, at: logonDeferred}
	text := func(header int) (s string) {
		if u32(header+logonStringReferents) != 0 {
			s = d.text()
		}
		return s
	}
	info.account = text(logonStrings)
	for i := 1; i < logonStringsInFront; i++ {
		text(logonStrings + i*logonStringSize)
	}
	if u32(logonGroups) != 0 {
		info.groups = d.memberships(u32(logonGroupCount))
	}
	text(logonServer)
	info.domain = text(logonDomainName)
	if u32(logonDomainID) != 0 {
		info.domainID = d.sid()
	}
	if u32(logonSIDs) != 0 {
		info.extra = d.sids(u32(logonSIDCount))
	}
	if u32(logonResourceDomain) != 0 {
		info.resourceDomain = d.sid()
	}
	if u32(logonResourceGroups) != 0 {
		info.resources = d.memberships(u32(logonResourceCount))
	}
	return info, d.err
}

// memberships reads an array of GROUP_MEMBERSHIP.
func (d *deferred) memberships(announced uint32) []membership {
	groups := make([]membership, d.count(announced, logonMembershipSize))
	for i := range groups {
		groups[i].rid, groups[i].attributes = d.u32(), d.u32()
	}
	return groups
}

// sids reads an array of KERB_SID_AND_ATTRIBUTES and the SIDs behind it.
func (d *deferred) sids(announced uint32) []membership {
	list := make([]membership, d.count(announced, logonSIDElementSize))
	for i := range list {
		if d.u32() == 0 && d.err == nil {
			d.err = wire.Errorf(wire.ClassInvalid, nameLogonInfo, d.at, "a null SID")
		}
		list[i].attributes = d.u32()
	}
	for i := range list {
		list[i].sid = d.sid()
	}
	return list
}
