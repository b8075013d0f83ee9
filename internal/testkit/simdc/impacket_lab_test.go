//go:build lab

package simdc_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// impacket is a running testdata/lab/impacket_nspi.py.
type impacket struct {
	t   *testing.T
	in  *json.Encoder
	out *json.Decoder
}

// reply is what the script answers.
type reply struct {
	OK      bool   `json:"ok"`
	Kind    string `json:"kind"`
	Status  uint32 `json:"status"`
	Text    string `json:"text"`
	Handle  string `json:"handle"`
	Tables  int    `json:"tables"`
	Rows    int    `json:"rows"`
	Echoed  bool   `json:"echoed"`
	MaxXmit int    `json:"max_xmit"`
	Server  string `json:"server"`
	FQDN    string `json:"fqdn"`
}

func startImpacket(t *testing.T) *impacket {
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "../../../testdata/lab/impacket_nspi.py")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	return &impacket{t: t, in: json.NewEncoder(in), out: json.NewDecoder(out)}
}

// do sends one request to the connection "a" and returns its answer.
func (i *impacket) do(op string, args map[string]any) reply {
	i.t.Helper()
	request := map[string]any{"op": op, "conn": "a"}
	for k, v := range args {
		request[k] = v
	}
	var r reply
	if err := i.in.Encode(request); err != nil {
		i.t.Fatal(err)
	}
	if err := i.out.Decode(&r); err != nil {
		i.t.Fatal(err)
	}
	return r
}

// Impacket's own NSPI and RFRI clients against the simulation directly: the
// endpoint mapper, bind, both table queries, the limit, unbind; both referrals.
func TestImpacketWorksAgainstTheSimulation(t *testing.T) {
	const address = "127.0.10.13" // the endpoint mapper's port is fixed: an address of our own
	client := startImpacket(t)
	for _, tc := range []struct{ auth, level string }{
		{"none", "none"}, {"ntlm", "connect"}, {"ntlm", "integrity"}, {"ntlm", "privacy"},
		{"spnego-ntlm", "connect"}, {"spnego-ntlm", "integrity"}, {"spnego-ntlm", "privacy"},
	} {
		t.Run(fmt.Sprint(tc.auth, " ", tc.level), func(t *testing.T) {
			dc := start(t, simdc.Config{Address: address, EPMPort: 135, Limit: 2, AnonymousBind: true})
			client.t = t
			must := func(op string, args map[string]any) reply {
				t.Helper()
				r := client.do(op, args)
				if !r.OK {
					t.Fatalf("%s: %+v", op, r)
				}
				return r
			}
			must("connect", map[string]any{"address": address, "auth": tc.auth, "level": tc.level,
				"domain": "LAB", "user": "alice", "password": "Secret.123"})
			h := must("bind", map[string]any{"guid": true})
			if r := must("query", map[string]any{"handle": h.Handle}); r.Tables != 1 || r.Rows != 12 {
				t.Errorf("tables and rows: %+v", r)
			}
			if r := must("call", map[string]any{"opnum": 7, "size": 30_000}); !r.Echoed {
				t.Errorf("fragmented call: %+v", r)
			}
			must("bind", nil)
			if r := client.do("bind", nil); r.Kind != "status" || nspi.Code(r.Status) != nspi.LogonFailed {
				t.Errorf("over the limit: %+v", r)
			}
			if r := must("unbind", map[string]any{"handle": h.Handle}); r.Status != 1 {
				t.Errorf("unbind: %+v", r)
			}
			must("bind", nil)
			must("close", nil)

			must("connect", map[string]any{"address": address, "auth": tc.auth, "level": tc.level, "interface": "rfri",
				"domain": "LAB", "user": "alice", "password": "Secret.123"})
			if r := must("refer", map[string]any{"user_dn": "/o=LAB/cn=alice", "server_dn": "/o=LAB/cn=mailboxes"}); r.Server != "DC1.lab.test" || r.FQDN != r.Server {
				t.Errorf("referred to %q and %q", r.Server, r.FQDN)
			}
			must("close", nil)
			eventually(t, "all sessions are run down", func() bool { return dc.TotalSessions() == 0 })
		})
	}
}
