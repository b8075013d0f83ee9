package nspi

import (
	"encoding/binary"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// trailerSignature starts a verification trailer (MS-RPCE 2.2.2.13.1).
const trailerSignature = "\x8a\xe3\x13\x71\x02\xf4\x36\x71"

const (
	trailerCommandHeader = 4      // {u16 command, u16 length}
	trailerCommandEnd    = 0x4000 // SEC_VT_COMMAND_END
)

// checkTrailer accepts nothing behind stub[:end], or a verification trailer up
// to the last byte: the signature, then commands {u16 command, u16 length, data}
// until one with the END bit. It is little-endian whatever the PDU is. All four
// stub lengths are multiples of four, so no padding comes in between. What the
// commands say is the server's business.
func checkTrailer(stub []byte, end int) error {
	if len(stub) == end {
		return nil
	}
	at := end + len(trailerSignature)
	if len(stub) < at || string(stub[end:at]) != trailerSignature {
		return stubLength(len(stub), end)
	}
	for {
		if len(stub)-at < trailerCommandHeader {
			return trailerInvalid(at, "ends without an END command")
		}
		command := binary.LittleEndian.Uint16(stub[at:])
		length := int(binary.LittleEndian.Uint16(stub[at+2:]))
		at += trailerCommandHeader
		if len(stub)-at < length {
			return trailerInvalid(at, "a command runs over the end of the stub")
		}
		at += length
		if command&trailerCommandEnd == 0 {
			continue
		}
		if at != len(stub) {
			return trailerInvalid(at, "bytes behind the END command")
		}
		return nil
	}
}

func trailerInvalid(offset int, detail string) error {
	return wire.Errorf(wire.ClassInvalid, "verification_trailer", offset, "%s", detail)
}
