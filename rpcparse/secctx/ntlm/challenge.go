package ntlm

import "encoding/binary"

// ChallengeSize is the size of the server's and the client's challenge.
const ChallengeSize = 8

// Challenge is the server's message (MS-NLMP 2.2.1.2).
type Challenge struct {
	Flags           Flags
	ServerChallenge [ChallengeSize]byte
	TargetName      string  // the server's domain or own name
	TargetInfo      AVPairs // a sub-slice of the token; nil if absent
}

// Offsets in a CHALLENGE.
const (
	challengeTargetName = 12
	challengeFlags      = 20
	challengeNonce      = 24
	challengeTargetInfo = 40
	challengeVersion    = 48
	challengeMin        = 32
	challengeFixed      = 56
)

// ParseChallenge reads a CHALLENGE message.
func ParseChallenge(token []byte) (Challenge, error) {
	if err := check(token, TypeChallenge, challengeMin); err != nil {
		return Challenge{}, err
	}
	c := Challenge{
		Flags:           Flags(binary.LittleEndian.Uint32(token[challengeFlags:])),
		ServerChallenge: [ChallengeSize]byte(token[challengeNonce:]),
	}
	var err error
	c.TargetName, err = nameField(token, challengeTargetName, c.Flags.Has(FlagUnicode), "ntlm_target_name")
	if err != nil {
		return Challenge{}, err
	}
	if len(token) >= challengeTargetInfo+fieldSize && c.Flags.Has(FlagTargetInfo) {
		info, err := field(token, challengeTargetInfo, "ntlm_target_info")
		if err != nil {
			return Challenge{}, err
		}
		c.TargetInfo = AVPairs(info)
	}
	return c, nil
}

// AppendChallenge appends c.
func AppendChallenge(dst []byte, c Challenge) ([]byte, error) {
	p := newPayload(TypeChallenge, challengeFixed)
	if c.TargetInfo != nil {
		c.Flags |= FlagTargetInfo
	}
	binary.LittleEndian.PutUint32(p.fixed[challengeFlags:], uint32(c.Flags))
	copy(p.fixed[challengeNonce:], c.ServerChallenge[:])
	if err := p.put(challengeTargetName, "ntlm_target_name", encodeName(c.TargetName, c.Flags)); err != nil {
		return nil, err
	}
	if err := p.put(challengeTargetInfo, "ntlm_target_info", c.TargetInfo); err != nil {
		return nil, err
	}
	putVersion(p.fixed[challengeVersion:], c.Flags)
	return p.append(dst), nil
}
