package wire

import (
	"errors"
	"fmt"
)

// Class says what kind of failure an [Error] is, and so what a caller may do.
type Class uint8

// The classes of failure.
const (
	// ClassShort: the input ends too early; more bytes may help.
	ClassShort Class = iota + 1
	// ClassInvalid: the bytes can never be right, whatever follows.
	ClassInvalid
	// ClassLimit: well-formed, but over a named limit.
	ClassLimit
	// ClassState: well-formed, but not allowed in this state of the connection.
	ClassState
	// ClassAuth: a verifier contradicts what the connection agreed on.
	ClassAuth
)

// String returns the class as logs and metrics name it.
func (c Class) String() string {
	switch c {
	case ClassShort:
		return "short"
	case ClassInvalid:
		return "invalid"
	case ClassLimit:
		return "limit"
	case ClassState:
		return "state"
	case ClassAuth:
		return "auth"
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Error is the one error type of the wire side. It never holds bytes of the
// input beyond numbers, so it may be logged.
type Error struct {
	Class  Class
	Name   string // stable, snake_case name for logs, metrics and tables, e.g. "frag_length"
	Offset int    // bytes from the start of the PDU, stub or token that was parsed
	Detail string // what was found and what was expected
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s %s at offset %d: %s", e.Class, e.Name, e.Offset, e.Detail)
}

// Is makes errors.Is(err, &Error{Class: c}) true for every error of class c,
// and errors.Is(err, &Error{Class: c, Name: n}) for that name only.
func (e *Error) Is(target error) bool {
	var t *Error
	if !errors.As(target, &t) {
		return false
	}
	return (t.Class == 0 || t.Class == e.Class) && (t.Name == "" || t.Name == e.Name)
}

// Errorf makes an [Error]. It allocates: call it on failure paths only.
func Errorf(class Class, name string, offset int, format string, args ...any) *Error {
	return &Error{Class: class, Name: name, Offset: offset, Detail: fmt.Sprintf(format, args...)}
}

// Short reports input that ends after have of the need bytes of field name.
func Short(name string, offset, have, need int) *Error {
	return Errorf(ClassShort, name, offset, "%d bytes, need %d", have, need)
}

// ClassOf returns the class of the first [Error] in err's chain, or 0.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return 0
}
