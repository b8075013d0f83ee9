package krb5

import (
	"encoding/binary"
	"slices"
	"testing"
)

func TestKeytabListsItsEntries(t *testing.T) {
	kt := keysOf(t,
		entry("DC1$@LAB.TEST", 300, secret(18, 1)),
		entry("exchangeAB/dc1.lab.test@LAB.TEST", 2, secret(23, 2)))
	got := kt.Entries()
	if len(got) != 2 || got[0].String() != "DC1$@LAB.TEST kvno 300 etype 18" || got[1].Principal != "exchangeAB/dc1.lab.test@LAB.TEST" ||
		!slices.Equal(got[1].Name, []string{"exchangeAB", "dc1.lab.test"}) || !got[0].Written.Equal(kitTime) {
		t.Error(got)
	}
	if all := Join(kt, nil, kt); all.Len() != 4 || (*Keytab)(nil).Len() != 0 {
		t.Error(all)
	}
}

func TestKeysOfUnsupportedTypesAreLeftOut(t *testing.T) {
	des := entry("DC1$@LAB.TEST", 1, Key{Etype: 3, Value: make([]byte, 8)})
	if kt := keysOf(t, des, entry("DC1$@LAB.TEST", 1, secret(18, 1))); kt.Len() != 1 {
		t.Error(kt)
	}
}

func TestHolesOfRemovedKeysAreSkipped(t *testing.T) {
	file := keytabFile(t, entry("DC1$@LAB.TEST", 1, secret(18, 1)))
	hole := append(binary.BigEndian.AppendUint32(nil, uint32(0xfffffff8)), make([]byte, 8)...)
	file = slices.Concat(file[:2], hole, file[2:], hole, []byte{0, 0, 0, 0}, []byte("garbage"))
	if kt, err := ParseKeytab(file); err != nil || kt.Len() != 1 {
		t.Error(kt, err)
	}
}

func TestBrokenKeytabsAreErrors(t *testing.T) {
	good := keytabFile(t, entry("DC1$@LAB.TEST", 1, secret(18, 1)))
	short := entry("DC1$@LAB.TEST", 1, Key{Etype: 18, Value: make([]byte, 16)})
	nobody := entry("@LAB.TEST", 1, secret(18, 1))
	nobody.Principal.Components, nobody.Principal.NumComponents = nil, 0
	for name, file := range map[string][]byte{
		"empty":           nil,
		"text":            []byte("-----BEGIN"),
		"first format":    append([]byte{5, 1}, good[2:]...),
		"cut off":         good[:len(good)-1],
		"a size of 2^31":  {5, 2, 0x7f, 0xff, 0xff, 0xff},
		"a hole of 2^31":  {5, 2, 0x80, 0, 0, 0},
		"a key too short": keytabFile(t, short),
		"no name":         keytabFile(t, nobody),
		"too large":       append(slices.Clone(good), make([]byte, maxKeytab)...),
	} {
		if kt, err := ParseKeytab(file); err == nil {
			t.Errorf("%s: %v", name, kt)
		}
	}
	for n := 2; n < len(good)-6; n++ { // an entry whose own size is what is left of it
		b := slices.Clone(good[:6+n-2])
		binary.BigEndian.PutUint32(b[2:], uint32(n-2))
		if kt, err := ParseKeytab(b); err == nil && kt.Len() > 0 && n < len(good)-8 {
			t.Errorf("%d bytes: %v", n, kt)
		}
	}
}

func TestNTHashesOfAccounts(t *testing.T) {
	alice, older, foreign, machine := secret(23, 0x10), secret(23, 0x20), secret(23, 0x30), secret(23, 0x40)
	kt := keysOf(t,
		entry("alice@LAB.TEST", 1, older),
		entry("alice@LAB.TEST", 2, alice),
		entry("alice@LAB.TEST", 2, secret(18, 0x50)),
		entry("Alice@OTHER.TEST", 9, foreign),
		entry("DC1$@LAB.TEST", 1, machine),
		entry("alice/admin@LAB.TEST", 1, secret(23, 0x60)),
	)
	for _, tc := range []struct {
		domain, user string
		want         []Key
	}{
		{"LAB", "alice", []Key{alice, older, foreign}},
		{"lab", "ALICE", []Key{alice, older, foreign}},
		{"OTHER", "alice", []Key{foreign, alice, older}},
		{"lab.test", "alice", []Key{alice, older}},
		{"", "alice@lab.test", []Key{alice, older}},
		{"", "alice@LAB", []Key{alice, older, foreign}},
		{"LEGACYNAME", "alice", []Key{foreign, alice, older}}, // a NetBIOS name that tells nothing
		{"LAB", "DC1$", []Key{machine}},
		{"else.test", "alice", nil},
		{"", "alice@mail.example", nil},
		{"LAB", "bob", nil},
		{"LAB", "", nil},
	} {
		var want [][16]byte
		for _, k := range tc.want {
			want = append(want, [16]byte(k.Value))
		}
		if got := kt.NTHashes(tc.domain, tc.user); !slices.Equal(got, want) {
			t.Errorf("%s\\%s: %d hashes, or in another order", tc.domain, tc.user, len(got))
		}
		hash, ok := kt.NTHash(tc.domain, tc.user)
		if ok != (len(want) > 0) || ok && hash != want[0] {
			t.Errorf("%s\\%s: found %t", tc.domain, tc.user, ok)
		}
	}
	if _, ok := (*Keytab)(nil).NTHash("LAB", "alice"); ok {
		t.Error("a hash without a keytab")
	}
}
