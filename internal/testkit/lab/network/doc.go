// Package network shows that the network of machines is what the other tests take it for, with no proxy in the way of clients or
// one in mode forward: who is seen as whom, which cable a packet takes, and what a cut cable does.
package network
