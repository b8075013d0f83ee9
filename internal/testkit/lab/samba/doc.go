// Package samba shows the proxy between real implementations of authentication: Samba's client runtime, Impacket and nspiproxy
// probe in front, Samba's RPC runtime, KDC and endpoint mapper behind. Refusals and referrals verify, stolen claims take nothing,
// and Samba's own suites see no proxy.
package samba
