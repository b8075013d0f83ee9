package main

import "errors"

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	error
}

// Unwrap returns what happened.
func (e exitError) Unwrap() error { return e.error }

// exitCode returns what the program exits with after err: 1 for an error that
// says nothing else.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	var e exitError
	if errors.As(err, &e) {
		return e.code
	}
	return 1
}
