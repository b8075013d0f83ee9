// Package lab runs nspiproxy as a program among real ones: Impacket's NSPI client in front, a simulated domain
// controller in a process of its own behind, tshark listening in between. What it has is for the tests in this folder,
// which carry the build tag lab because they need root and Debian's packages:
//
//	testdata/lab/install.sh
//	go test -tags lab ./internal/lab/...
//
// A test stands on three legs, each ended with the test that started it:
//
//	dc := StartDC(t, DCOptions{Address: "127.0.10.21"})
//	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.21", DC: dc, Limit: 2})
//	client := StartImpacket(t)
//	client.Connect("a", Login{Address: proxy.Front})
//
// Instead of the simulated domain controller there may be a real one: [StartSamba] runs Samba with a NSPI server of our
// own in it (see testdata/lab/README.md), [StartSambaClient] Samba's client runtime with every mechanism that it has,
// and [Samba.RawProtocol] and [Samba.Torture] Samba's suites, as judges of what a proxy must not change.
//
// Every test uses addresses of its own in 127.0.10.0/24 (domain controllers) and 127.0.20.0/24 (the proxy), so that
// all of them may listen on port 135; Samba is on 127.0.40.10. Truth is asked from both sides: [Proxy.Metrics] is what
// the proxy believes, [DC.Count] or [Samba.Status] what the domain controller holds.
//
// Files: process.go starts and ends programs, proxy.go and probe.go nspiproxy, dc.go the domain controller, impacket.go the
// Python client, samba*.go what is Samba's, tshark.go the capture; rawnspi/ is a client that may misbehave, perf/ the
// comparison with other proxies.
package lab
