package policy

// Assurance says how well a user is known.
type Assurance string

// The assurances, the best last.
const (
	AssuranceAddress    Assurance = "address"    // nothing but the client's address
	AssuranceUnreadable Assurance = "unreadable" // the client has authenticated with something that could not be read
	AssuranceClaimed    Assurance = "claimed"    // an NTLM name that the domain controller accepted
	AssuranceResolved   Assurance = "resolved"   // the same, and the SID that the directory has for it
	AssuranceVerified   Assurance = "verified"   // the SID of a Kerberos ticket that the domain controller accepted
)
