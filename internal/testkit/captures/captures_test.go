package captures_test

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

func TestConversationsHaveEveryPDUOnce(t *testing.T) {
	for _, f := range captures.Files(t) {
		pdus, in := 0, 0
		for range f.PDUs(t) {
			pdus++
		}
		for _, c := range f.Conversations(t) {
			in += len(c.PDUs)
			for _, p := range c.PDUs {
				if p.Connection.Client != c.Client || p.Connection.Server != c.Server || len(p.Bytes)+p.Cut != int(p.Header.FragLength) {
					t.Errorf("%s frame %d is not a PDU of %s -> %s", c.Name, p.Frame, c.Client, c.Server)
				}
			}
		}
		if pdus != in {
			t.Errorf("%s: %d PDUs, %d of them in conversations", f.Name, pdus, in)
		}
	}
}

// withoutKeys are captures whose secrets are known and yet open nothing.
var withoutKeys = map[string]string{
	"public/wireshark-wiki-samples/ntlmssp__ntlm_rpc.pcapng": "NTLMv1 with extended session security",
	"samba/epm_lookup_anon.pcap":                             "no client authenticates",
	"samba/raw_alter_no_auth.pcap":                           "no client authenticates",
}

func TestKeysFitTheCapturesTheyBelongTo(t *testing.T) {
	for _, f := range captures.Files(t) {
		found := 0
		for _, c := range f.Conversations(t) {
			found += keysFound(c)
		}
		k := f.Keys(t)
		secret := k.Kerberos() != nil || len(k.NTHashes("", "")) > 0
		if want := secret && withoutKeys[f.Name] == ""; (found > 0) != want {
			t.Errorf("%s: %d security contexts have keys, some should: %t", f.Name, found, want)
		}
	}
}

// keysFound follows a conversation and returns how many of its security contexts have keys.
func keysFound(c captures.Conversation) (found int) {
	var handshakes []*secctx.Handshake
	conv := rpcparse.NewConversation(rpcparse.ConversationOptions{FollowAll: true, MidStream: true,
		NewFollower: func(*rpcparse.SecurityContext) rpcparse.TokenFollower {
			handshakes = append(handshakes, secctx.NewHandshake(c.Keys))
			return handshakes[len(handshakes)-1]
		}})
	for _, p := range c.PDUs {
		var pdu rpcparse.PDU
		pdu.Parse(p.Header, p.Bytes)
		_, _ = conv.Follow(p.Dir, &pdu, nil) // its errors are the subject of other tests
	}
	for _, h := range handshakes {
		if h.Outcome().Result == secctx.KeyFound {
			found++
		}
	}
	return found
}

func TestConversationsWithGapsAreNotWhole(t *testing.T) {
	whole := 0
	for c := range captures.All(t) {
		switch c.Name {
		case "public/suricata-verify/dcerpc__dce-gap-handling__input.pcap", "public/suricata-verify/bug-6191__input.pcap":
			if c.Whole() {
				t.Errorf("%s stream %d is whole, and has a gap or no beginning", c.Name, c.Stream)
			}
		default:
			if c.Whole() {
				whole++
			}
		}
	}
	if whole == 0 {
		t.Error("no conversation is whole")
	}
}
