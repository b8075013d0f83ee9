// Package lab runs nspiproxy as a program among real ones: Impacket's NSPI client in front, a simulated domain
// controller in a process of its own behind, tshark listening in between. What it has is for the tests in this folder,
// which carry the build tag lab because they need root and Debian's packages:
//
//	testdata/lab/install.sh
//	go test -tags lab ./internal/testkit/lab/...
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
// For a proxy in the network path there is a network of machines, in which everything runs where it is told to:
//
//	net := StartNetwork(t)
//	dc := StartDC(t, DCOptions{On: net.DCs[0]})
//	proxy := StartProxy(t, ProxyOptions{On: net.Router, OrdinaryUser: true, DC: dc, Limit: 2})
//	client := StartImpacketOn(t, net.Clients[0])
//	net.Router.Run(t, "nft", "list", "ruleset")
//	conn, err := net.Clients[1].Dial("10.77.2.2:135", net.Clients[1].More(7))
//	net.DCs[0].Cut(t)
//
// [DC.Peers], [SambaStatus] and [Machine.Flows] tell what the domain controller, and its kernel, have for a peer.
//
// Files: process.go starts and ends programs, proxy.go and probe.go nspiproxy, user.go the user that it may be, dc.go and dcprocess.go
// the domain controller, impacket.go the Python client, samba*.go what is Samba's, tshark.go the capture, haproxy.go a load
// balancer, network.go, machine.go and wire.go the network; netns/ makes network namespaces, rawnspi/ is a client that may
// misbehave, perf/ the comparison with other proxies.
package lab
