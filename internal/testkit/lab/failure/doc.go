// Package failure shows what is left when something fails: a client, a domain controller, a cable, the endpoint mapper, the
// firewall's rules or the proxy itself. No session may stay counted that nobody has, and nobody may lose one that is not concerned.
package failure
