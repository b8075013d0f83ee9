package ntlm

// Target is what a CHALLENGE tells of its server: what it calls itself and its
// domain, and how it reads the names in the AUTHENTICATE that answers it. Names
// are in the server's spelling; each is empty where the CHALLENGE has none.
type Target struct {
	Flags Flags // that the server has agreed to; 0 where they could not be read

	NetBIOSDomain, DNSDomain     string // MsvAvNbDomainName, MsvAvDnsDomainName
	NetBIOSComputer, DNSComputer string // MsvAvNbComputerName, MsvAvDnsComputerName
}

// ReadTarget reads a CHALLENGE (MS-NLMP 2.2.1.2, 2.2.2.1). One that cannot be
// read gives an empty Target, which is never nil.
func ReadTarget(challenge []byte) *Target {
	c, err := ParseChallenge(challenge)
	if err != nil {
		return &Target{}
	}
	return &Target{
		Flags:           c.Flags,
		NetBIOSDomain:   c.TargetInfo.short(AVNbDomainName),
		DNSDomain:       c.TargetInfo.short(AVDNSDomainName),
		NetBIOSComputer: c.TargetInfo.short(AVNbComputerName),
		DNSComputer:     c.TargetInfo.short(AVDNSComputerName),
	}
}

// maxTargetName is the greatest length of a name in a Target, in bytes: that of a
// DNS name (RFC 1035 2.3.4). A connection may have many contexts, each with a Target.
const maxTargetName = 255

// short returns a name attribute, or "" if it is absent or longer than names are.
func (p AVPairs) short(id AVID) string {
	if s := p.Text(id); len(s) <= maxTargetName {
		return s
	}
	return ""
}
