package forge

import (
	"encoding/binary"
	"slices"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/adtype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// Types of PAC_INFO_BUFFER (MS-PAC 2.4).
const (
	LogonInfo       = 1
	ServerSignature = 6
	KDCSignature    = 7
	ClientInfo      = 10
	UPNInfo         = 12
)

// Buffer is one PAC_INFO_BUFFER with what it points to.
type Buffer struct {
	Kind uint32
	Data []byte
}

// Sizes of PACTYPE and PAC_INFO_BUFFER (MS-PAC 2.3, 2.4).
const (
	pacHeader = 8
	pacInfo   = 16
)

// Buffers returns copies of the buffers of a PAC, which must be well formed.
func Buffers(pac []byte) (all []Buffer) {
	for i := range int(binary.LittleEndian.Uint32(pac)) {
		info := pac[pacHeader+i*pacInfo:]
		size, at := binary.LittleEndian.Uint32(info[4:]), binary.LittleEndian.Uint64(info[8:])
		all = append(all, Buffer{binary.LittleEndian.Uint32(info), slices.Clone(pac[at : at+uint64(size)])})
	}
	return all
}

// Unsigned returns a PAC of these buffers as they are.
func Unsigned(buffers ...Buffer) []byte {
	pac := make([]byte, pacHeader+pacInfo*len(buffers))
	binary.LittleEndian.PutUint32(pac, uint32(len(buffers)))
	for i, b := range buffers {
		info := pac[pacHeader+i*pacInfo:]
		binary.LittleEndian.PutUint32(info, b.Kind)
		binary.LittleEndian.PutUint32(info[4:], uint32(len(b.Data)))
		binary.LittleEndian.PutUint64(info[8:], uint64(len(pac)))
		pac = append(pac, b.Data...)
		pac = append(pac, make([]byte, -len(pac)&7)...)
	}
	return pac
}

// Signed returns a PAC of these buffers with the signature of a key in its first server signature, whose type becomes the
// key's. What is behind a signature, as the identifier of a read-only domain controller, is signed as it is
// (MS-PAC 2.8.1).
func Signed(key types.EncryptionKey, buffers ...Buffer) []byte {
	etype := must(crypto.GetEtype(key.KeyType))
	buffers = slices.Clone(buffers)
	first := slices.IndexFunc(buffers, func(b Buffer) bool { return b.Kind == ServerSignature })
	buffers[first].Data = signature(etype.GetHashID(), make([]byte, macSize(etype.GetHashID())), trailer(buffers[first].Data))
	blank := slices.Clone(buffers)
	for i, b := range blank {
		if b.Kind == ServerSignature || b.Kind == KDCSignature {
			kind := int32(binary.LittleEndian.Uint32(b.Data))
			blank[i].Data = signature(kind, make([]byte, macSize(kind)), trailer(b.Data))
		}
	}
	sum := must(etype.GetChecksumHash(key.KeyValue, Unsigned(blank...), keyusage.KERB_NON_KERB_CKSUM_SALT))
	copy(buffers[first].Data[4:], sum)
	return Unsigned(buffers...)
}

// macSize is the size of a PAC signature of that type (MS-PAC 2.8).
func macSize(kind int32) int {
	if kind == hmacMD5 {
		return 16
	}
	return 12
}

const hmacMD5 = -138

func signature(kind int32, parts ...[]byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(kind)), slices.Concat(parts...)...)
}

// trailer is what follows the signature in a PAC_SIGNATURE_DATA: nothing, or RODCIdentifier.
func trailer(data []byte) []byte {
	if len(data) < 4 {
		return nil
	}
	return data[min(len(data), 4+macSize(int32(binary.LittleEndian.Uint32(data)))):]
}

// PACOf returns the first PAC of a ticket's authorization data, or nil.
func PACOf(data types.AuthorizationData) []byte {
	for _, d := range data {
		var inner types.AuthorizationData
		if d.ADType == adtype.ADWin2KPAC {
			return d.ADData
		}
		if d.ADType == adtype.ADIfRelevant && inner.Unmarshal(d.ADData) == nil {
			if pac := PACOf(inner); pac != nil {
				return pac
			}
		}
	}
	return nil
}
