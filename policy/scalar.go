package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// scalarType is how one type of value is written in the file.
type scalarType struct {
	expected string                          // completes "expected …"
	parse    func(n *yaml.Node) (any, error) // n is a scalar; errors are expectations
}

// scalarTypes has every type of a leaf of Config.
var scalarTypes = map[reflect.Type]scalarType{
	reflect.TypeFor[string]():         text("a name of letters and digits, with '.', '_' and '-' between, at most 64", parseName),
	reflect.TypeFor[bool]():           {"true or false", parseBool},
	reflect.TypeFor[Switch]():         {"true or false", parseSwitch},
	reflect.TypeFor[int]():            {"a whole number", parseInt},
	reflect.TypeFor[uint16]():         {"a TCP port from 1 to 65535", parsePort},
	reflect.TypeFor[uint32]():         {"a number from 1 to 4294967295", parseMark},
	reflect.TypeFor[time.Duration]():  text("a duration with its unit, such as 30s or 1m30s", time.ParseDuration),
	reflect.TypeFor[netip.Addr]():     text("an IP address", parseAddr),
	reflect.TypeFor[netip.AddrPort](): text("IP:port, such as 127.0.0.1:9135", netip.ParseAddrPort),
	reflect.TypeFor[netip.Prefix]():   text("a network such as 10.1.0.0/16, or an IP address", parsePrefix),
	reflect.TypeFor[Limit]():          {fmt.Sprintf("a number of sessions from 0 to %d, or unlimited", maxLimit), parseLimit},
	reflect.TypeFor[SID]():            text(string(errSID), ParseSID),
	reflect.TypeFor[Pattern]():        text(`an account pattern such as DOMAIN\svc-*`, ParsePattern),
	reflect.TypeFor[FaultStatus]():    {string(errFaultStatus), parseFaultNode},
	reflect.TypeFor[File]():           text("the path of a file", parsePath),
	reflect.TypeFor[HostName]():       text("a DNS name such as dc1.lab.example", parseHostName),
	reflect.TypeFor[InterfaceName]():  text("the name of a network interface: at most 15 letters, digits, '.', '_' and '-'; a '*' at its end stands for any characters", parseInterfaceName),
	reflect.TypeFor[Account]():        text(`an account: DOMAIN\user or user@domain`, parseAccount),
	reflect.TypeFor[LDAPURL]():        text(string(errLDAPURL), parseLDAPURL),
	reflect.TypeFor[DirectoryName]():  text("a name in the directory, such as DC=lab,DC=example", parseDirectoryName),
	reflect.TypeFor[WhenDown]():       oneOf(WhenDownClaimed, WhenDownRefuse),
	reflect.TypeFor[NetBIOSName]():    text(`the NetBIOS name of a domain: at most 15 characters, none of \ / : * ? " < > | @`, parseNetBIOS),
	reflect.TypeFor[Unreadable]():     oneOf(UnreadableCount, UnreadableRefuse, UnreadableHold),
	reflect.TypeFor[Assurance]():      oneOf(AssuranceAddress, AssuranceUnreadable, AssuranceClaimed, AssuranceResolved, AssuranceVerified),
	reflect.TypeFor[Mode]():           oneOf(ModeForward, ModeTPROXY, ModeRedirect),
	reflect.TypeFor[Scope]():          oneOf(ScopeBackend, ScopeAll),
	reflect.TypeFor[FailMode]():       oneOf(FailOpen, FailClosed),
	reflect.TypeFor[HealthCheck]():    oneOf(CheckNSPI, CheckEPM, CheckNone),
	reflect.TypeFor[HealthAuth]():     oneOf(AuthNone, AuthNTLM, AuthKerberos),
	reflect.TypeFor[HealthLevel]():    oneOf(LevelConnect, LevelPacket, LevelIntegrity, LevelPrivacy),
	reflect.TypeFor[RefusalForm]():    oneOf(FormSpec, FormEcho),
	reflect.TypeFor[NonRPC]():         oneOf(NonRPCClose, NonRPCPass),
	reflect.TypeFor[LogLevel]():       oneOf(LogDebug, LogInfo, LogWarn, LogError),
	reflect.TypeFor[LogFormat]():      oneOf(LogJSON, LogConsole, LogAuto),
}

// isScalar reports whether t is a leaf, though it may be a struct in Go.
func isScalar(t reflect.Type) bool {
	_, ok := scalarTypes[t]
	return ok
}

// text is a type that YAML sees as a string. An error of parse that is not an
// expectation is replaced by the type's own.
func text[T any](expected string, parse func(string) (T, error)) scalarType {
	return scalarType{expected, func(n *yaml.Node) (any, error) {
		if n.ShortTag() != "!!str" {
			return nil, expectation(expected)
		}
		value, err := parse(n.Value)
		if err == nil {
			return value, nil
		}
		if e := expectation(""); errors.As(err, &e) {
			return nil, e
		}
		return nil, expectation(expected)
	}}
}

// oneOf is a type with a few values.
func oneOf[T ~string](values ...T) scalarType {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	expected := names[0]
	if last := len(names) - 1; last > 0 {
		expected = strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return text(expected, func(s string) (T, error) {
		for _, v := range values {
			if string(v) == s {
				return v, nil
			}
		}
		return "", expectation(expected)
	})
}

// maxName bounds names in bytes: they become metric labels and log fields.
const maxName = 64

func parseName(s string) (string, error) {
	if len(s) > maxName || !isWord(s, "._-") || strings.Trim(s, "._-") != s {
		return "", errors.New("not a name")
	}
	return s, nil
}

func parseBool(n *yaml.Node) (any, error) {
	if n.ShortTag() != "!!bool" {
		return nil, expectation("true or false")
	}
	return strings.EqualFold(n.Value, "true"), nil
}

func parseSwitch(n *yaml.Node) (any, error) {
	on, err := parseBool(n)
	switch {
	case err != nil:
		return nil, err
	case on.(bool):
		return SwitchOn, nil
	}
	return SwitchOff, nil
}

// parseInt reads decimal digits: 0o17, 1_000 and 017 mean different things to
// different readers.
func parseInt(n *yaml.Node) (any, error) {
	v, ok := parseDecimal(n.Value, 31)
	if n.ShortTag() != "!!int" || !ok {
		return nil, expectation("a whole number")
	}
	return int(v), nil
}

func parsePort(n *yaml.Node) (any, error) {
	v, ok := parseDecimal(n.Value, 16)
	if n.ShortTag() != "!!int" || !ok || v == 0 {
		return nil, expectation("a TCP port from 1 to 65535")
	}
	return uint16(v), nil
}

// parseMark reads a number of 32 bits that is not 0.
func parseMark(n *yaml.Node) (any, error) {
	v, ok := parseDecimal(n.Value, 32)
	if n.ShortTag() != "!!int" || !ok || v == 0 {
		return nil, expectation("a number from 1 to 4294967295")
	}
	return uint32(v), nil
}

func parseLimit(n *yaml.Node) (any, error) {
	if n.ShortTag() == "!!str" && n.Value == Unlimited.String() {
		return Unlimited, nil
	}
	v, ok := parseDecimal(n.Value, 32)
	if n.ShortTag() != "!!int" || !ok || v > maxLimit {
		return nil, expectedf("a number of sessions from 0 to %d, or unlimited", maxLimit)
	}
	return Limit(v), nil
}

func parseFaultNode(n *yaml.Node) (any, error) {
	if tag := n.ShortTag(); tag != "!!str" && tag != "!!int" {
		return nil, errFaultStatus
	}
	return ParseFaultStatus(n.Value)
}

// parseAddr reads an address that a host can have.
func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return a, err
	case a.Is4In6():
		return a, expectedf("the IPv4 address %s", a.Unmap())
	case a.Zone() != "":
		return a, expectation("an IP address without a zone")
	case !isHost(a):
		return a, expectation("the IP address of one host")
	}
	return a, nil
}

// isHost reports whether a can be the address of one host.
func isHost(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) && a.Zone() == "" && !a.Is4In6()
}

// parsePrefix reads a network or a single address.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Is4In6() || a.Zone() != "" {
			return netip.Prefix{}, expectation("an IPv4 or IPv6 address without a zone")
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil && isRange(s):
		return p, expectation("networks such as 10.1.0.4/30, or single addresses: ranges are not read")
	case err != nil:
		return p, maskOf(s)
	case p.Addr().Is4In6():
		return p, expectation("an IPv4 or IPv6 network")
	case p != p.Masked():
		return p, expectedf("the network %s (bits behind the prefix are set)", p.Masked())
	}
	return p, nil
}

// describe names what a value is, for "found …".
func describe(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.ShortTag() {
	case "!!map":
		return "a mapping"
	case "!!seq":
		return "a list"
	case "!!null":
		return "an empty value"
	case "!!str":
		if n.Value != "" && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && (&yaml.Node{Kind: yaml.ScalarNode, Value: n.Value}).ShortTag() != "!!str" {
			return quote(n.Value) + ", in quotes and so a text"
		}
		return quote(n.Value)
	case "!!int", "!!float":
		return "the number " + quoteShort(n.Value)
	case "!!bool":
		return quoteShort(n.Value)
	case "!!timestamp":
		return "the date " + quoteShort(n.Value)
	}
	return "a value tagged " + quote(n.ShortTag())
}

// quoteShort leaves out the quotes of what can only be short and plain.
func quoteShort(s string) string {
	quoted := quote(s)
	if quoted == `"`+s+`"` {
		return s
	}
	return quoted
}

// describeKey names a key that is not known.
func describeKey(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return "the unknown key " + quote(n.Value)
	}
	return describe(n) + " as a key"
}
