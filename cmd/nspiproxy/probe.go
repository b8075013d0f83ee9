package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// Exit codes of "nspiproxy probe"; 0 is ok and anonymous_refused.
const (
	probeFailed  = exitFailed
	probeLimited = 3
)

// probeOptions are the flags as they were given.
type probeOptions struct {
	target            probe.Target
	auth, level, host string
	epmPort, nspiPort uint16
	timeout           time.Duration
	asJSON            bool
}

func newProbeCommand() *cobra.Command {
	var o probeOptions
	cmd := &cobra.Command{
		Use:   "probe TARGET",
		Short: "Ask a domain controller, as a client would, whether NSPI serves",
		Long: `Ask a domain controller, as a client would, whether NSPI serves: find its port by the
endpoint mapper, open a session, count the entries of the address book, close the session.
Every step is timed. The session is closed whatever the query did.

TARGET is a host name or IP address; HOST:PORT and [IPv6]:PORT name another port of the
endpoint mapper than 135.

Exit codes:
  0  all steps are good, or without authentication: the domain controller answered that it
     opens no session for nobody, as it should
  1  a step failed
  2  the command line is wrong
  3  the user was refused: MAPI_E_LOGON_FAILED, the limit of sessions`,
		Example: `  nspiproxy probe dc1.corp.example
  nspiproxy probe dc1.corp.example --auth ntlm --user 'CORP\monitor' --password-file pw
  nspiproxy probe 10.0.5.11 --host dc1.corp.example --auth kerberos --user monitor@CORP.EXAMPLE --keytab k`,
		Args: exactly("TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := o.complete(args[0])
			if err != nil {
				return asUsage(err)
			}
			return runProbe(cmd, target, o.asJSON)
		},
	}
	o.define(cmd)
	return cmd
}

func (o *probeOptions) define(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Uint16Var(&o.epmPort, "epm-port", 0, "port of the endpoint mapper (default 135)")
	f.Uint16Var(&o.nspiPort, "nspi-port", 0, "port of NSPI; the endpoint mapper is not asked")
	f.StringVar(&o.auth, "auth", string(probe.AuthNone), "how to authenticate: none, ntlm or kerberos")
	f.StringVar(&o.level, "level", string(probe.DefaultLevel), "authentication level: connect, packet, integrity or privacy")
	f.BoolVar(&o.target.Raw, "raw", false, "speak NTLM or Kerberos as such instead of inside SPNEGO")
	f.StringVar(&o.target.User, "user", "", `account: 'DOMAIN\user' or user@REALM`)
	f.StringVar(&o.target.PasswordFile, "password-file", "", "file with the password, private (0600)")
	f.StringVar(&o.target.Keytab, "keytab", "", "file with the Kerberos key instead of a password, private (0600)")
	f.StringVar(&o.target.Krb5Conf, "krb5-conf", "", "Kerberos configuration (default $KRB5_CONFIG or /etc/krb5.conf)")
	f.StringVar(&o.target.SPN, "spn", "", "what to authenticate to (default exchangeAB/ and the host's name)")
	f.StringVar(&o.host, "host", "", "the host's name in the SPN, if TARGET is an address or a proxy")
	f.DurationVar(&o.timeout, "timeout", probe.DefaultTimeout, "for all steps together; closing the session may take 2s more")
	f.BoolVar(&o.asJSON, "json", false, "print the report as one JSON object")
}

// complete returns the target, checked as far as that is possible without the
// network.
func (o *probeOptions) complete(argument string) (probe.Target, error) {
	t := o.target
	t.Auth, t.Level, t.EPMPort, t.NSPIPort, t.Timeout = probe.Auth(o.auth), probe.Level(o.level), o.epmPort, o.nspiPort, o.timeout
	var err error
	if t.Address, err = splitTarget(argument, &t.EPMPort); err != nil {
		return t, err
	}
	if o.nspiPort != 0 && t.EPMPort != 0 {
		return t, errors.New("a port of NSPI and one of the endpoint mapper, which is not asked then")
	}
	if o.host != "" && t.SPN != "" {
		return t, errors.New("both --spn and --host")
	}
	if o.host != "" {
		t.SPN = probe.ServiceClass + o.host
	}
	if o.timeout <= 0 {
		return t, fmt.Errorf("a time-out of %v", o.timeout)
	}
	return t, t.Check()
}

// splitTarget takes the port off a target that has one.
func splitTarget(s string, port *uint16) (host string, err error) {
	if _, err := netip.ParseAddr(s); err == nil {
		return s, nil // a bare IPv6 address has colons, too
	}
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		if n := len(s); n > 2 && s[0] == '[' && s[n-1] == ']' {
			return s[1 : n-1], nil
		}
		return s, nil // a name
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || *port != 0 && *port != uint16(n) {
		return "", fmt.Errorf("TARGET %q: its port is none, or not that of --epm-port", s)
	}
	*port = uint16(n)
	return host, nil
}

// runProbe probes and prints the report.
func runProbe(cmd *cobra.Command, t probe.Target, asJSON bool) (err error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program
	report := probe.Run(ctx, t)
	if asJSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(report)
	} else {
		err = report.WriteText(cmd.OutOrStdout())
	}
	if err != nil {
		return err
	}
	switch {
	case report.Outcome.Good():
		return nil
	case report.Outcome == probe.OutcomeRefusedLimit:
		return exitError{probeLimited, errReported}
	}
	return exitError{probeFailed, errReported}
}
