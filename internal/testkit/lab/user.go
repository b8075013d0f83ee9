package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ordinaryUser is the number of a user, and of a group, that has no name and owns nothing but what the lab gives him.
const ordinaryUser = 20051

// userCapabilities are all that the proxy needs as an ordinary user: ports below 1024, and addresses that are not its own.
const userCapabilities = "-all,+net_admin,+net_bind_service"

// asOrdinaryUser is a command line that runs line as the ordinary user with these capabilities and no way to others.
func asOrdinaryUser(line []string) []string {
	return append([]string{
		"setpriv", fmt.Sprintf("--reuid=%d", ordinaryUser), fmt.Sprintf("--regid=%d", ordinaryUser), "--clear-groups",
		"--bounding-set=" + userCapabilities, "--inh-caps=" + userCapabilities, "--ambient-caps=" + userCapabilities,
		"--no-new-privs", "--pdeathsig=KILL", // a change of user has cleared it
		"--",
	}, line...)
}

// OrdinaryFolder makes a folder of the ordinary user, for state that outlives a proxy. It ends with the test.
func OrdinaryFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "nspiproxy-lab-") // t.TempDir would lie in a folder that is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	giveAway(t, folder)
	return folder
}

// WritePrivate writes a file that only the ordinary user, and root, can read.
func WritePrivate(t testing.TB, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	giveAway(t, file)
}

// CopyPrivate copies a file into a folder of the ordinary user, and returns its new path.
func CopyPrivate(t testing.TB, file, folder string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(folder, filepath.Base(file))
	WritePrivate(t, to, data)
	return to
}

func giveAway(t testing.TB, path string) {
	t.Helper()
	if err := os.Chown(path, ordinaryUser, ordinaryUser); err != nil {
		t.Fatal(err)
	}
}

// CheckOrdinaryUser looks at what the kernel knows about the proxy's process.
func CheckOrdinaryUser(t *testing.T, proxy *Proxy) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", proxy.PID()))
	if err != nil {
		t.Fatal(err)
	}
	const netAdminAndBindService = 1<<12 | 1<<10
	for _, want := range []string{
		fmt.Sprintf("Uid:\t%d\t", ordinaryUser), fmt.Sprintf("Gid:\t%d\t", ordinaryUser), "Groups:\t \n", "NoNewPrivs:\t1\n",
		fmt.Sprintf("CapPrm:\t%016x\n", netAdminAndBindService), fmt.Sprintf("CapEff:\t%016x\n", netAdminAndBindService),
		fmt.Sprintf("CapBnd:\t%016x\n", netAdminAndBindService),
	} {
		if !strings.Contains(string(status), want) {
			t.Errorf("no %q in the process's status:\n%s", want, status)
		}
	}
}
