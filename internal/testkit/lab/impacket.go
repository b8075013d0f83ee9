package lab

import (
	"bufio"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/module"
)

// Impacket is a process that runs testdata/lab/impacket_nspi.py: a real client of NSPI and RFRI with any number of
// connections, each under a name. Its methods do not fail the test on a refusal: that is what most tests are about.
type Impacket struct {
	*Process
	t       testing.TB
	in      io.WriteCloser
	answers chan Answer
}

// Login says where and how a connection binds.
type Login struct {
	Address  string `json:"address"`
	Port     int    `json:"port,omitempty"`   // 0: ask the endpoint mapper
	Auth     string `json:"auth,omitempty"`   // none (default), ntlm, spnego-ntlm
	Level    string `json:"level,omitempty"`  // none (default), connect, integrity, privacy
	Syntax   string `json:"syntax,omitempty"` // ndr (default), ndr64
	Domain   string `json:"domain,omitempty"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	Group    uint32 `json:"group,omitempty"` // the association to join

	Interface string `json:"interface,omitempty"` // nspi (default), rfri
}

// Kinds of failed answers, as the script tells them apart.
const (
	KindStatus = "status" // the method returned an error code
	KindFault  = "fault"  // a fault PDU
	KindNak    = "nak"    // a bind_nak
	KindClosed = "closed" // the connection ended
)

// Answer is what the client saw of one operation. Fields that the operation does not have are zero.
type Answer struct {
	OK     bool   `json:"ok"`
	Kind   string `json:"kind"`
	Status uint32 `json:"status"` // the method's return value, or a fault's status
	Name   string `json:"name"`   // the name that Impacket has for Status
	Text   string `json:"text"`   // Impacket's own words

	Port   int    `json:"port"`
	Group  uint32 `json:"group"`  // the association that the server named
	Local  string `json:"local"`  // the client's end of the connection
	Handle string `json:"handle"` // the context handle in hex
	Rows   int    `json:"rows"`
	Tables int    `json:"tables"`
	Size   int    `json:"size"`
	Echoed bool   `json:"echoed"` // the answer to Call has the stub that was sent
	Server string `json:"server"` // that RfrGetNewDSA names
	FQDN   string `json:"fqdn"`   // that RfrGetFQDNFromServerDN names
	Stub   string `json:"stub"`   // of the response, in hex
}

// AnswerTime is longer than the script's own time-out, so that its explanation arrives first.
const AnswerTime = 30 * time.Second

// StartImpacket starts a client process without connections.
func StartImpacket(t testing.TB) *Impacket { t.Helper(); return StartImpacketOn(t, nil) }

// StartImpacketOn starts one on a machine.
func StartImpacketOn(t testing.TB, on *Machine) *Impacket {
	t.Helper()
	script := module.Path(t, "testdata", "lab", "impacket_nspi.py")
	cmd := on.command("/usr/bin/python3", script) // Debian's own: another one in PATH has no Impacket
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	cmd.Stdout = w
	i := &Impacket{t: t, in: in, answers: make(chan Answer)}
	i.Process = start(t, "impacket", cmd)
	go i.read(r)
	t.Cleanup(func() { _ = w.Close() })
	return i
}

// ReportTo makes t the test that fails when the process does not answer: a subtest of the one that started it.
func (i *Impacket) ReportTo(t testing.TB) { i.t = t }

func (i *Impacket) read(r io.Reader) {
	defer close(i.answers)
	for s := bufio.NewScanner(r); s.Scan(); {
		var a Answer
		if err := json.Unmarshal(s.Bytes(), &a); err != nil {
			i.t.Errorf("impacket says %q: %v", s.Text(), err)
			return
		}
		i.answers <- a
	}
}

// do sends one operation on connection conn and returns its answer.
func (i *Impacket) do(op, conn string, arguments any) Answer {
	i.t.Helper()
	request := map[string]any{}
	if arguments != nil {
		text, err := json.Marshal(arguments)
		if err != nil {
			i.t.Fatal(err)
		}
		if err := json.Unmarshal(text, &request); err != nil {
			i.t.Fatal(err)
		}
	}
	request["op"], request["conn"] = op, conn
	line, err := json.Marshal(request)
	if err != nil {
		i.t.Fatal(err)
	}
	if _, err := i.in.Write(append(line, '\n')); err != nil {
		i.t.Fatalf("impacket %s: %v", op, err)
	}
	select {
	case a, ok := <-i.answers:
		if !ok {
			i.t.Fatalf("impacket ended at %s", line)
		}
		return a
	case <-time.After(AnswerTime):
		i.t.Fatalf("impacket has not answered %s", line)
		return Answer{}
	}
}

// Connect opens a connection and binds it to the interface.
func (i *Impacket) Connect(conn string, l Login) Answer { return i.do("connect", conn, l) }

// Bind is NspiBind; the answer has the handle.
func (i *Impacket) Bind(conn string) Answer { return i.do("bind", conn, nil) }

// Query is NspiGetSpecialTable and NspiQueryRows.
func (i *Impacket) Query(conn, handle string) Answer {
	return i.do("query", conn, map[string]any{"handle": handle})
}

// Unbind is NspiUnbind; Status 1 is its success.
func (i *Impacket) Unbind(conn, handle string) Answer {
	return i.do("unbind", conn, map[string]any{"handle": handle})
}

// Call is any other call, with a stub of size bytes; the answer's Size is how many came back.
func (i *Impacket) Call(conn string, opnum, size int) Answer {
	return i.do("call", conn, map[string]any{"opnum": opnum, "size": size})
}

// AlterContext goes on with a new presentation context and a new security context on the same connection.
func (i *Impacket) AlterContext(conn string) Answer { return i.do("alter_context", conn, nil) }

// AlterTo is AlterContext to another interface: nspi or rfri.
func (i *Impacket) AlterTo(conn, iface string) Answer {
	return i.do("alter_context", conn, map[string]any{"interface": iface})
}

// Refer asks which servers to use, with RfrGetNewDSA and RfrGetFQDNFromServerDN; the connection is one of the referral
// interface.
func (i *Impacket) Refer(conn string) Answer {
	return i.do("refer", conn, map[string]any{"user_dn": "/o=LAB/ou=lab/cn=Recipients/cn=alice", "server_dn": "/o=LAB/ou=lab/cn=Servers/cn=mailboxes"})
}

// Close ends a connection, with a reset instead of an orderly end when reset is true.
func (i *Impacket) Close(conn string, reset bool) Answer {
	return i.do("close", conn, map[string]any{"reset": reset})
}
