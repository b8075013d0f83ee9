package policy

import (
	"errors"
	"strings"
	"unicode"
)

// HostName is a DNS name in lower case, without the dot at its end.
type HostName string

// Bounds of DNS names in bytes (RFC 1035 2.3.4), without the dot at the end.
const (
	maxHostName = 253
	maxLabel    = 63
)

// parseHostName reads a DNS name, underscores included: services have them (RFC
// 2782), and sites may. Names that look like an IPv4 address are none.
func parseHostName(s string) (HostName, error) {
	name := strings.TrimSuffix(s, ".")
	labels := strings.Split(name, ".")
	if len(name) > maxHostName || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "", errors.New("not a DNS name")
	}
	for _, label := range labels {
		if !isWord(label, "-_") || strings.Trim(label, "-") != label || strings.Trim(label, "_") == "" || len(label) > maxLabel {
			return "", errors.New("not a DNS name")
		}
	}
	return HostName(strings.ToLower(name)), nil
}

// InterfaceName is the name of a network interface, or the beginning of several
// names with a '*' at its end. It becomes part of a rule set and of commands, so
// it has fewer characters than Linux allows: nothing but that star has a meaning
// of its own there.
type InterfaceName string

// maxInterfaceName is IFNAMSIZ without the NUL at the end. nft wants the star of a
// wildcard to have room in it, too.
const maxInterfaceName = 15

// loopback is the interface of this machine's own connections.
const loopback = "lo"

// parseInterfaceName refuses also what `ip link` shows but is not part of the
// name: in "eth1@if5" it is eth1.
func parseInterfaceName(s string) (InterfaceName, error) {
	name := strings.TrimSuffix(s, "*")
	if len(s) > maxInterfaceName || !isWord(name, "._-") || name[0] == '.' || name[0] == '-' {
		return "", errors.New("not an interface name")
	}
	return InterfaceName(s), nil
}

// IsWildcard reports whether n stands for all interfaces whose names begin with
// what is before the star.
func (n InterfaceName) IsWildcard() bool { return strings.HasSuffix(string(n), "*") }

// Matches reports whether n is the interface of that name, or stands for it.
func (n InterfaceName) Matches(name string) bool {
	if prefix, ok := strings.CutSuffix(string(n), "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return string(n) == name
}

// Covers reports whether n stands for every interface that other stands for.
func (n InterfaceName) Covers(other InterfaceName) bool {
	return n.Matches(strings.TrimSuffix(string(other), "*")) && (n.IsWildcard() || !other.IsWildcard())
}

// overlaps reports whether there can be an interface that both stand for: what
// wildcards stand for contains each other or has nothing in common.
func (n InterfaceName) overlaps(other InterfaceName) bool { return n.Covers(other) || other.Covers(n) }

// Account is the name of an account: DOMAIN\user or user@domain.
type Account string

// maxAccount bounds an account in bytes: twice a name of the schema's greatest
// length, 255 characters of a domain and some to spare.
const maxAccount = 1024

func parseAccount(s string) (Account, error) {
	domain, user, ok := strings.Cut(s, `\`)
	if !ok {
		user, domain, ok = strings.Cut(s, "@")
	}
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if !ok || user == "" || domain == "" || strings.ContainsAny(user+domain, `\@`) || len(s) > maxAccount || strings.ContainsFunc(s, unprintable) {
		return "", errors.New("not an account")
	}
	return Account(s), nil
}

// isWord reports whether s has one or more ASCII letters, digits and characters
// of others, and nothing else.
func isWord(s, others string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return s != "" && strings.Trim(s, plain+others) == ""
}
