// Package failover shows what becomes of connections and sessions when one of two routers, each with a proxy, takes over from the
// other.
package failover
