package secctx_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

const wiki = "public/wireshark-wiki-samples/"

// captured names captures whose keys are known, and how many protected PDUs
// they have. The path is below [captures.Folder].
var captured = []struct {
	file string
	pdus int
}{
	{wiki + "ntlmssp__create_two_tasks_then_enum_RPC_C_AUTHN_LEVEL_PKT_PRIVACY_NTLMv2__password_clem.pcapng", 6},
	{"public/scapy/dcerpc_privacy_ntlm.pcapng", 12},
	{"samba/impacket_alterctx_ntlm_privacy.pcap", 32},
	{"samba/impacket_nspi_ntlm_integrity.pcap", 20},
	{"samba/nspi_ntlm_seal_ntlm_bigendian.pcap", 34},
	{"samba/nspi_ntlm_sign_ntlm.pcap", 34},
	{"samba/nspi_ntlm_sign_spnego.pcap", 34},
	{"samba/rpcclient_ntlm_seal.pcap", 34},
	{"samba/rpcclient_spnego_sign.pcap", 14},
	{"samba/samr_ntlm_packet.pcap", 14},
	{"samba/samr_ntlm_seal.pcap", 14},
	{"samba/samr_ntlm_seal_fragreq.pcap", 31},
	{"samba/samr_spnego_ntlm_seal.pcap", 14},
	{"samba/smbtorture_rpc_handles_ntlmseal.pcap", 17},
	{wiki + "win2k19-joined.pcap", 32},
	{"public/scapy/dcerpc_privacy_krb.pcapng", 12},
	{"samba/drsuapi_krb5_seal_getnc.pcap", 122},
	{"samba/nspi_krb_seal_krb5.pcap", 34},
	{"samba/nspi_krb_seal_spnego.pcap", 34},
	{"samba/nspi_krb_sign_krb5_rc4.pcap", 18},
	{"samba/raw_spnego_integrity.pcap", 21},
	{"samba/rpcclient_krb5_sign.pcap", 14},
	{"samba/rpcclient_spnegokrb5_seal.pcap", 14},
	{"samba/samr_krb5_seal_aes128.pcap", 14},
	{"samba/samr_krb5_seal_bigendian.pcap", 14},
	{"samba/samr_krb5_seal_rc4.pcap", 14},
	{"samba/samr_krb5_sign_aes256.pcap", 14},
	{"samba/samr_spnego_krb5_sign_aes256.pcap", 14},
}

// way is what happens to a PDU on its way through a proxy. It reports whether
// the PDU was opened and verified.
type way func(t *testing.T, p *protected) (opened bool)

// ways are those that proxies have.
var ways = map[string]way{
	"read and passed on": read,
	"every other skipped": func(t *testing.T, p *protected) bool {
		if p.number%2 == 0 {
			return read(t, p)
		}
		p.proxy.Skip(p.dir, p.layout)
		p.arrives(t, p.bytes, nil)
		return false
	},
	"the first swallowed, copies injected": func(t *testing.T, p *protected) bool {
		p.proxy.Fork(p.dir)
		if err := p.proxy.Open(p.dir, p.bytes, p.layout); err != nil {
			t.Errorf("frame %d: %v", p.frame, err)
			return false
		}
		plain := slices.Clone(p.bytes[:p.layout.Trailer])
		if p.number == 0 {
			return true
		}
		copies := 1 + p.number%3
		for range copies {
			again := slices.Clone(p.bytes)
			if err := p.proxy.Seal(p.dir, again, p.layout); err != nil {
				t.Errorf("frame %d: %v", p.frame, err)
			}
			p.arrives(t, again, plain)
		}
		return true
	},
}

func read(t *testing.T, p *protected) bool {
	plain := p.opened(t)
	p.arrives(t, p.bytes, plain)
	return plain != nil
}

// protected is a protected PDU, the context of the proxy and, derived on its
// own, that of the PDU's receiver.
type protected struct {
	frame, number   int // number of the context's direction
	dir             rpcparse.Direction
	bytes           []byte
	layout          secctx.Layout
	proxy, receiver *secctx.Context
}

// opened is the PDU's text, of which the PDU itself is left alone.
func (p *protected) opened(t *testing.T) []byte {
	b := slices.Clone(p.bytes)
	p.proxy.Fork(p.dir)
	if err := p.proxy.Open(p.dir, b, p.layout); err != nil {
		t.Errorf("frame %d: %v", p.frame, err)
		return nil
	}
	p.proxy.Join(p.dir)
	return b[:p.layout.Trailer]
}

// arrives checks that the receiver takes b, and reads plain unless it is nil.
func (p *protected) arrives(t *testing.T, b, plain []byte) {
	if err := p.receiver.Open(p.dir, b, p.layout); err != nil || plain != nil && !bytes.Equal(b[:p.layout.Trailer], plain) {
		t.Errorf("frame %d: the receiver says %v", p.frame, err)
	}
}

// both are two followers of one handshake.
type both struct{ proxy, receiver *secctx.Handshake }

func (b both) FromClient(token []byte) { b.proxy.FromClient(token); b.receiver.FromClient(token) }
func (b both) FromServer(token []byte) { b.proxy.FromServer(token); b.receiver.FromServer(token) }
func (b both) Rejected()               { b.proxy.Rejected(); b.receiver.Rejected() }
func (b both) Refused()                { b.proxy.Refused(); b.receiver.Refused() }

// observer follows one connection of a capture.
type observer struct {
	conv    *rpcparse.Conversation
	bound   bool // its bind was captured; Windows agrees on header signing where it was not
	numbers map[*secctx.Context]*[2]int
}

func newObserver(k secctx.Keys) *observer {
	return &observer{numbers: map[*secctx.Context]*[2]int{}, conv: rpcparse.NewConversation(rpcparse.ConversationOptions{
		FollowAll: true, MidStream: true,
		NewFollower: func(*rpcparse.SecurityContext) rpcparse.TokenFollower {
			return both{secctx.NewHandshake(k), secctx.NewHandshake(k)}
		},
	})}
}

// take follows a PDU. If it is protected under a context with known keys, it is
// returned.
func (o *observer) take(p *capture.PDU) (found *protected) {
	o.bound = o.bound || p.Header.Type == rpcparse.PTypeBind
	v, body, _ := captures.Verifier(p) // body is 0 in a handshake
	if s := o.conv.Security(&v); s != nil && body != 0 && v.Level > rpcparse.LevelConnect {
		found = o.protected(p, s, &v, body)
	}
	var pdu rpcparse.PDU
	pdu.Parse(p.Header, p.Bytes)
	_, _ = o.conv.Follow(p.Dir, &pdu, nil) // what it does not like is not the subject
	return found
}

func (o *observer) protected(p *capture.PDU, s *rpcparse.SecurityContext, v *rpcparse.Verifier, body int) *protected {
	h := s.Follower.(both)
	c := h.proxy.Context()
	if c == nil {
		return nil
	}
	if o.numbers[c] == nil {
		o.numbers[c] = &[2]int{}
	}
	found := &protected{frame: p.Frame, number: o.numbers[c][p.Dir], dir: p.Dir, bytes: p.Bytes,
		layout: secctx.Layout{Body: body, Trailer: v.Offset, Seal: v.Level == rpcparse.LevelPrivacy},
		proxy:  c, receiver: h.receiver.Context()}
	o.numbers[c][p.Dir]++
	headers := !o.bound || o.conv.HeaderSigning()
	c.SetHeaderSigning(headers)
	found.receiver.SetHeaderSigning(headers)
	return found
}

// passage sends all PDUs of a capture on their way and returns how many of them
// are protected, and how many were opened.
func passage(t *testing.T, file captures.File, w way) (pdus, opened int) {
	for _, c := range file.Conversations(t) {
		o := newObserver(c.Keys)
		for _, pdu := range c.PDUs {
			if p := o.take(pdu); p != nil {
				pdus++
				if w(t, p) {
					opened++
				}
			}
		}
	}
	return pdus, opened
}

func TestPDUsOfRealPeersPassInEveryWay(t *testing.T) {
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			total, verified := 0, 0
			for _, tc := range captured {
				pdus, opened := passage(t, captures.Named(t, tc.file), w)
				if pdus != tc.pdus {
					t.Errorf("%s: %d protected PDUs, want %d", tc.file, pdus, tc.pdus)
				}
				total, verified = total+pdus, verified+opened
			}
			t.Logf("%d protected PDUs, %d opened and verified", total, verified)
		})
	}
}
