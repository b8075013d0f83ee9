package lab

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Capture is tshark's dumpcap on an interface.
type Capture struct {
	*Process
	File string
	mark func() (net.Conn, error) // makes a socket whose datagrams pass the interface
}

// markPort is the UDP port that nobody listens on, discard by its number, to which the capture's marks are sent.
const markPort = "9"

// StartCapture captures what passes the loopback interface and matches filter (pcap-filter syntax). It returns once
// packets are seen.
func StartCapture(t testing.TB, filter string) *Capture {
	t.Helper()
	return startCapture(t, nil, "lo", filter, func() (net.Conn, error) { return net.Dial("udp", "127.0.0.1:"+markPort) })
}

// StartCaptureOn does so on a machine of a network, on the interface that leads to another one.
func StartCaptureOn(t testing.TB, on, towards *Machine, filter string) *Capture {
	t.Helper()
	device := "eth0"
	if on == on.network.Router {
		device = towards.Name
	}
	return startCapture(t, on, device, filter, func() (net.Conn, error) {
		return on.ns.DialUDP(net.JoinHostPort(towards.Address.String(), markPort))
	})
}

func startCapture(t testing.TB, on *Machine, device, filter string, mark func() (net.Conn, error)) *Capture {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lab.pcapng")
	cmd := on.command("dumpcap", "-q", "-i", device, "-f", "("+filter+") or udp port "+markPort, "-w", file)
	c := &Capture{File: file, Process: start(t, "dumpcap", cmd), mark: mark}
	c.sync(t, "capture begins "+t.Name())
	return c
}

// Stop ends the capture; everything sent before is in File.
func (c *Capture) Stop(t testing.TB) {
	t.Helper()
	c.sync(t, "capture ends "+t.Name())
	c.Process.Stop(t, 10*time.Second)
}

// sync sends a datagram until it is found in the file: packets before it are there, too.
func (c *Capture) sync(t testing.TB, text string) {
	t.Helper()
	conn, err := c.mark()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	Eventually(t, 20*time.Second, "dumpcap writes: "+text, func() bool {
		_, _ = conn.Write([]byte(text)) // the port is closed: every second write reports that
		time.Sleep(50 * time.Millisecond)
		data, err := os.ReadFile(c.File)
		return err == nil && bytes.Contains(data, []byte(text))
	})
}

// Dissect returns fields of every packet of file that matches filter (display filter syntax), one row a packet, one
// text a field; several values of one field are separated by commas.
func Dissect(t testing.TB, file, filter string, fields ...string) [][]string {
	t.Helper()
	return DissectWith(t, nil, file, filter, fields...)
}

// DissectWith does so with options of tshark.
func DissectWith(t testing.TB, options []string, file, filter string, fields ...string) [][]string {
	t.Helper()
	args := append([]string{"-r", file, "-Y", filter, "-T", "fields"}, options...)
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("tshark", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.Bytes())
	}
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows
}

// Complaints returns what tshark finds wrong with the PDUs in file: malformed packets and notes from warning upward.
// What it has to say about TCP itself (group Sequence: resets, retransmissions) is not about us.
func Complaints(t testing.TB, file string) [][]string {
	t.Helper()
	const warning = "0x00600000"
	return Dissect(t, file, `_ws.malformed || (_ws.expert.severity >= `+warning+` && !(_ws.expert.group == "Sequence"))`,
		"frame.number", "tcp.srcport", "dcerpc.pkt_type", "_ws.expert.message")
}

// CheckNoComplaints fails the test for everything that [Complaints] returns.
func CheckNoComplaints(t *testing.T, file string) {
	t.Helper()
	for _, row := range Complaints(t, file) {
		t.Errorf("tshark complains: frame %s from port %s, packet type %s: %s", row[0], row[1], row[2], row[3])
	}
}
