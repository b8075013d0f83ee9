//go:build !unix

package main

import (
	"context"
	"os"
)

// ignoreSignals does nothing where there are no such signals.
func ignoreSignals(context.Context, func(os.Signal)) {}
