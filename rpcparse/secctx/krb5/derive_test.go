package krb5

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 3961 A.1.
func TestNFoldMatchesTheSpecification(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"012345", "be072631276b1955"},
		{"password", "78a07b6caf85fa"},
		{"Rough Consensus, and Running Code", "bb6ed30870b7f0e0"},
		{"password", "59e4a8ca7c0385c3c37b3f6d2000247cb6e6bd5b3e"},
		{"MASSACHVSETTS INSTITVTE OF TECHNOLOGY", "db3b0d8f0b061e603282b308a50841229ad798fab9540c1b"},
		{"Q", "518a54a2 15a8452a 518a54a2 15a8452a 518a54a2 15"},
		{"ba", "fb25d531 ae897449 9f52fd92 ea9857c4 ba24cf29 7e"},
		{"kerberos", "6b657262 65726f73"},
		{"kerberos", "6b657262 65726f73 7b9b5b2b 93132b93"},
		{"kerberos", "8372c236 344e5f15 50cd0747 e15d62ca 7a5a3bce a4"},
	} {
		want := unhex(t, tc.want)
		if got := nfold([]byte(tc.in), len(want)); hex.EncodeToString(got) != hex.EncodeToString(want) {
			t.Errorf("%d-fold(%q) = %x, want %x", 8*len(want), tc.in, got, want)
		}
	}
}

// RFC 8009 A.
func TestSHA2DerivationMatchesTheSpecification(t *testing.T) {
	base128 := unhex(t, "3705D96080C17728A0E800EAB6E0D23C")
	base256 := unhex(t, "6D404D37FAF79F9DF0D33568D320669800EB4836472EA8A026D16B7182460C52")
	for _, tc := range []struct {
		newHash func() hash.Hash
		base    []byte
		purpose byte
		want    string
	}{
		{sha256.New, base128, purposeChecksum, "B31A018A48F54776F403E9A396325DC3"},
		{sha256.New, base128, purposeEncryption, "9B197DD1E8C5609D6E67C3E37C62C72E"},
		{sha256.New, base128, purposeIntegrity, "9FDA0E56AB2D85E1569A688696C26A6C"},
		{sha512.New384, base256, purposeChecksum, "EF5718BE86CC84963D8BBB5031E9F5C4BA41F28FAF69E73D"},
		{sha512.New384, base256, purposeEncryption, "56AB22BEE63D82D7BC5227F6773F8EA7A5EB1C825160C38312980C442E5C7E49"},
		{sha512.New384, base256, purposeIntegrity, "69B16514E3CD8E56B82010D5C73012B622C4D00FFC23ED1F"},
	} {
		want := unhex(t, tc.want)
		if got := deriveRFC8009(tc.newHash, tc.base, usageConstant(2, tc.purpose), len(want)); hex.EncodeToString(got) != hex.EncodeToString(want) {
			t.Errorf("purpose %#x: %x, want %x", tc.purpose, got, want)
		}
	}
}
