package krb5

import (
	"encoding/binary"
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

// FlagMutual among GSS flags: the server answers with an AP-REP (RFC 4121
// 4.1.1.1).
const FlagMutual = 0x02

// mutualRequired is bit 2 of ap-options (RFC 4120 5.5.1).
const mutualRequired = 2

// takeAuthenticator decrypts the authenticator and takes what the security context
// needs. Its content is the client's, so it is as hostile as the message around
// it. An error says that it was not made with the session key: no server accepts
// that.
func (in *Initiated) takeAuthenticator(req *messages.APReq) error {
	in.Flags = assumedFlags(req)
	if encryptionTypeOf(in.session().Etype) == nil {
		in.Flags |= FlagDCEStyle
		in.Protection = checkKey(in.session(), "session key")
		return nil
	}
	plain, err := Decrypt(req.EncryptedAuthenticator, in.session(), keyusage.AP_REQ_AUTHENTICATOR, nameAuthenticator)
	if err != nil {
		return err
	}
	auth := &types.Authenticator{}
	if err := Decode(plain, nameAuthenticator, auth.Unmarshal); err != nil {
		in.Flags |= FlagDCEStyle
		in.Protection = err
		return nil
	}
	in.clocked, in.ctime, in.cusec = true, auth.CTime, auth.Cusec
	in.Time = auth.CTime.Add(time.Duration(auth.Cusec) * time.Microsecond)
	in.Sequence = uint32(auth.SeqNumber) // some encoders send it as a negative integer
	if auth.AVNO != protocolVersion {
		in.Protection = wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "version %d, expected %d", auth.AVNO, protocolVersion)
	}
	in.takeSubkey(auth)
	in.takeFlags(auth.Cksum)
	return nil
}

// takeSubkey takes the client's subkey. One that cannot be used leaves the context
// without protection: nothing else depends on it.
func (in *Initiated) takeSubkey(auth *types.Authenticator) {
	if auth.SubKey.KeyType == 0 && len(auth.SubKey.KeyValue) == 0 {
		return
	}
	in.subkey = seal(Key{Etype: auth.SubKey.KeyType, Value: auth.SubKey.KeyValue})
	if err := checkKey(in.subkey(), "client's subkey"); err != nil {
		in.Protection = err
	}
}

// assumedFlags are what servers take for the GSS flags of a client that sends no
// GSS checksum (Samba's Heimdal does; the checksum is optional, RFC 4120 5.5.1).
func assumedFlags(req *messages.APReq) uint32 {
	if req.APOptions.At(mutualRequired) != 0 {
		return FlagMutual
	}
	return 0
}

// takeFlags reads the GSS flags from the checksum of the authenticator.
func (in *Initiated) takeFlags(sum types.Checksum) {
	if sum.CksumType != gssChecksum || len(sum.Checksum) < gssChecksumSize {
		in.Protection = wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "checksum type %#x of %d bytes, expected %#x of at least %d",
			sum.CksumType, len(sum.Checksum), gssChecksum, gssChecksumSize)
		return
	}
	in.Flags = binary.LittleEndian.Uint32(sum.Checksum[gssFlagsOffset:])
	if n := binary.LittleEndian.Uint32(sum.Checksum); n != gssBindingsLength {
		in.Protection = wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "channel bindings of %d bytes, expected %d", n, gssBindingsLength)
	}
	if in.Flags&FlagDCEStyle == 0 {
		in.Protection = wire.Errorf(wire.ClassInvalid, nameAuthenticator, 0, "flags %#x without DCE style", in.Flags)
	}
}
