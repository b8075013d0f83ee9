// Package netns makes network namespaces for the lab: machines with interfaces, addresses, routes and packet filters of
// their own, on one kernel.
//
//	ns, err := netns.New()
//	defer ns.Close()
//	_, err = ns.Run("ip", "addr", "add", "10.77.1.2/24", "dev", "eth0") // a program in it
//	conn, err := ns.Dial("10.77.2.2:135", netip.Addr{})                // a socket of this program in it
//
// A namespace has no name: it is held by a file descriptor of this process, by the programs that run in it and by the
// sockets that were made in it. So the kernel takes it away with the last of them, interfaces and rules and all, however
// this process may end, and no two runs can meet. Whoever wants to look inside uses [Namespace.Path]:
//
//	nsenter --net=/proc/4711/fd/9 nft list ruleset
//
// It is for Linux, needs root (CAP_SYS_ADMIN) and the programs nsenter and ip.
package netns
