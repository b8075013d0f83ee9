package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wrongConfig is a configuration that must be refused.
type wrongConfig struct {
	name  string
	files map[string]string // in the folder FOLDER
	text  string            // behind the listeners and backends, unless it has some; FOLDER is replaced
	want  string            // is in what is said
}

const (
	plain     = "version: 1\nlisteners: [{name: dc1, address: 127.0.40.99, backend: dc1, epm_port: 21135}]\nbackends: [{name: dc1, address: 127.0.40.98}]\n"
	tproxy    = "version: 1\nlisteners: [{name: path, mode: tproxy, port: 5135, destinations: [10.0.5.0/24, \"fd00:5::/64\"]}]\n"
	directory = "identity: {directory: {url: ldaps://dc1:3269, bind_dn: svc@LAB.TEST, "
	kerberos  = directory + "keytab: FOLDER/k, krb5_conf: FOLDER/krb5.conf}}\n"
	krb5Conf  = "[libdefaults]\n default_realm = LAB.TEST\n[realms]\n LAB.TEST = {\n  kdc = 127.0.40.96\n }\n"
	checks    = "health: {auth: kerberos, user: svc@LAB.TEST, keytab: FOLDER/k, krb5_conf: FOLDER/krb5.conf}\n"
	hosted    = "version: 1\nlisteners: [{name: dc1, address: 127.0.40.99, backend: dc1, epm_port: 21135}]\nbackends: [{name: dc1, address: 127.0.40.98, host: dc1.lab.test}]\n"
)

func wrongConfigs(t *testing.T) []wrongConfig {
	good, negative := certificate(t, 7), certificate(t, -7)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}))
	return []wrongConfig{
		{"no YAML", nil, "version: [", "text that is not YAML"},
		{"keytab of no byte", map[string]string{"k": ""}, "identity: {keytabs: [FOLDER/k]}", "identity.keytabs[0]: found 'FOLDER/k': invalid keytab at offset 0: 0 bytes are no keytab"},
		{"keytab of one byte", map[string]string{"k": "\x05"}, "identity: {keytabs: [FOLDER/k]}", "1 bytes are no keytab"},
		{"second keytab", map[string]string{"k": string(keytabOf("dc1$")), "l": "junk"}, "identity: {keytabs: [FOLDER/k, FOLDER/l]}", "identity.keytabs[1]: found 'FOLDER/l'"},
		{"keytab without a key", map[string]string{"k": strings.Replace(string(keytabOf("dc1$")), "\x01\x00\x17", "\x01\x00\x01", 1)}, "identity: {keytabs: [FOLDER/k]}", "it has no key of a type that can be used"},
		{"keytab that is absent", nil, "identity: {keytabs: [FOLDER/k]}", "no such file or directory"},
		{"keytab that is a folder", nil, "identity: {keytabs: [FOLDER]}", "not a regular file"},
		{"keytab of the directory", map[string]string{"k": "\x05", "krb5.conf": krb5Conf}, kerberos, "identity.directory.keytab: found 'FOLDER/k'"},
		{"keytab of another account", map[string]string{"k": string(keytabOf("alice")), "krb5.conf": krb5Conf}, kerberos, "no key of svc@LAB.TEST in it, but of alice@LAB.TEST"},
		{"krb5.conf of the directory", map[string]string{"k": string(keytabOf("svc")), "krb5.conf": "[libdefaults]\n clockskew = soon\n"}, kerberos, "identity.directory.krb5_conf: found 'FOLDER/krb5.conf'"},
		{"no KDC", map[string]string{"k": string(keytabOf("svc")), "krb5.conf": "[libdefaults]\n default_realm = LAB.TEST\n"}, kerberos, "krb5.conf has no KDC of realm LAB.TEST"},
		{"no KDC for the checks", map[string]string{"k": string(keytabOf("svc")), "krb5.conf": strings.ReplaceAll(krb5Conf, "LAB", "OTHER")}, hosted + checks, "krb5.conf has no KDC of realm LAB.TEST"},
		{"password that is empty", map[string]string{"p": "\n"}, directory + "password_file: FOLDER/p}}", "identity.directory.password_file: found 'FOLDER/p'"},
		{"password in UTF-16", map[string]string{"p": "\xff\xfep\x00"}, directory + "password_file: FOLDER/p}}", "text in UTF-16"},
		{"password of two lines", map[string]string{"p": "one\ntwo\n"}, directory + "password_file: FOLDER/p}}", "more than one line"},
		{"no certificate", map[string]string{"p": "x", "ca": "junk"}, directory + "password_file: FOLDER/p, ca_file: FOLDER/ca}}", "no certificate in PEM in it"},
		{"a key for a certificate", map[string]string{"p": "x", "ca": key}, directory + "password_file: FOLDER/p, ca_file: FOLDER/ca}}", "no certificate in PEM in it"},
		{"certificate with a negative serial", map[string]string{"p": "x", "ca": negative}, directory + "password_file: FOLDER/p, ca_file: FOLDER/ca}}", "certificate 1 in it: x509: negative serial number"},
		{"second certificate", map[string]string{"p": "x", "ca": good + negative}, directory + "password_file: FOLDER/p, ca_file: FOLDER/ca}}", "certificate 2 in it"},
		{"base DN", map[string]string{"p": "x"}, directory + "password_file: FOLDER/p, base_dn: lab.test}}", `base DN "lab.test"`},
		{"password of the checks", map[string]string{"p": ""}, `health: {auth: ntlm, user: 'LAB\svc', password_file: FOLDER/p}`, "health.password_file: found 'FOLDER/p'"},
		{"keytab of the checks", map[string]string{"k": "x", "krb5.conf": krb5Conf}, hosted + checks, "health.keytab: found 'FOLDER/k'"},
		{"krb5.conf of the checks", map[string]string{"k": string(keytabOf("svc")), "krb5.conf": "[libdefaults]\n clockskew = soon\n"}, hosted + checks, "health.krb5_conf: found"},
		{"all at once", map[string]string{"k": "", "p": ""}, "identity: {keytabs: [FOLDER/k], directory: {url: ldaps://dc1, bind_dn: 'LAB\\svc', password_file: FOLDER/p}}", "FOLDER/p is empty"},
		{"metrics on a listener's port", nil, "metrics: {address: 127.0.40.99:21135}", "metrics.address: found 127.0.40.99:21135, which listener dc1 has on line 2"},
		{"metrics on a backend's port", nil, "metrics: {address: 127.0.40.98:135}", "which backend dc1 has on line 3"},
		{"metrics on a transparent port", nil, tproxy + "metrics: {address: 127.0.0.1:5135}", "which listener path has on line 2"},
		{"metrics on a transparent port, IPv6", nil, tproxy + "metrics: {address: '[::1]:5135'}", "which listener path has on line 2"},
		{"metrics on a redirected port", nil, strings.Replace(tproxy, "tproxy", "redirect", 1) + "metrics: {address: 127.0.0.9:5135}", "which listener path has on line 2"},
		{"one file for both", nil, tproxy + "relay: {connections_file: FOLDER/s}\ntransparent: {state_file: FOLDER/s}", "which is also that of relay.connections_file"},
		{"a file and a socket", nil, tproxy + "relay: {connections_file: FOLDER/s.sock}\ntransparent: {state_file: FOLDER/./s}", "which is also that of relay.connections_file"},
		{"state in a keytab", map[string]string{"k": string(keytabOf("dc1$"))}, "identity: {keytabs: [FOLDER/k]}\nrelay: {connections_file: FOLDER/k}", "which the program writes (relay.connections_file)"},
		{"path of the socket", nil, tproxy + "transparent: {state_file: FOLDER/" + strings.Repeat("s", 100) + "}", "a socket stands beside it"},
		{"state file is a folder", nil, tproxy + "relay: {connections_file: FOLDER/c}\ntransparent: {state_file: FOLDER}", "transparent.state_file: found 'FOLDER', a folder"},
		{"record is a folder", nil, "relay: {connections_file: FOLDER}", "relay.connections_file: found 'FOLDER', a folder"},
		{"two listeners, one port", nil, strings.Replace(plain, "[{name: dc1,", "[{name: dc2, address: 127.0.40.99, backend: dc1, epm_port: 21135}, {name: dc1,", 1), "an address and port that no other listener and no backend has"},
		{"zone", nil, strings.Replace(plain, "127.0.40.99", `"fe80::1%lo"`, 1), "an IP address without a zone"},
		{"all addresses", nil, strings.Replace(plain, "127.0.40.99", "0.0.0.0", 1), "the IP address of one host"},
		{"metrics for all", nil, "metrics: {address: 0.0.0.0:9135}", "a loopback address"},
		{"learnt port", nil, tproxy + "metrics: {address: 127.0.0.1:0}", "a port from 1 to 65535"},
	}
}

// certificate returns a certificate in PEM with that serial number.
func certificate(t *testing.T, serial int64) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(max(serial, -serial)), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if serial < 0 { // the library makes none: set the sign in the one byte of the number
		number, _ := asn1.Marshal(big.NewInt(-serial))
		at := bytes.Index(der, number)
		der[at+2] = byte(serial)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// write makes the files of c and returns the configuration's name.
func (c wrongConfig) write(t *testing.T) (file, folder string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "n") // short: a socket's name has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	file = filepath.Join(folder, "nspiproxy.yaml")
	text := c.text
	if !strings.HasPrefix(text, "version:") {
		text = plain + text
	}
	files := map[string]string{"nspiproxy.yaml": strings.ReplaceAll(text, "FOLDER", folder) + "\n"}
	for name, content := range c.files {
		files[name] = content
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file, folder
}

// runFor runs the program for a second at most.
func runFor(args ...string) (stderr string, code int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var out, errOut bytes.Buffer
	root := newRootCommand()
	root.SetOut(&out)
	root.SetErr(&errOut)
	code = run(ctx, root, args)
	return errOut.String(), code
}

// TestCheckRefusesWhatServeRefuses: one configuration, one verdict, in the same words.
func TestCheckRefusesWhatServeRefuses(t *testing.T) {
	for _, c := range wrongConfigs(t) {
		t.Run(c.name, func(t *testing.T) {
			file, folder := c.write(t)
			said, code := runFor("check", file)
			want := strings.ReplaceAll(c.want, "FOLDER", folder)
			if code != exitFailed || !strings.HasPrefix(said, file+":") || !strings.Contains(said, want) {
				t.Errorf("check: exit code %d, %q, want %q", code, said, want)
			}
			if served, serveCode := runFor("serve", file); serveCode != code || served != said {
				t.Errorf("serve: exit code %d, %q, want %d, %q", serveCode, served, code, said)
			}
		})
	}
}

// TestServeStartsWithWhatCheckPasses is the other side: what is passed must start.
func TestServeStartsWithWhatCheckPasses(t *testing.T) {
	bundle := certificate(t, 7) + certificate(t, 8)
	for _, c := range []wrongConfig{
		{"plain", nil, "", ""},
		{"keytab", map[string]string{"k": string(keytabOf("dc1$"))}, "identity: {keytabs: [FOLDER/k]}", ""},
		{"directory", map[string]string{"p": "\ufeffx\r\n", "ca": bundle}, directory + "password_file: FOLDER/p, ca_file: FOLDER/ca, base_dn: 'DC=lab,DC=test'}}", ""},
		{"kerberos", map[string]string{"k": string(keytabOf("svc")), "krb5.conf": "includedir /etc/krb5.conf.d/\n" + krb5Conf}, kerberos, ""},
		{"checks", map[string]string{"k": string(keytabOf("svc")), "krb5.conf": krb5Conf}, hosted + checks, ""},
		{"metrics beside a listener", nil, "metrics: {address: 127.0.40.97:21135}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.text = strings.TrimSuffix(c.text, "\n") + "\nrelay: {connections_file: FOLDER/c, shutdown_timeout: 0s}"
			file, _ := c.write(t)
			if said, code := runFor("check", file); code != 0 || said != "" {
				t.Fatalf("check: exit code %d, %q", code, said)
			}
			if said, code := runFor("serve", file); code != 0 || !strings.Contains(said, "ready") {
				t.Errorf("serve: exit code %d, %s", code, said)
			}
		})
	}
}

func TestServeNamesTheRemedyWhenItCannotListen(t *testing.T) {
	absent := wrongConfig{text: strings.Replace(plain, "127.0.40.99", "192.0.2.77", 1)}
	file, _ := absent.write(t)
	if said, code := runFor("serve", file); code != exitFailed || !strings.Contains(said, "`ip address add 192.0.2.77 dev INTERFACE`") {
		t.Errorf("serve: exit code %d, %q", code, said)
	}
	want := fmt.Sprintf("on this machine: %s:2:25: listeners[0].address: found 192.0.2.77, which is no address of this machine", file)
	if said, code := runFor("check", file); code != 0 || !strings.HasPrefix(said, want) {
		t.Errorf("check: exit code %d, %q, want %q", code, said, want)
	}
	if said, code := runFor("check", "--no-files", file); code != 0 || said != "" {
		t.Errorf("check --no-files: exit code %d, %q", code, said)
	}
}

func TestCheckWithoutFilesIsForAnotherMachine(t *testing.T) {
	c := wrongConfig{text: "identity: {keytabs: [/etc/nspiproxy/absent.keytab]}"}
	file, _ := c.write(t)
	if said, code := runFor("check", file); code != exitFailed || !strings.Contains(said, "absent.keytab") {
		t.Errorf("exit code %d, %q", code, said)
	}
	if said, code := runFor("check", "--no-files", file); code != 0 || said != "" {
		t.Errorf("--no-files: exit code %d, %q", code, said)
	}
}
