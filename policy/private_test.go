package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretFile writes a file with that mode and returns its path.
func secretFile(t *testing.T, name string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("hunter2\n"), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestSecretsThatOthersCanUseAreRefused(t *testing.T) {
	for mode, private := range map[fs.FileMode]bool{
		0o600: true, 0o400: true, 0o700: true,
		0o640: false, 0o604: false, 0o644: false, 0o620: false, 0o602: false, 0o610: false, 0o666: false,
	} {
		path := secretFile(t, "x.keytab", mode)
		err := CheckPrivate(path)
		data, readErr := ReadPrivate(path)
		if private {
			if err != nil || readErr != nil || string(data) != "hunter2\n" {
				t.Errorf("%04o: %v, %q, %v", mode, err, data, readErr)
			}
			continue
		}
		want := fmt.Sprintf("%s can be used by others than its owner (mode %04o): chmod 600 %[1]s", path, mode)
		if err == nil || err.Error() != want || readErr == nil || readErr.Error() != want || data != nil {
			t.Errorf("%04o: %v, %q, %v", mode, err, data, readErr)
		}
	}
}

func TestSecretsAreRegularFilesOfReasonableSize(t *testing.T) {
	dir := t.TempDir()
	if err := CheckPrivate(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("directory: %v", err)
	}
	if err := CheckPrivate(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("x"), maxPrivate+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadPrivate(large); err == nil || data != nil {
		t.Errorf("large: %d bytes, %v", len(data), err)
	}
}

func TestLoadLooksAtTheFilesThatAreNamed(t *testing.T) {
	good, open, absent := secretFile(t, "good", 0o600), secretFile(t, "open", 0o644), filepath.Join(t.TempDir(), "absent")
	config := func(keytabs, password, ca string) string {
		return head + "identity:\n  keytabs:\n    - " + keytabs + "\n    - " + good +
			"\n  directory:\n    url: ldaps://dc1\n    bind_dn: a@B\n    password_file: " + password + "\n    ca_file: " + ca + "\n"
	}
	named := func(text string) string {
		return strings.Replace(text, "name: dc1, address: 10.0.1.10", "name: dc1, address: 10.0.1.10, host: dc1.b", 1)
	}
	for _, tc := range []struct{ name, text, want string }{
		{"all well", config(good, good, open), ""},
		{"keytab", config(open, good, open), `: identity.keytabs[0]: found "` + open + `", which others than its owner can use (mode 0644), expected a file for its owner alone: chmod 600`},
		{"password", config(good, open, open), `: identity.directory.password_file: found "` + open + `", which others than its owner can use (mode 0644), expected a file for its owner alone: chmod 600`},
		{"absent", config(good, good, absent), `: identity.directory.ca_file: found "` + absent + `" (no such file or directory), expected a file that can be read`},
		{"directory", config(t.TempDir(), good, open), "(not a regular file), expected a file that can be read"},
		{"health password", strings.Replace(config(good, good, open), "identity:", "health: {auth: ntlm, user: 'A\\b', password_file: "+open+"}\nidentity:", 1),
			`: health.password_file: found "` + open + `", which others than its owner can use (mode 0644), expected a file for its owner alone: chmod 600`},
		{"health keytab", strings.Replace(named(config(good, good, open)), "identity:", "health: {auth: kerberos, user: a@B, keytab: "+open+", krb5_conf: "+good+"}\nidentity:", 1),
			`: health.keytab: found "` + open + `", which others than its owner can use (mode 0644), expected a file for its owner alone: chmod 600`},
		{"health krb5.conf", strings.Replace(named(config(good, good, open)), "identity:", "health: {auth: kerberos, user: a@B, keytab: "+good+", krb5_conf: "+absent+"}\nidentity:", 1),
			`: health.krb5_conf: found "` + absent + `" (no such file or directory), expected a file that can be read`},
		{"no krb5.conf", strings.Replace(config(good, good, open), "password_file", "krb5_conf: "+absent+"\n    keytab", 1), "identity.directory.krb5_conf: found"},
	} {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("t.yaml", []byte(tc.text)); err != nil {
			t.Errorf("%s: Parse looks at files: %v", tc.name, err)
		}
		_, err := Load(path)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the secret: %v", tc.name, err)
		}
	}
}

func TestConditionOnSIDsIsNoWarningWhereSIDsAreKnown(t *testing.T) {
	rules := "policy: {rules: [{name: a, match: {sid: S-1-5-21-1-2-3-1105}, limit: 1}, {name: b, match: {group: S-1-5-21-1-2-3-512}, limit: 1}]}\n"
	for identity, warnings := range map[string]int{
		"":                                  2,
		"identity: {keytabs: [a.keytab]}\n": 0,
		"identity: {directory: {url: ldaps://dc1:3269, bind_dn: 'LAB\\svc', password_file: pass}}\n": 0,
	} {
		if got := mustParse(t, head+identity+rules).Warnings; len(got) != warnings {
			t.Errorf("%s: %v, want %d warnings", identity, got, warnings)
		}
	}
}
