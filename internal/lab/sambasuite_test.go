//go:build lab

package lab

import (
	"maps"
	"slices"
	"sync"
	"testing"
)

// suiteJobs is how many tests run at once on each side; most of them wait.
const suiteJobs = 12

// sides runs a suite against the domain controller and against the proxy in front of it, at the same time.
func sides(t *testing.T, samba *Samba, proxy *Proxy, run func(address string) (Verdicts, error)) (direct, proxied Verdicts) {
	t.Helper()
	var all [2]Verdicts
	var errs [2]error
	var wg sync.WaitGroup
	for i, address := range []string{samba.Address, proxy.Front} {
		wg.Go(func() { all[i], errs[i] = run(address) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return all[0], all[1]
}

// same fails the test for every verdict that differs.
func same(t *testing.T, direct, proxied Verdicts) {
	t.Helper()
	names := maps.Clone(direct)
	maps.Copy(names, proxied)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if direct[name] != proxied[name] {
			t.Errorf("%s:\n  directly:          %s\n  through the proxy: %s", name, direct[name], proxied[name])
		}
	}
	t.Logf("%d tests, %d of them passed", len(direct), direct.Passed())
}

// failed are the tests that did not pass on both sides.
func failed(sides ...Verdicts) (names []string) {
	for _, side := range sides {
		for name, verdict := range side {
			if verdict != verdictPassed && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// TestSambasWireSuiteSeesNoProxy: a suite about the wire that passes, or fails, against a domain controller does so
// through the proxy, for the same reasons.
func TestSambasWireSuiteSeesNoProxy(t *testing.T) {
	samba := StartSamba(t)
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.41", Samba: samba, Limit: 50})
	direct, proxied := sides(t, samba, proxy, func(address string) (Verdicts, error) {
		return samba.RawProtocol(t, address, suiteJobs)
	})
	// Some tests give the server a second to close a connection, which is little on a busy machine. Those that failed
	// are asked again, one after the other.
	for range 3 {
		again, once := sides(t, samba, proxy, func(address string) (Verdicts, error) {
			return samba.RawProtocol(t, address, 1, failed(direct, proxied)...)
		})
		maps.Copy(direct, again)
		maps.Copy(proxied, once)
	}
	const tests, passed = 194, 179 // the others are about SMB pipes, which this server does not have
	if len(direct) != tests || direct.Passed() != passed {
		t.Errorf("directly %d of %d tests passed, want %d of %d", direct.Passed(), len(direct), passed, tests)
	}
	same(t, direct, proxied)
}

// TestSambasTortureSuitesSeeNoProxy: the same with the methods of other interfaces, that are not the proxy's business.
func TestSambasTortureSuitesSeeNoProxy(t *testing.T) {
	samba := StartSamba(t)
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.42", Samba: samba, Limit: 50})
	direct, proxied := sides(t, samba, proxy, func(address string) (Verdicts, error) {
		all := Verdicts{}
		for _, c := range TortureCases() {
			v, err := samba.Torture(t, address, c)
			if err != nil {
				return nil, err
			}
			maps.Copy(all, v)
		}
		return all, nil
	})
	const passed = 50 // far from all: the server refuses LSA over TCP, for instance
	if direct.Passed() < passed {
		t.Errorf("directly %d tests passed, want %d at least", direct.Passed(), passed)
	}
	same(t, direct, proxied)
}
