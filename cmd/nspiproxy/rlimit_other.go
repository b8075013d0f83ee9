//go:build !linux

package main

// raiseFileLimit does nothing where nothing is proxied.
func raiseFileLimit() (files uint64, err error) { return 0, nil }
