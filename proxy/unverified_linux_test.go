package proxy

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// sendAltered sends an NspiBind with one bit flipped after it was signed.
func sendAltered(t *testing.T, c *client.Conn) {
	t.Helper()
	pdus, _, err := c.Encode(client.Request{Opnum: nspi.OpnumBind, Stub: c.BindRequest()})
	if err != nil || len(pdus) != 1 {
		t.Fatal(len(pdus), err)
	}
	pdus[0][40] ^= 1 // in the stub, which begins at 24
	if err := c.Write(pdus[0]); err != nil {
		t.Fatal(err)
	}
}

// protectedLevels are those with signatures.
var protectedLevels = []rpcparse.AuthLevel{rpcparse.LevelPacket, rpcparse.LevelIntegrity, rpcparse.LevelPrivacy}

// TestUnverifiedPDUIsTheServersToJudge: as long as the proxy has changed nothing
// it is no party, so the server sees what the client, or whoever is in between,
// has sent, and gives its own answer.
func TestUnverifiedPDUIsTheServersToJudge(t *testing.T) {
	for _, level := range protectedLevels {
		t.Run(level.String(), func(t *testing.T) {
			s := keyedStage(t)
			c := s.dial(withEcho(as(level)))
			exercise(t, c, 3)
			sendAltered(t, c)
			pdu, h, err := c.ReadPDU()
			if err != nil || h.Type != rpcparse.PTypeFault {
				t.Fatalf("%v %x, %v; want the server's fault", h.Type, pdu, err)
			}
			f, err := rpcparse.ParseFault(pdu)
			if err != nil || f.Status != rpcparse.StatusSecPkgError && f.Status != rpcparse.StatusAccessDenied {
				t.Errorf("fault %s, %v", rpcparse.StatusName(f.Status), err)
			}
			if n := len(s.log.events("connection.violation")); n != 0 {
				t.Errorf("the proxy has ended %d connections", n)
			}
			s.wantSessions(0)
		})
	}
}

// TestUnverifiedPDUEndsAConnectionThatIsProtectedAgain: there the proxy would
// have to put its own signature on what somebody has altered.
func TestUnverifiedPDUEndsAConnectionThatIsProtectedAgain(t *testing.T) {
	for _, level := range protectedLevels {
		t.Run(level.String(), func(t *testing.T) {
			s := keyedStage(t)
			c := s.dial(withEcho(as(level)))
			fill(t, c)
			if _, err := c.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
				t.Fatalf("over the limit: %v", err)
			}
			exercise(t, c, 3)
			calls := s.dc.Requests()
			sendAltered(t, c)
			for {
				_, h, err := c.ReadPDU()
				if err != nil {
					break
				}
				if h.Type != rpcparse.PTypeFault {
					t.Errorf("%v after an altered PDU", h.Type)
				}
			}
			s.wantSessions(0)
			if after := s.dc.Requests(); after[nspi.OpnumBind] != calls[nspi.OpnumBind] || after[simdc.EchoOpnum] != calls[simdc.EchoOpnum] {
				t.Errorf("the altered PDU reached the domain controller: %v, then %v", calls, after)
			}
		})
	}
}
