package rpcparse

import "fmt"

// AuthType is the security provider of a verifier (MS-RPCE 2.2.1.1.7).
type AuthType uint8

// The providers that peers use.
const (
	AuthNone     AuthType = 0
	AuthSPNEGO   AuthType = 9
	AuthNTLM     AuthType = 10
	AuthTLS      AuthType = 14
	AuthKerberos AuthType = 16
	AuthNetlogon AuthType = 68
	AuthDefault  AuthType = 255 // the same as AuthNTLM
)

// String returns the provider's name, e.g. "ntlm".
func (t AuthType) String() string {
	switch t {
	case AuthNone:
		return "none"
	case AuthSPNEGO:
		return "spnego"
	case AuthNTLM:
		return "ntlm"
	case AuthTLS:
		return "tls"
	case AuthKerberos:
		return "kerberos"
	case AuthNetlogon:
		return "netlogon"
	case AuthDefault:
		return "default"
	}
	return fmt.Sprintf("auth_type(%d)", uint8(t))
}

// AuthLevel is what a security context protects (MS-RPCE 2.2.1.1.8).
type AuthLevel uint8

// The levels. Peers treat 0 as connect, and call and packet as integrity.
const (
	LevelDefault   AuthLevel = 0
	LevelNone      AuthLevel = 1
	LevelConnect   AuthLevel = 2
	LevelCall      AuthLevel = 3
	LevelPacket    AuthLevel = 4
	LevelIntegrity AuthLevel = 5 // signed
	LevelPrivacy   AuthLevel = 6 // signed and sealed
)

// String returns the level's name, e.g. "privacy".
func (l AuthLevel) String() string {
	switch l {
	case LevelDefault:
		return "default"
	case LevelNone:
		return "none"
	case LevelConnect:
		return "connect"
	case LevelCall:
		return "call"
	case LevelPacket:
		return "packet"
	case LevelIntegrity:
		return "integrity"
	case LevelPrivacy:
		return "privacy"
	}
	return fmt.Sprintf("auth_level(%d)", uint8(l))
}
