// Package standby finds out that this machine is not in the path of clients any more,
// as when a router beside it has taken over: by an address that has left this machine
// ([Watch], [Changes]), or because an administrator's program says so ([Listen],
// [Call]). That a peer is silent is no proof, and nothing is ended for it.
//
// It knows nothing of connections: what is done then is the caller's.
package standby
