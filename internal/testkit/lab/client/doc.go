// Package client shows the limit to Impacket's clients in every manner in which they can bind, cleartext, signed and sealed:
// what is granted, refused, referred and counted, with tshark to dissect what passes.
package client
