package probe

import (
	"context"
	"fmt"
)

// isolate runs f, which calls libraries that may panic and that know nothing of
// ctx. It returns when f does or when ctx ends; f then goes on by itself until
// the connection is closed under it.
func isolate[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() { done <- a }()
		defer func() {
			if p := recover(); p != nil {
				a.err = panicError(p)
			}
		}()
		a.value, a.err = f()
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// panicError is the error of a call that panicked.
func panicError(p any) error { return fmt.Errorf("the RPC library panicked: %v", p) }
