package transparent

// What is ours in the kernel. These names are all that --remove looks for, so
// they do not depend on the configuration: a changed one leaves nothing behind.
const (
	// TableName is the nftables table, of family inet.
	TableName = "nspiproxy"
	// setIPv4 and setIPv6 are the sets of learnt ports in it.
	setIPv4, setIPv6 = "learnt4", "learnt6"
	// The chains that take connections. OnStop empties them; the others
	// carry what the proxy's sockets still have to say, and know what passes by.
	chainIntercepted = "intercepted" // TPROXY
	chainRedirected  = "redirected"  // REDIRECT
	chainMissed      = "missed"      // by REDIRECT, which is to refuse them then
	chainForwarded   = "forwarded"
	// routeProtocol marks our routes and routing rules (rtm_protocol,
	// FRA_PROTOCOL): one of the numbers that no routing program has
	// (/etc/iproute2/rt_protos).
	routeProtocol = 78
)

// The places of our routing rules. They come before all others but the table of
// local addresses: a rule for a network or a VRF must not take marked packets
// away. Packets without the mark pass by.
const (
	prefSkip   = 77 // packets of this machine go past the next one,
	prefLookup = 78 // which leads marked packets to the table where everything is local,
	prefNext   = 79 // to here
)

// epmPort is the TCP port of every domain controller's endpoint mapper.
const epmPort = 135

// The names of what each family has of its own: "direct4", "direct6".
func (f family) direct() string       { return "direct" + f.flag[1:] }
func (f family) reset() string        { return "reset" + f.flag[1:] }
func (f family) ending() string       { return "ending" + f.flag[1:] }
func (f family) stray() string        { return "stray" + f.flag[1:] }
func (f family) asked() string        { return "asked" + f.flag[1:] }
func (f family) answered() string     { return "answered" + f.flag[1:] }
func (f family) passing() string      { return "passing" + f.flag[1:] }
func (f family) answers() string      { return "answers" + f.flag[1:] }
func (f family) strays() string       { return "strays" + f.flag[1:] }
func (f family) strayAnswers() string { return "stray_answers" + f.flag[1:] }
