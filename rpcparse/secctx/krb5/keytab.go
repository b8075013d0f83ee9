package krb5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oiweiwei/gokrb5.fork/v9/keytab"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Limits of a keytab file. A file with three keys for each of a thousand
// accounts has about 200 KiB.
const (
	maxKeytab        = 4 << 20 // bytes
	maxKeytabEntries = 65536
	maxComponents    = 16 // of a principal's name
)

// nameKeytab names errors about the file itself.
const nameKeytab = "keytab"

// keytabVersion is what a file of MIT's second format starts with, the only
// one whose byte order does not depend on the machine that wrote it.
const keytabVersion = 0x0502

// An Entry tells about one key of a keytab; the key stays inside.
type Entry struct {
	Principal string // service/host@REALM or user@REALM
	Realm     string
	Name      []string // the components of the principal without the realm
	Kvno      uint32   // key version number
	Etype     int32
	Written   time.Time // when the key was put into the file, as the file says

	computer account // that the key is of; zero: a user's
	key      sealed
}

// String names the key without showing it.
func (e Entry) String() string {
	return fmt.Sprintf("%s kvno %d etype %d", e.Principal, e.Kvno, e.Etype)
}

// Keytab is the set of keys that the proxy was given. It never changes, so
// that any number of event loops may use one; a changed file becomes a new
// one. The zero value and nil hold no keys.
type Keytab struct {
	entries []Entry
}

// ParseKeytab reads the contents of a keytab file. Keys of encryption types
// that cannot be used are left out. Errors never quote the file.
func ParseKeytab(data []byte) (*Keytab, error) {
	if err := checkKeytab(data); err != nil {
		return nil, err
	}
	var file keytab.Keytab
	if err := guarded("keytab", func() error { return file.Unmarshal(data) }); err != nil {
		return nil, err
	}
	kt := &Keytab{entries: make([]Entry, 0, len(file.Entries))}
	for i := range file.Entries {
		e, usable, err := newEntry(&file.Entries[i])
		if err != nil {
			return nil, wire.Errorf(wire.ClassInvalid, nameKeytab, 0, "entry %d: %s", i+1, err)
		}
		if usable {
			kt.entries = append(kt.entries, e)
		}
	}
	return kt, nil
}

// Join returns one keytab with the keys of all; nil ones have none.
func Join(keytabs ...*Keytab) *Keytab {
	joined := &Keytab{}
	for _, kt := range keytabs {
		if kt != nil {
			joined.entries = append(joined.entries, kt.entries...)
		}
	}
	return joined
}

// Entries lists what the keytab has, in its order.
func (kt *Keytab) Entries() []Entry {
	if kt == nil {
		return nil
	}
	return slices.Clone(kt.entries)
}

// Len returns how many keys there are.
func (kt *Keytab) Len() int {
	if kt == nil {
		return 0
	}
	return len(kt.entries)
}

// String tells how many keys there are.
func (kt *Keytab) String() string {
	return fmt.Sprintf("keytab(%d keys)", kt.Len())
}

// Format prints the same whatever the verb.
func (kt *Keytab) Format(s fmt.State, _ rune) {
	_, _ = s.Write([]byte(kt.String()))
}

// checkKeytab walks the records of the file: the library would put the bytes
// of a record that is cut off, its key with them, into its error.
func checkKeytab(data []byte) error {
	if len(data) > maxKeytab {
		return wire.Errorf(wire.ClassLimit, nameKeytab, 0, "%d bytes, at most %d", len(data), maxKeytab)
	}
	if len(data) < 2 {
		return wire.Errorf(wire.ClassInvalid, nameKeytab, 0, "%d bytes are no keytab", len(data))
	}
	if v := binary.BigEndian.Uint16(data); v != keytabVersion {
		return wire.Errorf(wire.ClassInvalid, nameKeytab, 0, "format %#04x, expected %#04x", v, keytabVersion)
	}
	entries := 0
	for at := 2; len(data)-at >= 4; {
		size := int64(int32(binary.BigEndian.Uint32(data[at:])))
		if size == 0 {
			return nil
		}
		if size < 0 {
			size = -size // a hole: an entry that was removed
		} else if entries++; entries > maxKeytabEntries {
			return wire.Errorf(wire.ClassLimit, nameKeytab, at, "more than %d entries", maxKeytabEntries)
		}
		at += 4
		if size > int64(len(data)-at) {
			return wire.Errorf(wire.ClassInvalid, nameKeytab, at, "an entry of %d bytes, %d left", size, len(data)-at)
		}
		at += int(size)
	}
	return nil
}

// newEntry takes over what the library read. usable is false for keys of
// unsupported encryption types.
func newEntry(from *keytab.Entry) (e Entry, usable bool, err error) {
	p := &from.Principal
	if n := len(p.Components); n == 0 || n > maxComponents || n != int(p.NumComponents) {
		return e, false, fmt.Errorf("a principal with %d of %d components", n, p.NumComponents)
	}
	if !readable(p.Realm) || !readable(p.Components...) {
		return e, false, errors.New("a principal that is no text")
	}
	key := Key{Etype: from.Key.KeyType, Value: from.Key.KeyValue}
	e = Entry{
		Principal: strings.Join(p.Components, "/") + "@" + p.Realm,
		Realm:     p.Realm,
		Name:      p.Components,
		Kvno:      from.KVNO,
		Etype:     key.Etype,
		Written:   from.Timestamp,
		computer:  computerOf(p.Components, p.Realm),
		key:       seal(key),
	}
	if encryptionTypeOf(key.Etype) == nil {
		return e, false, nil
	}
	return e, true, checkKey(key, "key")
}

// readable tells whether names may be shown. In a damaged file a name may run
// into the key behind it.
func readable(names ...string) bool {
	for _, name := range names {
		if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			return false
		}
	}
	return true
}
