package ntlm

import (
	"encoding/binary"
	"iter"
)

// AVID names an attribute of a target information list (MS-NLMP 2.2.2.1).
type AVID uint16

// The attributes.
const (
	AVEOL             AVID = 0
	AVNbComputerName  AVID = 1
	AVNbDomainName    AVID = 2
	AVDNSComputerName AVID = 3
	AVDNSDomainName   AVID = 4
	AVDNSTreeName     AVID = 5
	AVFlags           AVID = 6
	AVTimestamp       AVID = 7
	AVSingleHost      AVID = 8
	AVTargetName      AVID = 9 // the service principal name that the client asked for
	AVChannelBindings AVID = 10
)

// avFlagMIC in AVFlags: the AUTHENTICATE carries a MIC.
const avFlagMIC = 0x2

const avHeader = 4 // id u16, length u16

// AVPairs is an encoded attribute list. It is walked, never unpacked.
type AVPairs []byte

// All yields the attributes in order. It ends at the terminator, or before the
// first attribute that does not fit.
func (p AVPairs) All() iter.Seq2[AVID, []byte] {
	return func(yield func(AVID, []byte) bool) {
		for b := []byte(p); len(b) >= avHeader; {
			id := AVID(binary.LittleEndian.Uint16(b))
			n := int(binary.LittleEndian.Uint16(b[2:]))
			if id == AVEOL || n > len(b)-avHeader {
				return
			}
			if !yield(id, b[avHeader:avHeader+n:avHeader+n]) {
				return
			}
			b = b[avHeader+n:]
		}
	}
}

// Get returns the first attribute id.
func (p AVPairs) Get(id AVID) ([]byte, bool) {
	for got, v := range p.All() {
		if got == id {
			return v, true
		}
	}
	return nil, false
}

// Flags returns MsvAvFlags, if it is there and has its size.
func (p AVPairs) Flags() (uint32, bool) {
	v, ok := p.Get(AVFlags)
	if !ok || len(v) != 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(v), true
}

// Timestamp returns MsvAvTimestamp, in 100 ns since 1601, if it is there and
// has its size.
func (p AVPairs) Timestamp() (uint64, bool) {
	v, ok := p.Get(AVTimestamp)
	if !ok || len(v) != 8 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(v), true
}

// Text returns a name attribute, decoded, or "" if it is absent.
func (p AVPairs) Text(id AVID) string {
	v, _ := p.Get(id)
	text, _ := decodeName(v, true)
	return text
}

// AppendAVPair appends one attribute, whose value has at most 65535 bytes;
// AppendAVPair(dst, AVEOL, nil) ends a list.
func AppendAVPair(dst []byte, id AVID, value []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(id))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// Layout of an NTLMv2 response (MS-NLMP 2.2.2.7, 2.2.2.8): a proof of 16
// bytes, then the blob that it signs.
const (
	proofSize         = 16
	v2Time            = proofSize + 8
	v2ClientChallenge = proofSize + 16
	v2Pairs           = proofSize + 28
	v1ResponseSize    = 24
)

// NTLMv2Response is a decoded NtChallengeResponse.
type NTLMv2Response struct {
	Proof           [proofSize]byte
	Time            uint64 // 100 ns since 1601
	ClientChallenge [ChallengeSize]byte
	Pairs           AVPairs // a sub-slice of the response
}

// ParseNTLMv2Response reads nt; ok is false for responses of NTLMv1.
func ParseNTLMv2Response(nt []byte) (r NTLMv2Response, ok bool) {
	if len(nt) < v2Pairs || nt[proofSize] != 1 || nt[proofSize+1] != 1 {
		return NTLMv2Response{}, false
	}
	return NTLMv2Response{
		Proof:           [proofSize]byte(nt),
		Time:            binary.LittleEndian.Uint64(nt[v2Time:]),
		ClientChallenge: [ChallengeSize]byte(nt[v2ClientChallenge:]),
		Pairs:           AVPairs(nt[v2Pairs:]),
	}, true
}
