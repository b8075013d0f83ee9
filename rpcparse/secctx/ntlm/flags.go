package ntlm

// Flags are the negotiate flags (MS-NLMP 2.2.2.5).
type Flags uint32

// The flags that matter here.
const (
	FlagUnicode                 Flags = 0x00000001 // strings are UTF-16LE; otherwise OEM
	FlagOEM                     Flags = 0x00000002
	FlagRequestTarget           Flags = 0x00000004
	FlagSign                    Flags = 0x00000010
	FlagSeal                    Flags = 0x00000020
	FlagNTLM                    Flags = 0x00000200
	FlagAnonymous               Flags = 0x00000800
	FlagDomainSupplied          Flags = 0x00001000
	FlagWorkstationSupplied     Flags = 0x00002000
	FlagAlwaysSign              Flags = 0x00008000
	FlagTargetTypeDomain        Flags = 0x00010000
	FlagExtendedSessionSecurity Flags = 0x00080000
	FlagTargetInfo              Flags = 0x00800000
	FlagVersion                 Flags = 0x02000000
	Flag128                     Flags = 0x20000000 // sealing key of 16 bytes
	FlagKeyExchange             Flags = 0x40000000 // the client chose the session key
	Flag56                      Flags = 0x80000000 // sealing key of 7 bytes, without Flag128
)

// Has reports whether all of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }
