// Package identity shows whom the proxy counts: what Samba's domain controller says of a client in its audit is the truth,
// and what the proxy charges is held to it. Clients send names and handshakes that no usual client sends, some to have more
// sessions than they may, some to use up another user's.
package identity
