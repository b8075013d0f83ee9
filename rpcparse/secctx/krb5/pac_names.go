package krb5

import (
	"encoding/binary"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

const (
	nameUPNInfo    = "pac_upn_dns_info"
	nameClientInfo = "pac_client_info"
	nameRequestor  = "pac_requestor"
)

// Layout of UPN_DNS_INFO (MS-PAC 2.10): fields {length u16, offset u16} of the
// UPN, the DNS domain and, with upnExtended in the flags, the account's name
// and SID.
const (
	upnName         = 0
	upnDNSDomain    = 4
	upnFlags        = 8
	upnSize         = 12
	upnAccount      = 12
	upnSID          = 16
	upnExtendedSize = 20
	upnExtended     = 2
)

// takeUPNInfo reads the names; its SID is used when there is no logon
// information.
func (p *PAC) takeUPNInfo(b []byte) (err error) {
	if len(b) < upnSize {
		return wire.Short(nameUPNInfo, 0, len(b), upnSize)
	}
	if p.UPN, err = upnText(b, upnName); err != nil {
		return err
	}
	if p.DNSDomain, err = upnText(b, upnDNSDomain); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b[upnFlags:])&upnExtended == 0 {
		return nil
	}
	if len(b) < upnExtendedSize {
		return wire.Short(nameUPNInfo, 0, len(b), upnExtendedSize)
	}
	return p.takeExtendedUPN(b)
}

// takeExtendedUPN reads what newer KDCs add: account name and SID.
func (p *PAC) takeExtendedUPN(b []byte) error {
	account, err := upnText(b, upnAccount)
	if err != nil {
		return err
	}
	field, err := upnField(b, upnSID)
	if err != nil {
		return err
	}
	s, size, err := parseSID(field)
	if err != nil {
		return err
	}
	if size != len(field) {
		return wire.Errorf(wire.ClassInvalid, nameUPNInfo, upnSID, "a SID of %d bytes in %d", size, len(field))
	}
	text := s.String()
	if p.SID == "" {
		p.SID, p.Account = text, account
	}
	return nil
}

// upnField returns the bytes that the field {length, offset} at offset at
// describes.
func upnField(b []byte, at int) ([]byte, error) {
	size, offset := int(binary.LittleEndian.Uint16(b[at:])), int(binary.LittleEndian.Uint16(b[at+2:]))
	if offset > len(b) || size > len(b)-offset {
		return nil, wire.Errorf(wire.ClassInvalid, nameUPNInfo, at, "%d bytes at %d of %d", size, offset, len(b))
	}
	return b[offset : offset+size], nil
}

func upnText(b []byte, at int) (string, error) {
	field, err := upnField(b, at)
	return decodeUTF16(cut(field)), err
}

// clientInfoName is where the name starts in PAC_CLIENT_INFO: ClientId
// FILETIME, NameLength u16, Name (MS-PAC 2.7).
const clientInfoName = 10

func (p *PAC) takeClientInfo(b []byte) error {
	if len(b) < clientInfoName {
		return wire.Short(nameClientInfo, 0, len(b), clientInfoName)
	}
	size := int(binary.LittleEndian.Uint16(b[clientInfoName-2:]))
	if size > len(b)-clientInfoName {
		return wire.Errorf(wire.ClassInvalid, nameClientInfo, clientInfoName, "a name of %d bytes in %d", size, len(b))
	}
	p.ClientName = decodeUTF16(cut(b[clientInfoName : clientInfoName+size]))
	return nil
}

// takeRequestor reads PAC_REQUESTOR (MS-PAC 2.15), one SID.
func (p *PAC) takeRequestor(b []byte) error {
	s, _, err := parseSID(b)
	if err != nil {
		return wire.Errorf(wire.ClassInvalid, nameRequestor, 0, "no SID")
	}
	p.Requestor = s.String()
	return nil
}
