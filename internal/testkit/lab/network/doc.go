// Package network shows that the network of machines is what the other tests take it for, with no proxy in the way of clients or
// one in mode forward: which address each end sees, which cable a packet takes, and what a cut cable does.
package network
