// Package path shows what a proxy in the network path of clients does, in modes tproxy and redirect: it intercepts every port of
// NSPI, learns new ones before a client gets the answer that names them, cuts what was made past it, limits an account on several machines, is seen
// or not seen as the mode says, and touches nothing else.
package path
