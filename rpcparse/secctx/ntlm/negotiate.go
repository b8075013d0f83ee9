package ntlm

import "encoding/binary"

// Negotiate is the client's first message (MS-NLMP 2.2.1.1).
type Negotiate struct {
	Flags       Flags
	Domain      string // OEM, usually empty
	Workstation string // OEM, usually empty
}

// Offsets in a NEGOTIATE. Only the flags are always there.
const (
	negotiateFlags       = 12
	negotiateDomain      = 16
	negotiateWorkstation = 24
	negotiateMin         = 16
	negotiateFields      = 32 // size with both field descriptors
)

// ParseNegotiate reads a NEGOTIATE message.
func ParseNegotiate(token []byte) (Negotiate, error) {
	if err := check(token, TypeNegotiate, negotiateMin); err != nil {
		return Negotiate{}, err
	}
	n := Negotiate{Flags: Flags(binary.LittleEndian.Uint32(token[negotiateFlags:]))}
	if len(token) < negotiateFields {
		return n, nil
	}
	var err error
	if n.Flags.Has(FlagDomainSupplied) {
		if n.Domain, err = nameField(token, negotiateDomain, false, "ntlm_domain"); err != nil {
			return Negotiate{}, err
		}
	}
	if n.Flags.Has(FlagWorkstationSupplied) {
		if n.Workstation, err = nameField(token, negotiateWorkstation, false, "ntlm_workstation"); err != nil {
			return Negotiate{}, err
		}
	}
	return n, nil
}

// nameField reads and decodes the name whose descriptor is at offset at.
func nameField(token []byte, at int, unicode bool, name string) (string, error) {
	b, err := field(token, at, name)
	if err != nil {
		return "", err
	}
	text, _ := decodeName(b, unicode)
	return text, nil
}

// AppendNegotiate appends n, with the flags that its names need.
func AppendNegotiate(dst []byte, n Negotiate) ([]byte, error) {
	p := newPayload(TypeNegotiate, negotiateFields+versionSize)
	if n.Domain != "" {
		n.Flags |= FlagDomainSupplied
	}
	if n.Workstation != "" {
		n.Flags |= FlagWorkstationSupplied
	}
	binary.LittleEndian.PutUint32(p.fixed[negotiateFlags:], uint32(n.Flags))
	if err := p.put(negotiateDomain, "ntlm_domain", encodeName(n.Domain, 0)); err != nil {
		return nil, err
	}
	if err := p.put(negotiateWorkstation, "ntlm_workstation", encodeName(n.Workstation, 0)); err != nil {
		return nil, err
	}
	putVersion(p.fixed[negotiateFields:], n.Flags)
	return p.append(dst), nil
}

// putVersion writes the VERSION structure that FlagVersion announces
// (MS-NLMP 2.2.2.10): 10.0, build 17763, revision 15.
func putVersion(b []byte, flags Flags) {
	if flags.Has(FlagVersion) {
		copy(b, []byte{10, 0, 0x63, 0x45, 0, 0, 0, 15})
	}
}
