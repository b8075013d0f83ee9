package oracle

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nspiproxy/nspiproxy/proxy/capture/listing"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// values returns what one row has of a field, in the order of the PDU, written
// as tshark writes it.
type values func(r *listing.Row) []string

// fields are tshark's names for what rows have.
var fields = map[string]values{
	"dcerpc.ver":             one(func(r *listing.Row) string { return decimal(r.Version) }),
	"dcerpc.ver_minor":       one(func(r *listing.Row) string { return decimal(r.MinorVersion) }),
	"dcerpc.pkt_type":        one(func(r *listing.Row) string { return decimal(r.PType) }),
	"dcerpc.cn_flags":        one(func(r *listing.Row) string { return r.Flags }),
	"dcerpc.drep":            one(func(r *listing.Row) string { return r.Drep }),
	"dcerpc.drep.byteorder":  one(func(r *listing.Row) string { return r.Drep[:1] }),
	"dcerpc.drep.character":  one(func(r *listing.Row) string { return r.Drep[1:2] }),
	"dcerpc.drep.fp":         one(func(r *listing.Row) string { return r.Drep[3:4] }),
	"dcerpc.cn_frag_len":     one(func(r *listing.Row) string { return decimal(r.FragLength) }),
	"dcerpc.cn_auth_len":     one(func(r *listing.Row) string { return decimal(r.AuthLength) }),
	"dcerpc.cn_call_id":      one(func(r *listing.Row) string { return decimal(r.CallID) }),
	"dcerpc.opnum":           maybe(func(r *listing.Row) *uint16 { return r.Opnum }, decimal[uint16]),
	"dcerpc.cn_alloc_hint":   maybe(func(r *listing.Row) *uint32 { return r.AllocHint }, decimal[uint32]),
	"dcerpc.obj_id":          object,
	"dcerpc.cn_cancel_count": maybe(func(r *listing.Row) *uint8 { return r.CancelCount }, decimal[uint8]),
	"dcerpc.cn_fault_flags":  maybe(func(r *listing.Row) *uint8 { return r.FaultFlags }, hex[uint8](2)),
	"dcerpc.cn_status":       text(func(r *listing.Row) string { return r.Status }),
	"dcerpc.request_in":      requestFrame,

	"dcerpc.cn_ctx_id":              contextIDs,
	"dcerpc.cn_max_xmit":            maybe(func(r *listing.Row) *uint16 { return r.MaxXmitFrag }, decimal[uint16]),
	"dcerpc.cn_max_recv":            maybe(func(r *listing.Row) *uint16 { return r.MaxRecvFrag }, decimal[uint16]),
	"dcerpc.cn_assoc_group":         maybe(func(r *listing.Row) *uint32 { return r.AssocGroupID }, hex[uint32](8)),
	"dcerpc.cn_num_ctx_items":       maybe(func(r *listing.Row) *int { return r.ContextCount }, decimal[int]),
	"dcerpc.cn_bind_to_uuid":        contexts(func(c *listing.Context) string { return c.Abstract.UUID }),
	"dcerpc.cn_bind_if_ver":         contexts(func(c *listing.Context) string { return decimal(c.Abstract.Major) }),
	"dcerpc.cn_bind_if_ver_minor":   contexts(func(c *listing.Context) string { return decimal(c.Abstract.Minor) }),
	"dcerpc.cn_num_trans_items":     contexts(func(c *listing.Context) string { return decimal(len(c.Transfers)) }),
	"dcerpc.cn_bind_trans_id":       transfers(func(s *listing.Syntax) string { return s.UUID }),
	"dcerpc.cn_bind_trans_ver":      transfers(version),
	"dcerpc.cn_sec_addr_len":        maybe(func(r *listing.Row) *int { return r.SecAddrLen }, decimal[int]),
	"dcerpc.cn_sec_addr":            text(func(r *listing.Row) string { return string(r.SecAddr) }),
	"dcerpc.cn_num_results":         maybe(func(r *listing.Row) *int { return r.ResultCount }, decimal[int]),
	"dcerpc.cn_ack_result":          results(func(x *listing.Result) string { return decimal(x.Result) }),
	"dcerpc.cn_ack_reason":          ackReasons,
	"dcerpc.cn_bind_trans_btfn":     features,
	"dcerpc.cn_ack_trans_id":        results(func(x *listing.Result) string { return x.Transfer.UUID }),
	"dcerpc.cn_ack_trans_ver":       results(func(x *listing.Result) string { return version(&x.Transfer) }),
	"dcerpc.cn_reject_reason":       maybe(func(r *listing.Row) *uint16 { return r.RejectReason }, decimal[uint16]),
	"dcerpc.cn_num_protocols":       protocolCount,
	"dcerpc.cn_protocol_ver_major":  protocols(0),
	"dcerpc.cn_protocol_ver_minor":  protocols(1),
	"dcerpc.auth_type":              maybe(func(r *listing.Row) *uint8 { return r.AuthType }, decimal[uint8]),
	"dcerpc.auth_level":             maybe(func(r *listing.Row) *uint8 { return r.AuthLevel }, decimal[uint8]),
	"dcerpc.auth_pad_len":           maybe(func(r *listing.Row) *uint8 { return r.AuthPadLength }, decimal[uint8]),
	"dcerpc.auth_rsrvd":             maybe(func(r *listing.Row) *uint8 { return r.AuthReserved }, decimal[uint8]),
	"dcerpc.auth_ctx_id":            maybe(func(r *listing.Row) *uint32 { return r.AuthContextID }, decimal[uint32]),
	"ntlmssp.messagetype":           ntlm(0, func(m *listing.NTLM) string { return fmt.Sprintf("0x%08x", m.Message) }),
	"ntlmssp.auth.domain":           ntlm(3, func(m *listing.NTLM) string { return name(m.Domain) }),
	"ntlmssp.auth.username":         ntlm(3, func(m *listing.NTLM) string { return name(m.User) }),
	"ntlmssp.auth.hostname":         ntlm(3, func(m *listing.NTLM) string { return name(m.Workstation) }),
	"ntlmssp.challenge.target_name": ntlm(2, func(m *listing.NTLM) string { return string(m.Target) }),
}

// ofFrame are the fields that a frame has once, however many PDUs end in it.
var ofFrame = map[string]func(r *listing.Row) string{
	"frame.number": func(r *listing.Row) string { return decimal(r.Frame) },
	"tcp.stream":   func(r *listing.Row) string { return decimal(r.Stream) },
	"tcp.srcport":  func(r *listing.Row) string { return decimal(sender(r).Port()) },
	"tcp.dstport":  func(r *listing.Row) string { return decimal(receiver(r).Port()) },
	"ip.src":       func(r *listing.Row) string { return v4(sender(r)) },
	"ip.dst":       func(r *listing.Row) string { return v4(receiver(r)) },
}

// Fields are the fields that can be compared, frame.number first.
func Fields() []string {
	names := append(slices.Collect(maps.Keys(fields)), slices.Collect(maps.Keys(ofFrame))...)
	slices.Sort(names)
	i := slices.Index(names, "frame.number")
	return append([]string{"frame.number"}, slices.Delete(names, i, i+1)...)
}

type integer interface{ uint8 | uint16 | uint32 | int }

func decimal[T integer](n T) string { return strconv.FormatInt(int64(n), 10) }

func hex[T integer](digits int) func(T) string {
	return func(n T) string { return fmt.Sprintf("0x%0*x", digits, n) }
}

func one(f func(*listing.Row) string) values {
	return func(r *listing.Row) []string { return []string{f(r)} }
}

// text is for fields that are empty where they are absent.
func text(f func(*listing.Row) string) values {
	return func(r *listing.Row) []string {
		if s := f(r); s != "" {
			return []string{s}
		}
		return nil
	}
}

func maybe[T integer](f func(*listing.Row) *T, write func(T) string) values {
	return func(r *listing.Row) []string {
		if p := f(r); p != nil {
			return []string{write(*p)}
		}
		return nil
	}
}

// object is shown by tshark in requests and responses, not in faults.
func object(r *listing.Row) []string {
	if r.Object == "" || r.Status != "" {
		return nil
	}
	return []string{r.Object}
}

// requestFrame is told by tshark where it tells the opnum as well.
func requestFrame(r *listing.Row) []string {
	if r.RequestFrame == 0 || r.Opnum == nil {
		return nil
	}
	return []string{decimal(r.RequestFrame)}
}

func contextIDs(r *listing.Row) []string {
	if r.ContextID != nil {
		return []string{decimal(*r.ContextID)}
	}
	return contexts(func(c *listing.Context) string { return decimal(c.ID) })(r)
}

func contexts(f func(*listing.Context) string) values {
	return func(r *listing.Row) (out []string) {
		for i := range r.Contexts {
			out = append(out, f(&r.Contexts[i]))
		}
		return out
	}
}

func transfers(f func(*listing.Syntax) string) values {
	return func(r *listing.Row) (out []string) {
		for i := range r.Contexts {
			for j := range r.Contexts[i].Transfers {
				out = append(out, f(&r.Contexts[i].Transfers[j]))
			}
		}
		return out
	}
}

func results(f func(*listing.Result) string) values {
	return func(r *listing.Row) (out []string) {
		for i := range r.Results {
			out = append(out, f(&r.Results[i]))
		}
		return out
	}
}

// ackReasons are the reasons of rejections: tshark shows no others.
func ackReasons(r *listing.Row) (out []string) {
	for i := range r.Results {
		if x := &r.Results[i]; x.Result != 0 && x.Result != 3 {
			out = append(out, decimal(x.Reason))
		}
	}
	return out
}

// features are the bind-time features that are offered, and agreed to.
func features(r *listing.Row) (out []string) {
	for i := range r.Contexts {
		for _, t := range r.Contexts[i].Transfers {
			if strings.HasPrefix(t.UUID, "6cb71c2c-9812-4540-") {
				out = append(out, "0x"+t.UUID[21:23]+t.UUID[19:21])
			}
		}
	}
	for i := range r.Results {
		if x := &r.Results[i]; x.Result == 3 {
			out = append(out, fmt.Sprintf("0x%04x", x.Reason))
		}
	}
	return out
}

// version is one number to tshark, where it is that of a transfer syntax.
func version(s *listing.Syntax) string { return decimal(uint32(s.Minor)<<16 | uint32(s.Major)) }

// protocolCount and protocols are shown by tshark where they are the reason.
func protocolCount(r *listing.Row) []string {
	if !versionRejected(r) {
		return nil
	}
	return []string{decimal(len(r.Versions))}
}

func versionRejected(r *listing.Row) bool {
	return r.RejectReason != nil && *r.RejectReason == rpcparse.NakProtocolVersionNotSupported
}

func protocols(part int) values {
	return func(r *listing.Row) (out []string) {
		if !versionRejected(r) {
			return nil
		}
		for _, v := range r.Versions {
			var n [2]int
			if _, err := fmt.Sscanf(v, "%d.%d", &n[0], &n[1]); err == nil {
				out = append(out, decimal(n[part]))
			}
		}
		return out
	}
}

// ntlm is for fields of one message type, or of all (0).
func ntlm(message uint32, f func(*listing.NTLM) string) values {
	return func(r *listing.Row) []string {
		if r.NTLM == nil || message != 0 && r.NTLM.Message != message {
			return nil
		}
		return []string{f(r.NTLM)}
	}
}

// name writes a name of an AUTHENTICATE message.
func name(t listing.Text) string {
	if t == "" {
		return "NULL"
	}
	return string(t)
}

func sender(r *listing.Row) netip.AddrPort {
	if r.Dir == "c" {
		return netip.MustParseAddrPort(r.Client)
	}
	return netip.MustParseAddrPort(r.Server)
}

func receiver(r *listing.Row) netip.AddrPort {
	if r.Dir == "c" {
		return netip.MustParseAddrPort(r.Server)
	}
	return netip.MustParseAddrPort(r.Client)
}

func v4(a netip.AddrPort) string {
	if a.Addr().Is4() {
		return a.Addr().String()
	}
	return ""
}
