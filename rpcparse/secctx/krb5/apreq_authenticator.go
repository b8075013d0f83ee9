package krb5

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

const nameAuthenticator = "authenticator"

// FlagDCEStyle among GSS flags: three legs, no padding, no GSS framing. The
// tokens of DCE/RPC are only defined with it (MS-KILE 3.1.1.2).
const FlagDCEStyle = 0x1000

// The GSS checksum (RFC 4121 4.1.1): type, length of its channel bindings,
// offset of its flags, and the least it has. Delegated credentials follow.
const (
	gssChecksum       = 0x8003
	gssBindingsLength = 16
	gssFlagsOffset    = 20
	gssChecksumSize   = 24
)

// openAuthenticator decrypts and reads the authenticator. Its content is the
// client's, so it is as hostile as the message around it.
func openAuthenticator(ed types.EncryptedData, session Key) (*types.Authenticator, error) {
	plain, err := Decrypt(ed, session, keyusage.AP_REQ_AUTHENTICATOR, nameAuthenticator)
	if err != nil {
		return nil, err
	}
	auth := &types.Authenticator{}
	if err := Decode(plain, nameAuthenticator, auth.Unmarshal); err != nil {
		return nil, err
	}
	if auth.AVNO != protocolVersion {
		return nil, wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "version %d, expected %d", auth.AVNO, protocolVersion)
	}
	return auth, nil
}

// take checks the authenticator against the ticket as a server does, and takes
// what the security context needs.
func (in *Initiated) take(auth *types.Authenticator, part *messages.EncTicketPart) error {
	if auth.CRealm != part.CRealm || !slices.Equal(auth.CName.NameString, part.CName.NameString) {
		return wire.Errorf(wire.ClassAuth, nameAuthenticator, 0, "the client's name is not that of the ticket")
	}
	flags, err := gssFlags(auth.Cksum)
	if err != nil {
		return err
	}
	if auth.SubKey.KeyType != 0 || len(auth.SubKey.KeyValue) != 0 {
		in.subkey = seal(Key{Etype: auth.SubKey.KeyType, Value: auth.SubKey.KeyValue})
		if err := checkKey(in.subkey(), "client's subkey"); err != nil {
			return err
		}
	}
	in.Flags = flags
	in.Sequence = uint32(auth.SeqNumber) // some encoders send it as a negative integer
	in.ctime, in.cusec = auth.CTime, auth.Cusec
	in.Time = auth.CTime.Add(time.Duration(auth.Cusec) * time.Microsecond)
	return nil
}

// gssFlags reads the flags from the checksum of the authenticator.
func gssFlags(sum types.Checksum) (uint32, error) {
	if sum.CksumType != gssChecksum || len(sum.Checksum) < gssChecksumSize {
		return 0, wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "checksum type %#x of %d bytes, expected %#x of at least %d",
			sum.CksumType, len(sum.Checksum), gssChecksum, gssChecksumSize)
	}
	if n := binary.LittleEndian.Uint32(sum.Checksum); n != gssBindingsLength {
		return 0, wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "channel bindings of %d bytes, expected %d", n, gssBindingsLength)
	}
	flags := binary.LittleEndian.Uint32(sum.Checksum[gssFlagsOffset:])
	if flags&FlagDCEStyle == 0 {
		return 0, wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "flags %#x without DCE style", flags)
	}
	return flags, nil
}
