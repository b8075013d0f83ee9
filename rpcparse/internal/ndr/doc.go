// Package ndr reads and writes what stubs in NDR and NDR64 consist of (C706
// chapter 14, MS-RPCE 2.2.4 and 2.2.5): aligned integers, and words, which are
// the counts and referent ids that have 4 bytes in one and 8 in the other. What
// they mean in which call is known to the packages that use it.
package ndr
