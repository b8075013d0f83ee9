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
		NetBIOSDomain:   c.TargetInfo.Text(AVNbDomainName),
		DNSDomain:       c.TargetInfo.Text(AVDNSDomainName),
		NetBIOSComputer: c.TargetInfo.Text(AVNbComputerName),
		DNSComputer:     c.TargetInfo.Text(AVDNSComputerName),
	}
}
