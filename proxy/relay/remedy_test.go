package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestErrorsOfListeningNameTheRemedy(t *testing.T) {
	four, six := netip.MustParseAddrPort("10.0.5.21:135"), netip.MustParseAddrPort("[fd00::21]:135")
	for _, tc := range []struct {
		err  error
		addr netip.AddrPort
		want string
	}{
		{os.NewSyscallError("bind", syscall.EACCES), four, "CAP_NET_BIND_SERVICE is missing"},
		{os.NewSyscallError("bind", syscall.EACCES), four, "net.ipv4.ip_unprivileged_port_start=135"},
		{fmt.Errorf("%w: %w", errTransparent, syscall.EPERM), four, "CAP_NET_ADMIN is missing"},
		{os.NewSyscallError("bind", syscall.EADDRNOTAVAIL), four, "10.0.5.21 is no address of this machine: `ip address add 10.0.5.21 dev"},
		{os.NewSyscallError("bind", syscall.EADDRNOTAVAIL), six, "net.ipv6.ip_nonlocal_bind=1"},
		{os.NewSyscallError("bind", syscall.EADDRINUSE), four, "`ss -ltnp 'sport = :135'`"},
		{os.NewSyscallError("socket", syscall.EAFNOSUPPORT), six, "this machine has no IPv6"},
		{os.NewSyscallError("socket", syscall.EMFILE), six, "LimitNOFILE="},
	} {
		got := WithRemedy(tc.err, tc.addr)
		if !errors.Is(got, tc.err) || !strings.HasPrefix(got.Error(), tc.err.Error()+" (") || !strings.Contains(got.Error(), tc.want) {
			t.Errorf("%v: %v, want %s", tc.err, got, tc.want)
		}
	}
	if err := errors.New("else"); WithRemedy(err, four) != err {
		t.Error("an error that nothing is known about was changed")
	}
}
