// Package lab runs nspiproxy as a program among real ones: Impacket's NSPI client in front, a simulated domain
// controller in a process of its own behind, tshark listening in between. It is the library of the tests in the folders
// below, which carry the build tag lab because they need root and Debian's packages:
//
//	testdata/lab/install.sh
//	go test -tags lab -p 1 ./internal/testkit/lab/...
//
// A test stands on three legs, each ended with the test that started it:
//
//	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.21"})
//	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.21", DC: dc, Limit: 2})
//	client := lab.StartImpacket(t)
//	client.Connect("a", lab.Login{Address: proxy.Front})
//
// Instead of the simulated domain controller there may be a real one: [StartSamba] runs Samba with a NSPI server of our
// own in it (see testdata/lab/README.md), [StartSambaClient] Samba's client runtime with every mechanism that it has,
// and [Samba.RawProtocol] and [Samba.Torture] Samba's suites, as judges of what a proxy must not change.
//
// Every test uses addresses of its own in 127.0.10.0/24 (domain controllers) and 127.0.20.0/24 (the proxy), so that
// all of them may listen on port 135; Samba is on 127.0.40.10. Truth is asked from both sides: [Proxy.Metrics] is what
// the proxy believes, [DC.Count] or [Samba.Status] what the domain controller holds.
//
// For a proxy in the network path there is a network of machines, in which a test says where each program runs:
//
//	net := lab.StartNetwork(t)
//	dc := lab.StartDC(t, lab.DCOptions{On: net.DCs[0]})
//	proxy := lab.StartProxy(t, lab.ProxyOptions{On: net.Router, OrdinaryUser: true, DC: dc, Limit: 2})
//	client := lab.StartImpacketOn(t, net.Clients[0])
//	net.Router.Run(t, "nft", "list", "ruleset")
//	conn, err := net.Clients[1].Dial("10.77.2.2:135", net.Clients[1].More(7))
//	net.DCs[0].Cut(t)
//
// [DC.Peers], [SambaStatus] and [Machine.Flows] tell what the domain controller, and its kernel, have for a peer.
//
// [StartPath] puts a proxy into the path of clients there, with its rules.
//
// # Where what is
//
//	process.go program.go user.go         programs, nspiproxy built once, the user that it may be
//	proxy*.go path*.go probe.go           nspiproxy: forward, in the path, as probe; its log and metrics.go
//	dc.go dcprocess.go                    the simulated domain controller
//	impacket.go variant.go samba*.go      real clients, and Samba's domain controller and suites
//	network.go machine.go wire.go         the network; netns below makes network namespaces
//	switched.go echo.go                   one with machines between two switches; ping and datagrams
//	call.go check.go                      single connections, and what several tests look at
//	tshark.go tap.go haproxy.go page.go   captures, a tap, a load balancer, the pages of docs/
//	keepalived.go                         addresses that two routers move between each other
//
// The tests: client and samba by who asks, path, pool, balancer and network by where the proxy stands, failure by what
// breaks, failover by what moves, decode by tshark. Each folder's doc.go says what it shows. Conn is a client that may
// misbehave, perf the comparison with other proxies.
package lab
