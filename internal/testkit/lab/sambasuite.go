package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
)

// Verdicts are the results of a suite by test. A failure's reason is part of its verdict: a call that a proxy broke must
// not hide behind a failure that the server has anyway.
type Verdicts map[string]string

// Passed counts the tests that succeeded.
func (v Verdicts) Passed() (n int) {
	for _, verdict := range v {
		if verdict == VerdictPassed {
			n++
		}
	}
	return n
}

// VerdictPassed is the verdict of a test that has passed.
const VerdictPassed = "ok"

// suiteTime is longer than a suite takes on a loaded machine.
const suiteTime = 4 * time.Minute

// RawProtocol runs Samba's wire suite, or only these tests of it, on a machine against the server at address, jobs tests at a
// time. See raw_protocol.py.
func (s *Samba) RawProtocol(t testing.TB, on *Machine, address string, jobs int, only ...string) (Verdicts, error) {
	out := filepath.Join(t.TempDir(), "verdicts")
	script := module.Path(t, "testdata", "lab", "samba", "raw_protocol.py")
	cmd, cancel := suiteCommand(on, "/usr/bin/python3", append([]string{script, out, strconv.Itoa(jobs)}, only...)...)
	defer cancel()
	cmd.Env = append(cmd.Environ(), "KRB5_CONFIG="+s.File("krb5.conf"), "SMB_CONF_PATH="+s.File("smb.conf"),
		"SERVER="+address, "TARGET_HOSTNAME="+SambaHost, "REALM="+SambaRealm, "DOMAIN="+Domain,
		"USERNAME=Administrator", "PASSWORD="+sambaAdminPassword,
		"IGNORE_RANDOM_PAD=1", "AUTH_LEVEL_CONNECT_LSA=1") // what the suite must know of this server
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("raw_protocol.py: %w\n%s", err, said[max(0, len(said)-4000):])
	}
	f, err := os.Open(out)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v := Verdicts{}
	for d := json.NewDecoder(f); d.More(); {
		var line struct{ Test, Verdict string }
		if err := d.Decode(&line); err != nil {
			return nil, err
		}
		v[line.Test] = line.Verdict
	}
	return v, nil
}

// suiteCommand is a program on a machine that ends in time, and with this one.
func suiteCommand(on *Machine, name string, args ...string) (*exec.Cmd, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), suiteTime)
	line := on.command(name, args...).Args
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, cancel
}

// TortureCase is one suite of smbtorture with the options of its binding, such as "seal,krb5".
type TortureCase struct{ Options, Suite string }

func (c TortureCase) String() string { return c.Options + " " + c.Suite }

// TortureCases are the suites over TCP whose verdicts against this server are the same every time, with mechanisms,
// levels and byte orders. Left out are
//
//   - those that join a machine over SMB first: this server has no SMB;
//   - rpc.samr.large-dc, which creates accounts for minutes.
func TortureCases() (all []TortureCase) {
	for _, options := range []string{
		"connect,ntlm", "packet,ntlm", "sign,ntlm", "seal,ntlm", "seal,spnego", "sign,krb5", "seal,krb5",
		"bigendian,seal,ntlm", "bigendian,seal,krb5",
	} {
		for _, suite := range []string{"rpc.dssetup", "rpc.mgmt", "rpc.unixinfo", "rpc.epmapper"} {
			all = append(all, TortureCase{options, suite})
		}
	}
	for _, options := range []string{"seal,ntlm", "seal,krb5"} {
		for _, suite := range []string{
			"rpc.handles.lsarpc", "rpc.handles.lsarpc-shared", "rpc.handles.samr", "rpc.handles.mixed-shared", "rpc.handles.random-assoc",
			"rpc.handles.drsuapi",
			"rpc.altercontext", "rpc.asyncbind", "rpc.bind", "rpc.objectuuid", "rpc.samr.handletype",
			"rpc.samr.passwords.validate", "rpc.lsa-getuser",
		} {
			all = append(all, TortureCase{options, suite})
		}
	}
	return all
}

// Torture runs a suite of smbtorture on a machine against the server at address.
func (s *Samba) Torture(t testing.TB, on *Machine, address string, c TortureCase) (Verdicts, error) {
	kerberos := "disabled"
	if strings.Contains(c.Options, "krb5") {
		kerberos = "required"
	}
	cmd, cancel := suiteCommand(on, "smbtorture", "--basedir="+t.TempDir(), "--configfile="+s.File("smb.conf"),
		"--user="+Domain+"/Administrator%"+sambaAdminPassword, "--realm="+SambaRealm, "--use-kerberos="+kerberos,
		fmt.Sprintf("ncacn_ip_tcp:%s[%s,target_hostname=%s]", address, c.Options, SambaHost), c.Suite)
	defer cancel()
	cmd.Env = append(cmd.Environ(), "KRB5_CONFIG="+s.File("krb5.conf"))
	out, err := cmd.CombinedOutput() // the exit code tells of failures, which are verdicts, too
	v := tortureVerdicts(c, out)
	if len(v) == 0 {
		return nil, fmt.Errorf("smbtorture %s: no verdict: %w\n%s", c, err, out)
	}
	return v, nil
}

// changing are numbers in a reason that differ from run to run: handles, associations, the server's address.
var changing = regexp.MustCompile(`0x[0-9a-fA-F]+|\d+\.\d+\.\d+\.\d+(\[\d+)?`)

// tortureVerdicts reads what smbtorture prints: "success: NAME", or "failure: NAME [", the reason in the next line.
func tortureVerdicts(c TortureCase, out []byte) Verdicts {
	v := Verdicts{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		verdict, name, ok := strings.Cut(lines.Text(), ": ")
		switch {
		case !ok:
		case verdict == "success":
			v[c.String()+" "+name] = VerdictPassed
		case verdict == "failure" || verdict == "error" || verdict == "skip":
			name, more := strings.CutSuffix(name, " [")
			if more && lines.Scan() {
				verdict += ": " + changing.ReplaceAllString(lines.Text(), "#")
			}
			v[c.String()+" "+name] = verdict
		}
	}
	return v
}
