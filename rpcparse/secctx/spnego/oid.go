package spnego

import (
	"strconv"
	"strings"
)

// OID is an object identifier as its DER content octets, which makes it
// comparable and usable as a constant.
type OID string

// The mechanisms that this protocol carries (MS-SPNG 1.9, RFC 4121, MS-KILE).
const (
	OIDSPNEGO     OID = "\x2b\x06\x01\x05\x05\x02"                 // 1.3.6.1.5.5.2
	OIDKerberos   OID = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"     // 1.2.840.113554.1.2.2
	OIDMSKerberos OID = "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"     // 1.2.840.48018.1.2.2
	OIDNTLM       OID = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" // 1.3.6.1.4.1.311.2.2.10
	OIDNegoEx     OID = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e" // 1.3.6.1.4.1.311.2.2.30
	OIDKerberosUU OID = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x03" // 1.2.840.113554.1.2.2.3, user to user
)

// known are the identifiers that canonical returns without an allocation.
var known = [...]OID{OIDSPNEGO, OIDKerberos, OIDMSKerberos, OIDNTLM, OIDNegoEx, OIDKerberosUU}

// canonical returns an identifier in its shortest form: peers compare numbers, in
// front of which octets of 80 mean nothing (Samba's asn1.c).
func canonical(b []byte) OID {
	const padding, more = 0x80, 0x80
	var short []byte // nil as long as b has no padding
	for i, start := 0, true; i < len(b); i++ {
		switch {
		case start && b[i] == padding:
			if short == nil {
				short = append(make([]byte, 0, len(b)), b[:i]...)
			}
			continue
		case short != nil:
			short = append(short, b[i])
		}
		start = b[i]&more == 0
	}
	if short != nil {
		b = short
	}
	for _, o := range known {
		if string(b) == string(o) {
			return o
		}
	}
	return OID(b)
}

// Mech is a mechanism, whatever identifier it went by.
type Mech uint8

// The mechanisms.
const (
	MechNone Mech = iota
	MechNTLM
	MechKerberos
	MechOther
)

// String returns the name that logs use.
func (m Mech) String() string {
	switch m {
	case MechNTLM:
		return "ntlm"
	case MechKerberos:
		return "kerberos"
	case MechOther:
		return "other"
	}
	return "none"
}

// Mech returns the mechanism that o names.
func (o OID) Mech() Mech {
	switch o {
	case "":
		return MechNone
	case OIDNTLM:
		return MechNTLM
	case OIDKerberos, OIDMSKerberos, OIDKerberosUU:
		return MechKerberos
	}
	return MechOther
}

// String returns the dotted form, or "invalid" for octets that have none.
func (o OID) String() string {
	if o == "" || o[len(o)-1]&0x80 != 0 {
		return "invalid"
	}
	var sb strings.Builder
	var arc uint64
	for i, first := 0, true; i < len(o); i++ {
		if arc > 1<<56 {
			return "invalid"
		}
		arc = arc<<7 | uint64(o[i]&0x7f)
		if o[i]&0x80 != 0 {
			continue
		}
		if first {
			root := min(arc/40, 2)
			sb.WriteString(strconv.FormatUint(root, 10))
			arc -= root * 40
			first = false
		}
		sb.WriteByte('.')
		sb.WriteString(strconv.FormatUint(arc, 10))
		arc = 0
	}
	return sb.String()
}
