// Package demo shows nspiproxy at work with nothing installed: a simulated
// domain controller, the proxy in front of it, a well-behaved client, and a
// client of another account that never unbinds.
//
// The clients find NSPI through the proxy's endpoint mapper and log on with
// NTLM, so the demonstration takes the way that real traffic takes. All of it
// listens on loopback addresses.
package demo
