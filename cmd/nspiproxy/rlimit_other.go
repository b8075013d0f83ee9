//go:build !linux

package main

// raiseFileLimit does nothing where serve does not run.
func raiseFileLimit() error { return nil }
