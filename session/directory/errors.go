package directory

import (
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"
)

// What a look-up can end with instead of a result. Errors wrap one of these and
// say more; their text may hold text from the network: escape it. They never
// hold a password or a key.
var (
	// ErrNotFound: the directory has no account of that name. Remembered.
	ErrNotFound = errors.New("no such account in the directory")
	// ErrAmbiguous: several accounts have that name. Remembered.
	ErrAmbiguous = errors.New("several accounts in the directory have that name")
	// ErrDown: the directory could not be asked, or did not answer in time, or
	// refused to. Nothing is known about the name.
	ErrDown = errors.New("the directory is down")
	// ErrBusy: too many names wait for an answer already. It is a kind of ErrDown.
	ErrBusy = fmt.Errorf("%w: too many names are being looked up", ErrDown)
	// ErrClosed: Close was called. It is a kind of ErrDown.
	ErrClosed = fmt.Errorf("%w: closed", ErrDown)
)

// final reports whether err is an answer of the directory, which will be the
// same when it is asked again soon.
func final(err error) bool { return errors.Is(err, ErrNotFound) || errors.Is(err, ErrAmbiguous) }

// classify turns an error of the LDAP library into one of this package. Those that
// are remembered do not hold the library's, which holds what the server sent.
func classify(err error) error {
	switch {
	case err == nil || final(err) || errors.Is(err, ErrDown):
		return err
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		return fmt.Errorf("%w: the server has no such object", ErrNotFound)
	case ldap.IsErrorWithCode(err, ldap.LDAPResultReferral):
		return fmt.Errorf("%w: another server holds that domain; a global catalog (port 3269) would know it", ErrNotFound)
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
		return ErrAmbiguous
	}
	return fmt.Errorf("%w: %w", ErrDown, err)
}
