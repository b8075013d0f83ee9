// Package failure shows what is left when something fails: a client, a domain controller, a cable, the endpoint mapper, the
// firewall's rules or the proxy itself. No session may stay counted that no client has, and no other client may lose a session.
package failure
