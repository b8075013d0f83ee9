package policy

import (
	"strconv"
	"strings"
)

// SID is a security identifier in its text form (MS-DTYP 2.4.2.1), normalized:
// capital S, decimal without leading zeros, the authority in hexadecimal only
// if it does not fit 32 bits. Equal SIDs are equal strings.
type SID string

// maxSubAuthorities is the greatest number of sub-authorities (MS-DTYP 2.4.2.2).
const maxSubAuthorities = 15

const errSID = expectation("a SID such as S-1-5-21-1004336348-1177238915-682003330-1105 (Get-ADUser and Get-ADGroup print those of users and groups)")

// ParseSID reads the text form of a SID.
func ParseSID(s string) (SID, error) {
	parts := strings.Split(s, "-")
	if len(parts) < 4 || len(parts) > 3+maxSubAuthorities {
		return "", errSID
	}
	if !strings.EqualFold(parts[0], "S") || parts[1] != "1" {
		return "", errSID
	}
	authority, ok := parseAuthority(parts[2])
	if !ok {
		return "", errSID
	}
	var b strings.Builder
	b.WriteString("S-1-" + authority)
	for _, part := range parts[3:] {
		n, ok := parseDecimal(part, 32)
		if !ok {
			return "", errSID
		}
		b.WriteString("-" + strconv.FormatUint(n, 10))
	}
	return SID(b.String()), nil
}

// parseAuthority reads the 48-bit authority: decimal, or 0x and 12 digits when
// it is 2^32 or more.
func parseAuthority(s string) (string, bool) {
	if hex, isHex := strings.CutPrefix(strings.ToLower(s), "0x"); isHex {
		n, err := strconv.ParseUint(hex, 16, 48)
		if err != nil || len(hex) != 12 || n < 1<<32 {
			return "", false
		}
		return "0x" + strings.ToUpper(hex), true
	}
	n, ok := parseDecimal(s, 32)
	return strconv.FormatUint(n, 10), ok
}

// parseDecimal reads digits only: no sign, no underscore, no leading zero.
func parseDecimal(s string, bits int) (uint64, bool) {
	if s == "" || s[0] == '+' || (s[0] == '0' && s != "0") {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, bits)
	return n, err == nil
}
