package krb5

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// sequenceKey returns the key 00 01 02 ….
func sequenceKey(etype int32) Key {
	size := map[int32]int{17: 16, 18: 32, 19: 16, 20: 32, 23: 16}[etype]
	key := Key{Etype: etype, Value: make([]byte, size)}
	for i := range key.Value {
		key.Value[i] = byte(i)
	}
	return key
}

// The PDUs of a refused NspiBind from the acceptor, with an acceptor subkey
// and header signing, computed by two independent implementations: header,
// body, trailer, token.
var pduVectors = []struct {
	name  string
	etype int32
	seal  bool
	pdu   string
}{
	{"aes256 integrity", 18, false, `05000203100000005c001c00030000001c00000000000000
		0000000000000000000000000000000000000000000000001101048000000000
		1005040001000000 040405ffffffffff00000000002d3885f6b0bf135308957bd3a062fb`},
	{"aes256 privacy", 18, true, `05000203100000008c004c00030000001c00000000000000
		0b8d56e9b3d459ec2dd99b0e340482bdcabbceb766b07145c8a3ef0f74ae535d
		1006040001000000 050407ff0010001c00000000002d3885f12b7c7b962a53acd6f5f14293c2523e2309834ae8ff
		bfd3e4744b7c158ffe8770cb494f180519dbcda1703f1368870bfa6815218a800a708c03a833`},
	{"rc4 integrity", 23, false, `050002031000000065002500030000001c00000000000000
		0000000000000000000000000000000000000000000000001101048000000000
		1005040001000000 602306092a864886f71201020201011100ffffffffb1fb010c1452a0b0dedacc882488d1f0`},
	{"rc4 privacy", 23, true, `05000203100000006d002d00030000001c00000000000000
		0d4bb91bdac6cefa844940dc0eebbe05551ddd05085f36e198912c0b5558ef78
		1006040001000000 602b06092a864886f712010202020111001000ffffcdadc0b0d2463c396d33dfea37717c2a9337d39bff973bc4`},
}

const (
	vectorBody   = "0000000000000000000000000000000000000000000000001101048000000000"
	vectorNumber = 0x2d3885
)

// fixedConfounder makes confounders f0 f1 f2 … for one test.
func fixedConfounder(t *testing.T) {
	original := random
	random = func(b []byte) {
		for i := range b {
			b[i] = byte(0xf0 + i)
		}
	}
	t.Cleanup(func() { random = original })
}

func newStream(t testing.TB, etype int32, from Role, number uint64) *Stream {
	t.Helper()
	s, err := NewStream(sequenceKey(etype), from, true, number)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestProtectMatchesKnownPDUs(t *testing.T) {
	fixedConfounder(t)
	for _, v := range pduVectors {
		want := unhex(t, v.pdu)
		pdu := bytes.Clone(want)
		copy(pdu[24:56], unhex(t, vectorBody))
		clear(pdu[64:])
		s := newStream(t, v.etype, Acceptor, vectorNumber)
		if s.TokenSize(v.seal) != len(want)-64 {
			t.Errorf("%s: token size %d", v.name, s.TokenSize(v.seal))
		}
		if err := s.Protect(pdu, 24, 56, v.seal); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pdu, want) {
			t.Errorf("%s:\n got %x\nwant %x", v.name, pdu, want)
		}
	}
}

func TestUnprotectMatchesKnownPDUs(t *testing.T) {
	for _, v := range pduVectors {
		pdu := unhex(t, v.pdu)
		s := newStream(t, v.etype, Acceptor, vectorNumber)
		if err := s.Unprotect(pdu, 24, 56, v.seal); err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		if got := hex.EncodeToString(pdu[24:56]); got != vectorBody {
			t.Errorf("%s: body %s", v.name, got)
		}
		if s.Sequence() != vectorNumber+1 {
			t.Errorf("%s: number %#x", v.name, s.Sequence())
		}
	}
}

// RFC 3962 B: ciphertext stealing with every kind of last block.
func TestCiphertextStealingMatchesTheSpecification(t *testing.T) {
	const plain = "I would like the General Gau's Chicken, please, and wonton soup."
	for n, want := range map[int]string{
		17: "c6353568f2bf8cb4d8a580362da7ff7f 97",
		31: "fc00783e0efdb2c1d445d4c8eff7ed22 97687268d6ecccc0c07b25e25ecfe5",
		32: "39312523a78662d5be7fcbcc98ebf5a8 97687268d6ecccc0c07b25e25ecfe584",
		47: "97687268d6ecccc0c07b25e25ecfe584 b3fffd940c16a18c1b5549d2f838029e 39312523a78662d5be7fcbcc98ebf5",
		48: "97687268d6ecccc0c07b25e25ecfe584 9dad8bbb96c4cdc03bc103e1a194bbd8 39312523a78662d5be7fcbcc98ebf5a8",
		64: "97687268d6ecccc0c07b25e25ecfe584 39312523a78662d5be7fcbcc98ebf5a8 4807efe836ee89a526730dbc2f7bc840 9dad8bbb96c4cdc03bc103e1a194bbd8",
	} {
		cipher := newCTS([]byte("chicken teriyaki"))
		b := []byte(plain[:n])
		cipher.encryptEnd(b)
		if !bytes.Equal(b, unhex(t, want)) {
			t.Errorf("%d bytes: %x, want %s", n, b, want)
		}
		cipher.chain = zeroBlock
		cipher.decryptEnd(b)
		if string(b) != plain[:n] {
			t.Errorf("%d bytes decrypt to %q", n, b)
		}
	}
}

// A message in three pieces is encrypted as if it were one.
func TestCiphertextStealingJoinsThePieces(t *testing.T) {
	whole := make([]byte, 400)
	for i := range whole {
		whole[i] = byte(i * i)
	}
	for body := range 100 {
		for ec := 0; ec <= maxEC; ec += 8 {
			message := bytes.Clone(whole[:16+body+ec+16])
			plain := bytes.Clone(message)
			want := bytes.Clone(message)
			cipher := newCTS([]byte("chicken teriyaki"))
			cipher.encryptEnd(want)
			cipher.encrypt(message[:16], message[16:16+body], message[16+body:])
			if !bytes.Equal(message, want) {
				t.Fatalf("body %d, EC %d: wrong ciphertext", body, ec)
			}
			cipher.decrypt(message[:16], message[16:16+body], message[16+body:])
			if !bytes.Equal(message, plain) {
				t.Fatalf("body %d, EC %d: wrong plaintext", body, ec)
			}
		}
	}
}

// PDUs that MIT Kerberos 1.20.1 made with gss_wrap_iov and gss_get_mic in DCE
// style, as the acceptor of a context with an acceptor subkey and with headers
// signed. All have the same plaintext, 00 03 06 ….
var mitVectors = []struct {
	etype     int32
	key       string
	number    uint64
	body      string // sealed; the next token signs the plaintext
	seal, mic string
}{
	{17, "019bec27a24cb0dcb531e8c630976520", 0x369a95a8,
		"67ffcd6e0a37ab68273d1a761968e32469df253e720accee70cfc28de7c6b35e",
		"050407ff0010001c00000000369a95a8d18c1cd279a6fce3ab5cabe18147a0e032e5cb5bbd2f611d957ad292e6e19b33eea24aaa349f1a809668a14c7495e817010ea909633fdc7c4fc608d7",
		"040405ffffffffff00000000369a95a9b3135f4b11fde11a28afc59d"},
	{19, "0b058efde3cc098720652244ebe3853f", 0xd887abc,
		"6fe680168afdfe8d0452a35222c9fbf39213436c373eb55fb383df06dc9b388b",
		"050407ff00100020000000000d887abc3da3e551732cd53f43f6297c13704df1c862fd6b09b2ba5d18f3a7b96f1fd14aaf4a9ef51b4bc67c0aebbf7ba370ac3617548d6d0ffa860efd3f235bf3c6ab1b",
		"040405ffffffffff000000000d887abd92cfdff4a456c9c085a542c51c716ca6"},
	{20, "d131bdf7b5eb1f49d4191c3796d2e1543b7d9882f3273a8cc564f9e3077b37d6", 0x2e34e645,
		"57fcf2c9c8a7d102a3e8927f7885b49ff182ba957ad490812f7601a25dbacd3f",
		"050407ff00100028000000002e34e64565ea4050ecd3f252d7d813d4cd2676329cebb39634039804e19b1bb942901223a41283e40b3aeee38b10693c7f0e88735a995bb92e7fcf173a8a0e1501d4ab393558d0522865e208",
		"040405ffffffffff000000002e34e646b7278dffe5e71b30f836e9866f4ec9f0c0d48c218ad2cb6c"},
	{23, "32a102d352dd8a6fb7a05ccbcd0c255e", 0x31a3159,
		"576dbb448c8d794ccad2581249c107d8f1eafb699022c72d1ca899c1bd4611d3",
		"602b06092a864886f712010202020111001000ffffcabacb00813a652770cd52235fa201bc5dc2e6df78a00dd9",
		"602306092a864886f71201020201011100ffffffff357f36c150433099457a88d4561f4c4c"},
}

// Every PDU verifies, and protecting it again under the confounder that was
// found gives back what MIT made.
func TestTokensOfMITVerifyAndRepeat(t *testing.T) {
	original := random
	t.Cleanup(func() { random = original })
	for _, v := range mitVectors {
		for _, seal := range []bool{true, false} {
			plain, trailer := newPDU(32, 0)
			for i := range plain {
				plain[i] = byte(3 * i)
			}
			number, sent := v.number, bytes.Clone(plain)
			if seal {
				copy(sent[24:], unhex(t, v.body))
				sent = append(sent, unhex(t, v.seal)...)
			} else {
				number++
				sent = append(sent, unhex(t, v.mic)...)
			}
			receive, err := NewStream(Key{Etype: v.etype, Value: unhex(t, v.key)}, Acceptor, true, number)
			if err != nil {
				t.Fatal(err)
			}
			send := receive.Clone()
			pdu := bytes.Clone(sent)
			if err := receive.Unprotect(pdu, 24, trailer, seal); err != nil {
				t.Errorf("%s: %v", benchName(v.etype, seal), err)
				continue
			}
			if !bytes.Equal(pdu[:len(plain)], plain) {
				t.Errorf("%s: plaintext %x", benchName(v.etype, seal), pdu[:len(plain)])
			}
			opened := bytes.Clone(pdu)
			random = func(b []byte) { copy(b, opened[len(opened)-len(b):]) }
			if err := send.Protect(pdu, 24, trailer, seal); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(pdu, sent) {
				t.Errorf("%s:\n got %x\nwant %x", benchName(v.etype, seal), pdu, sent)
			}
		}
	}
}
