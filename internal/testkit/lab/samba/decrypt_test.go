//go:build lab

package samba

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestTsharkDecryptsBothSides: with the same keytab tshark reads every sealed PDU before and behind the proxy, those that
// were protected again among them.
func TestTsharkDecryptsBothSides(t *testing.T) {
	samba := lab.StartSamba(t)
	proxy := keyedProxy(t, samba, "127.0.20.61")
	for _, etype := range []string{"aes256", "aes128", "rc4"} {
		t.Run(etype, func(t *testing.T) {
			client := lab.StartSambaClient(t, samba)
			l := lab.SambaLogin{Address: proxy.Front, Auth: "kerberos", SPNEGO: true, Level: "privacy", Etype: etype, User: lab.Alice}
			capture := lab.StartCapture(t, "tcp and (host "+proxy.Front+" or host "+samba.Address+")")
			lab.Expect(t, "connect", client.Connect("c", l))
			var handle string
			for range keysLimit {
				handle = lab.Expect(t, "bind", client.Bind("c")).Handle
			}
			lab.ExpectLogonFailed(t, client.Bind("c"))
			for range 5 {
				lab.Expect(t, "call", client.Echo("c", 100))
			}
			lab.Expect(t, "unbind", client.Unbind("c", handle))
			lab.Expect(t, "bind", client.Bind("c"))
			lab.Expect(t, "close", client.Close("c"))
			capture.Stop(t)
			checkDecrypted(t, samba, proxy, capture.File)
		})
	}
}

func checkDecrypted(t *testing.T, samba *lab.Samba, proxy *lab.Proxy, file string) {
	t.Helper()
	front, back, refused := 0, 0, map[string]int{}
	for _, row := range decrypt(t, file, samba.MachineKeytab()) {
		src, dst, payload, status := row[0], row[1], row[2], row[3]
		if payload == "" {
			t.Errorf("%s to %s: tshark cannot read a PDU", src, dst)
		}
		side := "behind"
		if src == proxy.Front || dst == proxy.Front {
			side = "before"
			front++
		} else {
			back++
		}
		if status == "0x80040111" {
			refused[side]++
		}
	}
	const calls = keysLimit + 5 + 2 // that the server answers
	if back != 2*calls || front != back+2 {
		t.Errorf("%d PDUs before the proxy and %d behind it, want %d, and two more before: a refused bind and its answer", front, back, 2*calls)
	}
	if refused["before"] != 1 || refused["behind"] != 0 {
		t.Errorf("MAPI_E_LOGON_FAILED was seen %v, want once, before the proxy", refused)
	}
}

// decrypt returns source, destination, whether the stub was read, and the method's status, of every sealed request and
// response.
func decrypt(t *testing.T, file, keytab string) (rows [][]string) {
	t.Helper()
	out, err := exec.Command("tshark", "-r", file, "-o", "kerberos.file:"+keytab, "-o", "kerberos.decrypt:TRUE",
		"-Y", "dcerpc.auth_level == 6 && (dcerpc.pkt_type == 0 || dcerpc.pkt_type == 2)", "-T", "fields",
		"-e", "ip.src", "-e", "ip.dst", "-e", "dcerpc.payload_stub_data", "-e", "nspi.MAPISTATUS_status").Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(row) != 4 || net.ParseIP(row[0]) == nil {
			t.Fatalf("tshark prints %q", line)
		}
		rows = append(rows, row)
	}
	return rows
}
