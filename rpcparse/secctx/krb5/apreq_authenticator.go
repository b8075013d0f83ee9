package krb5

import (
	"encoding/binary"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"

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

// FlagMutual among GSS flags: the server answers with an AP-REP (RFC 4121
// 4.1.1.1).
const FlagMutual = 0x02

// takeAuthenticator decrypts the authenticator and takes what the security context
// needs. Its content is the client's, so it is as hostile as the message around
// it. An error says that it was not made with the session key: no server accepts
// that.
func (in *Initiated) takeAuthenticator(req *request) error {
	in.Flags = assumedFlags(req)
	if encryptionTypeOf(in.session().Etype) == nil {
		in.Flags |= FlagDCEStyle
		in.Protection = checkKey(in.session(), "session key")
		return nil
	}
	plain, err := Decrypt(req.authenticator, in.session(), keyusage.AP_REQ_AUTHENTICATOR, nameAuthenticator)
	if err != nil {
		return err
	}
	auth, err := readFields(plain, nameAuthenticator, tagAuthenticator)
	if err != nil {
		in.Flags |= FlagDCEStyle
		in.Protection = err
		return nil
	}
	in.clocked, in.ctime, in.cusec = true, moment(auth[5]), int(int32(number(auth[4])))
	in.Time = in.ctime.Add(time.Duration(in.cusec) * time.Microsecond)
	in.Sequence = uint32(number(auth[7])) // some encoders send it as a negative integer
	if version := number(auth[0]); version != protocolVersion {
		in.Protection = wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "version %d, expected %d", version, protocolVersion)
	}
	if auth[6] != nil {
		in.takeSubkey(readKey(auth[6]))
	}
	in.takeFlags(auth[3])
	return nil
}

// takeSubkey takes the client's subkey. One that cannot be used leaves the context
// without protection: nothing else depends on it.
func (in *Initiated) takeSubkey(key Key) {
	in.subkey = seal(key)
	if err := checkKey(key, "client's subkey"); err != nil {
		in.Protection = err
	}
}

// assumedFlags are what servers take for the GSS flags of a client that sends no
// GSS checksum (Samba's Heimdal does; the checksum is optional, RFC 4120 5.5.1).
func assumedFlags(req *request) uint32 {
	if req.mutual {
		return FlagMutual
	}
	return 0
}

// takeFlags reads the GSS flags from the checksum of the authenticator.
func (in *Initiated) takeFlags(field []byte) {
	f, _ := readFields(field, "checksum") // an absent one has no fields
	kind, sum := number(f[0]), octets(f[1])
	if kind != gssChecksum || len(sum) < gssChecksumSize {
		in.Protection = wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "checksum type %#x of %d bytes, expected %#x of at least %d",
			kind, len(sum), gssChecksum, gssChecksumSize)
		return
	}
	in.Flags = binary.LittleEndian.Uint32(sum[gssFlagsOffset:])
	if n := binary.LittleEndian.Uint32(sum); n != gssBindingsLength {
		in.Protection = wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "channel bindings of %d bytes, expected %d", n, gssBindingsLength)
	}
	if in.Flags&FlagDCEStyle == 0 {
		in.Protection = wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "flags %#x without DCE style", in.Flags)
	}
}
