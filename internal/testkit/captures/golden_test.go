package captures_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/captures"
	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

var update = flag.Bool("update", false, "record the golden conversations anew")

// record holds one of the scenarios and returns the capture of it.
func record(t *testing.T, hold func(*stage)) []byte {
	t.Helper()
	dc, err := simdc.Start(simdc.Config{
		Users: []simdc.User{{Name: captures.GoldenUser, Password: captures.GoldenPassword}}, AnonymousBind: true, Limit: 4, MorePorts: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer dc.Close()
	r := &recorder{}
	s := &stage{t: t, nspi: r.tap(t, dc.NSPIAddr()), epm: r.tap(t, dc.EPMAddr())}
	hold(s)
	s.closeAll()
	return r.file()
}

// TestGoldenConversationsAreWhatIsSaidToday holds the scenarios again: each side sends the same PDUs as in the file. With
// -update the files are written anew.
func TestGoldenConversationsAreWhatIsSaidToday(t *testing.T) {
	for name, hold := range scenarios {
		t.Run(name, func(t *testing.T) {
			stored := module.Path(t, "testdata", "conversations", name+".pcap")
			path := stored
			if !*update {
				path = filepath.Join(t.TempDir(), "now.pcap")
			}
			if err := os.WriteFile(path, record(t, hold), 0o644); err != nil {
				t.Fatal(err)
			}
			was, is := shape(t, stored), shape(t, path)
			if !slices.Equal(was, is) {
				t.Errorf("stored:\n%q\nsaid today:\n%q", was, is)
			}
		})
	}
}

// shape is what each side of every connection sends: types, flags, call ids and lengths, but not in which order answers
// that overtake each other come.
func shape(t *testing.T, path string) (all []string) {
	t.Helper()
	for n, c := range (captures.File{Name: filepath.Base(path), Path: path}).Conversations(t) {
		var client, server []string
		for _, p := range c.PDUs {
			text := fmt.Sprintf("%d %v %v %s call %d, %d bytes", n, p.Dir, p.Header.Type, p.Header.Flags, p.Header.CallID, p.Header.FragLength)
			if p.Dir == rpcparse.ClientToServer {
				client = append(client, text)
			} else {
				server = append(server, text)
			}
		}
		slices.Sort(server)
		all = append(append(all, client...), server...)
	}
	return all
}

func TestGoldenConversationsAreWholeAndCanBeFollowed(t *testing.T) {
	names := map[string]bool{}
	for c := range captures.Golden(t) {
		names[filepath.Base(c.Name)] = true
		if !c.Whole() {
			t.Errorf("%s stream %d is not whole", c.Name, c.Stream)
		}
		if err := follow(c); err != nil {
			t.Errorf("%s stream %d: %v", c.Name, c.Stream, err)
		}
	}
	for name := range scenarios {
		if !names[name+".pcap"] {
			t.Errorf("%s is not recorded: run the test with -update", name)
		}
	}
	if len(names) != len(scenarios) {
		t.Errorf("%d files for %d scenarios: one is left of an earlier time", len(names), len(scenarios))
	}
}

// follow follows a conversation with its keys. A handshake that the server accepted must have led to a key.
func follow(c captures.Conversation) error {
	var handshakes []*secctx.Handshake
	conv := rpcparse.NewConversation(rpcparse.ConversationOptions{NewFollower: func(*rpcparse.SecurityContext) rpcparse.TokenFollower {
		handshakes = append(handshakes, secctx.NewHandshake(c.Keys))
		return handshakes[len(handshakes)-1]
	}})
	for _, p := range c.PDUs {
		var pdu rpcparse.PDU
		pdu.Parse(p.Header, p.Bytes)
		if _, err := conv.Follow(p.Dir, &pdu, nil); err != nil {
			return fmt.Errorf("frame %d: %w", p.Frame, err)
		}
	}
	for _, h := range handshakes {
		if r := h.Outcome().Result; r != secctx.KeyFound && c.Name != "testdata/conversations/refused.pcap" {
			return errors.New("handshake: " + r.String())
		}
	}
	return nil
}
