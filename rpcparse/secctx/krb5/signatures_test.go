package krb5_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// captured names captures with Kerberos and their keytabs, and how many
// signatures they hold, those of mechanism lists included. Paths are below
// [captures.Folder].
var captured = []struct {
	file, keytab string
	signatures   int
}{
	{"public/wireshark-wiki-samples/win2k19-joined.pcap", "public/wireshark-wiki-samples/acme.keytab", 38},
	{"public/scapy/dcerpc_privacy_krb.pcapng", "public/scapy/dcerpc_privacy_krb.keytab", 14},
	{"samba/drsuapi_krb5_seal_getnc.pcap", labKeytab, 122},
	{"samba/nspi_krb_seal_krb5.pcap", labKeytab, 34},
	{"samba/nspi_krb_seal_spnego.pcap", labKeytab, 36},
	{"samba/nspi_krb_sign_krb5_rc4.pcap", labKeytab, 18},
	{"samba/raw_spnego_integrity.pcap", labKeytab, 27},
	{"samba/rpcclient_krb5_sign.pcap", labKeytab, 14},
	{"samba/rpcclient_spnegokrb5_seal.pcap", labKeytab, 16},
	{"samba/samr_krb5_seal_aes128.pcap", labKeytab, 14},
	{"samba/samr_krb5_seal_bigendian.pcap", labKeytab, 14},
	{"samba/samr_krb5_seal_rc4.pcap", labKeytab, 14},
	{"samba/samr_krb5_sign_aes256.pcap", labKeytab, 14},
	{"samba/samr_spnego_krb5_sign_aes256.pcap", labKeytab, 16},
}

const labKeytab = "samba/lab-test.all.keytab"

func TestSignaturesOfRealPeersVerify(t *testing.T) {
	for _, tc := range captured {
		t.Run(filepath.Base(tc.file), func(t *testing.T) {
			if n := observe(t, captures.Named(t, tc.file), captures.Keytab(t, tc.keytab)); n != tc.signatures {
				t.Errorf("%d signatures, want %d", n, tc.signatures)
			}
		})
	}
}

// observe verifies all PDUs of a capture and returns how many had signatures.
func observe(t *testing.T, file captures.File, keys *krb5.Keytab) (verified int) {
	for _, c := range file.Conversations(t) {
		o := &observer{t: t, keys: keys, contexts: make(map[uint32]*observed), signHeader: true}
		for _, p := range c.PDUs {
			o.pdu(p)
		}
		verified += o.verified
	}
	return verified
}

// observer derives the keys of the security contexts of one connection as a
// bystander with the keytab can, and verifies every PDU.
type observer struct {
	t        *testing.T
	keys     *krb5.Keytab
	contexts map[uint32]*observed
	verified int

	signAsked  bool
	signHeader bool // also if the bind was not captured: Windows agrees on it
}

type observed struct {
	initiated *krb5.Initiated
	mechList  []byte
	streams   [2]*krb5.Stream // by direction
}

func (o *observer) pdu(p *capture.PDU) {
	headerSign := p.Header.Flags.Has(rpcparse.FlagSupportHeaderSign)
	switch p.Header.Type {
	case rpcparse.PTypeBind:
		o.signHeader = false
		o.signAsked = o.signAsked || headerSign
	case rpcparse.PTypeAlterContext:
		o.signAsked = o.signAsked || headerSign
	case rpcparse.PTypeBindAck, rpcparse.PTypeAlterContextResp:
		o.signHeader = o.signHeader || o.signAsked && headerSign
	}
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
	if mech, inner, ok := spnego.Unwrap(v.Token); ok && mech == spnego.MechKerberos {
		o.message(c, inner, dir)
	}
	token, err := spnego.Parse(v.Token)
	if err != nil {
		return
	}
	if token.Init {
		c.mechList = token.MechTypeList
	}
	if token.ListMIC != nil && c.streams[dir] != nil {
		if err := c.streams[dir].VerifyMIC(c.mechList, token.ListMIC); err != nil {
			o.t.Errorf("mechListMIC: %v", err)
		}
		o.verified++
	}
}

// message takes an AP-REQ, or the AP-REP that gives the keys.
func (o *observer) message(c *observed, message []byte, dir rpcparse.Direction) {
	if dir == rpcparse.ClientToServer {
		if c.initiated == nil {
			c.initiated, _ = krb5.OpenAPReq(message, o.keys.Service(""))
		}
		return
	}
	if c.initiated == nil || c.streams[0] != nil {
		return
	}
	e, err := c.initiated.OpenAPRep(message)
	if err != nil {
		o.t.Error(err)
		return
	}
	k := e.Keys()
	for dir, from := range []krb5.Role{rpcparse.ClientToServer: krb5.Initiator, rpcparse.ServerToClient: krb5.Acceptor} {
		number := uint64(k.InitiatorSequence)
		if from == krb5.Acceptor {
			number = uint64(k.AcceptorSequence)
		}
		if c.streams[dir], err = krb5.NewStream(k.Key, from, k.AcceptorSubkey, number); err != nil {
			o.t.Fatal(err)
		}
	}
}

// verify unprotects a PDU, and then protects it again: it keeps its size, and
// its receiver takes it.
func (o *observer) verify(p *capture.PDU, v rpcparse.Verifier, body int) {
	c := o.contexts[v.ContextID]
	if v.Level <= rpcparse.LevelConnect || c == nil || c.streams[p.Dir] == nil {
		return
	}
	s, seal := c.streams[p.Dir], v.Level == rpcparse.LevelPrivacy
	s.SetHeaderSigning(o.signHeader)
	again, receiver := s.Clone(), s.Clone()
	o.verified++
	if err := s.Unprotect(p.Bytes, body, v.Offset, seal); err != nil {
		o.t.Errorf("frame %d: %v", p.Frame, err)
		return
	}
	plain := bytes.Clone(p.Bytes[:v.Offset])
	if err := again.Protect(p.Bytes, body, v.Offset, seal); err != nil {
		o.t.Errorf("frame %d: %v", p.Frame, err)
	}
	if err := receiver.Unprotect(p.Bytes, body, v.Offset, seal); err != nil || !bytes.Equal(p.Bytes[:v.Offset], plain) {
		o.t.Errorf("frame %d, protected again: %v", p.Frame, err)
	}
}
