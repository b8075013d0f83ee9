// Package pool shows the proxy in front of several domain controllers: where new associations go, where further connections
// follow them, who is checked and left out, what DNS changes, and who notices when a domain controller dies.
package pool
