package ntlm_test

import (
	"path/filepath"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// captured names captures with NTLM whose passwords are known, and how many
// signatures they hold. The path is below [captures.Folder].
var captured = []struct {
	file, password string
	signatures     int
}{
	{"public/wireshark-wiki-samples/ntlmssp__create_two_tasks_then_enum_RPC_C_AUTHN_LEVEL_PKT_PRIVACY_NTLMv2__password_clem.pcapng", "clem", 6},
	{"public/wireshark-wiki-samples/ntlmssp__ntlm_rpc.pcapng", "admin", 12},
	{"public/scapy/dcerpc_privacy_ntlm.pcapng", "Password123!", 12},
	{"samba/impacket_alterctx_ntlm_privacy.pcap", "Al1ce-Passw0rd!", 32},
	{"samba/impacket_nspi_ntlm_integrity.pcap", "Al1ce-Passw0rd!", 20},
	{"samba/nspi_ntlm_seal_ntlm_bigendian.pcap", "Al1ce-Passw0rd!", 34},
	{"samba/nspi_ntlm_sign_ntlm.pcap", "Al1ce-Passw0rd!", 34},
	{"samba/nspi_ntlm_sign_spnego.pcap", "Al1ce-Passw0rd!", 36},
	{"samba/rpcclient_ntlm_seal.pcap", "Al1ce-Passw0rd!", 34},
	{"samba/rpcclient_spnego_sign.pcap", "Al1ce-Passw0rd!", 16},
	{"samba/samr_ntlm_packet.pcap", "Al1ce-Passw0rd!", 14},
	{"samba/samr_ntlm_seal.pcap", "Al1ce-Passw0rd!", 14},
	{"samba/samr_ntlm_seal_fragreq.pcap", "Al1ce-Passw0rd!", 31},
	{"samba/samr_spnego_ntlm_seal.pcap", "Al1ce-Passw0rd!", 16},
	{"samba/smbtorture_rpc_handles_ntlmseal.pcap", "Adm1n-Passw0rd!", 17},
}

// observer derives the keys of the security contexts of one connection as a
// bystander with the password can, and verifies every PDU.
type observer struct {
	t        *testing.T
	password string
	contexts map[uint32]*observed
	verified int
}

type observed struct {
	messages [3][]byte // NEGOTIATE, CHALLENGE, AUTHENTICATE
	mechList []byte
	streams  [2]*ntlm.Stream // by direction
}

func TestSignaturesOfRealPeersVerify(t *testing.T) {
	for _, tc := range captured {
		t.Run(filepath.Base(tc.file), func(t *testing.T) {
			n := observe(t, captures.Named(t, tc.file), tc.password)
			if n != tc.signatures {
				t.Errorf("%d signatures, want %d", n, tc.signatures)
			}
		})
	}
}

// observe verifies all PDUs of a capture and returns how many had signatures.
func observe(t *testing.T, file captures.File, password string) (verified int) {
	for _, c := range file.Conversations(t) {
		o := &observer{t: t, password: password, contexts: make(map[uint32]*observed)}
		for _, p := range c.PDUs {
			o.pdu(p)
		}
		verified += o.verified
	}
	return verified
}

func (o *observer) pdu(p *capture.PDU) {
	switch v, body, ok := captures.Verifier(p); {
	case ok && body == 0:
		o.leg(v, p.Dir)
	case ok:
		o.verify(p, v, body)
	}
}

// leg takes one token of a handshake.
func (o *observer) leg(v rpcparse.Verifier, dir rpcparse.Direction) {
	c := o.contexts[v.ContextID]
	if c == nil {
		c = &observed{}
		o.contexts[v.ContextID] = c
	}
	if mech, inner, ok := spnego.Unwrap(v.Token); ok && mech == spnego.MechNTLM {
		typ, _ := ntlm.Type(inner)
		if typ < ntlm.TypeNegotiate || typ > ntlm.TypeAuthenticate {
			o.t.Fatalf("message type %v", typ)
		}
		c.messages[typ-1] = inner
		if typ == ntlm.TypeAuthenticate {
			o.derive(c)
		}
	}
	token, err := spnego.Parse(v.Token)
	if err != nil {
		return
	}
	if token.Init {
		c.mechList = token.MechTypeList
	}
	if token.ListMIC != nil && c.streams[dir] != nil {
		if err := c.streams[dir].VerifyListMIC(c.mechList, token.ListMIC); err != nil {
			o.t.Errorf("mechListMIC: %v", err)
		}
		o.verified++
	}
}

// derive computes the keys of a finished handshake and checks its MIC.
func (o *observer) derive(c *observed) {
	challenge, err := ntlm.ParseChallenge(c.messages[1])
	if err != nil {
		o.t.Fatal(err)
	}
	a, err := ntlm.ParseAuthenticate(c.messages[2], 0)
	if err != nil {
		o.t.Fatal(err)
	}
	if a.Anonymous {
		return
	}
	key, err := a.Key(ntlm.NTHash(o.password), challenge.ServerChallenge)
	if err != nil {
		o.t.Fatalf("%s\\%s: %v", a.Domain, a.User, err)
	}
	if mic := ntlm.HandshakeMIC(key, c.messages[0], c.messages[1], c.messages[2]); a.MIC != nil && string(mic[:]) != string(a.MIC) {
		o.t.Errorf("MIC of %s is %x, computed %x", a.User, a.MIC, mic)
	}
	for dir, side := range []ntlm.Side{rpcparse.ClientToServer: ntlm.FromClient, rpcparse.ServerToClient: ntlm.FromServer} {
		if c.streams[dir], err = ntlm.NewStream(key, a.Flags, side); err != nil {
			o.t.Fatal(err)
		}
	}
}

func (o *observer) verify(p *capture.PDU, v rpcparse.Verifier, body int) {
	c := o.contexts[v.ContextID]
	if v.Level <= rpcparse.LevelConnect || c == nil || c.streams[p.Dir] == nil {
		return
	}
	if err := c.streams[p.Dir].Unprotect(p.Bytes, body, v.Offset, v.Level == rpcparse.LevelPrivacy); err != nil {
		o.t.Errorf("frame %d: %v", p.Frame, err)
	}
	o.verified++
}
