package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// SambaClient is a process that runs testdata/lab/samba-nspi/client.c: Samba's client runtime with any number of
// connections, each under a name. Its methods do not fail the test on a refusal: that is what most tests are about.
type SambaClient struct {
	*Process
	t       testing.TB
	samba   *Samba
	in      io.WriteCloser
	answers chan Answer
}

// Kinds of failed answers that only this client has.
const (
	KindClient = "client" // the runtime did not like what it got, such as a signature
	KindWrong  = "wrong"  // an answer that verified, and is not what was asked for
)

// SambaLogin says where and how a connection binds.
type SambaLogin struct {
	Address   string
	Port      int    // 0: ask the endpoint mapper
	Auth      string // none (default), ntlm, kerberos
	SPNEGO    bool   // negotiate the mechanism instead of using it raw
	Level     string // connect, packet, integrity, privacy
	BigEndian bool
	Etype     string // of Kerberos' session key: aes256, aes128, rc4; the KDC's choice when empty. The process's first one stays
	User      User
	Group     uint32 // the association to join
	Referral  bool   // bind the referral interface instead of NSPI
}

// StartSambaClient starts a client process without connections, of the domain of samba. Its Kerberos reads its
// configuration once: a test that wants several types of session key starts several processes.
func StartSambaClient(t testing.TB, samba *Samba) *SambaClient {
	t.Helper()
	return StartSambaClientOn(t, nil, samba)
}

// StartSambaClientOn starts one on a machine.
func StartSambaClientOn(t testing.TB, on *Machine, samba *Samba) *SambaClient {
	t.Helper()
	cmd := on.command(filepath.Join(labFolder(), "bin", "nspi-client"), samba.File("smb.conf"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	cmd.Stdout = w
	c := &SambaClient{t: t, samba: samba, in: in, answers: make(chan Answer)}
	c.Process = start(t, "nspi-client", cmd)
	go c.read(r)
	t.Cleanup(func() { _ = w.Close() })
	return c
}

// ReportTo makes t the test that fails when the process does not answer: a subtest of the one that started it.
func (c *SambaClient) ReportTo(t testing.TB) { c.t = t }

func (c *SambaClient) read(r io.Reader) {
	defer close(c.answers)
	for s := bufio.NewScanner(r); s.Scan(); {
		var a Answer
		if err := json.Unmarshal(s.Bytes(), &a); err != nil {
			c.t.Errorf("nspi-client says %q: %v", s.Text(), err)
			return
		}
		c.answers <- a
	}
}

// sambaAnswerTime is longer than the client's own time-out, so that its explanation arrives first.
const sambaAnswerTime = 90 * time.Second

// do sends one operation on connection conn, with words of the form key=value, and returns its answer.
func (c *SambaClient) do(op, conn string, words ...string) Answer {
	c.t.Helper()
	line := strings.Join(append([]string{op, conn}, words...), "\t")
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatalf("nspi-client %s: %v", op, err)
	}
	select {
	case a, ok := <-c.answers:
		if !ok {
			c.t.Fatalf("nspi-client ended at %q", line)
		}
		return a
	case <-time.After(sambaAnswerTime):
		c.t.Fatalf("nspi-client has not answered %q", line)
		return Answer{}
	}
}

// Connect opens a connection and binds it to the interface; the answer has the association.
func (c *SambaClient) Connect(conn string, l SambaLogin) Answer {
	c.t.Helper()
	auth := l.Auth
	if auth == "" {
		auth = "none"
	}
	config := "krb5.conf"
	if l.Etype != "" {
		config = "krb5-" + l.Etype + ".conf"
	}
	words := []string{"binding=" + l.binding(), "auth=" + auth, "mux=1", "domain=" + Domain, "realm=" + SambaRealm,
		"user=" + l.User.Name, "password=" + l.User.Password, "krb5_config=" + c.samba.File(config)}
	if l.Referral {
		words = append(words, "interface=rfri")
	}
	return c.do("connect", conn, words...)
}

// Samba's words for levels and mechanisms in a binding string.
var (
	sambaLevels     = map[string]string{"connect": "connect", "packet": "packet", "integrity": "sign", "privacy": "seal"}
	sambaMechanisms = map[string]string{"ntlm": "ntlm", "kerberos": "krb5"}
)

// binding writes the login as Samba does: ncacn_ip_tcp:127.0.20.1[seal,krb5,target_hostname=dc1.lab.test].
func (l SambaLogin) binding() string {
	options := []string{"target_hostname=" + SambaHost} // the ticket is for it, whatever the address
	if l.Port != 0 {
		options = append([]string{strconv.Itoa(l.Port)}, options...) // by its place
	}
	if l.Auth != "" {
		mechanism := sambaMechanisms[l.Auth]
		if l.SPNEGO {
			mechanism = "spnego"
		}
		options = append(options, sambaLevels[l.Level], mechanism)
	}
	if l.BigEndian {
		options = append(options, "bigendian")
	}
	if l.Group != 0 {
		options = append(options, fmt.Sprintf("assoc_group_id=0x%08x", l.Group))
	}
	return fmt.Sprintf("ncacn_ip_tcp:%s[%s]", l.Address, strings.Join(options, ","))
}

// Bind is NspiBind; the answer has the handle.
func (c *SambaClient) Bind(conn string) Answer { c.t.Helper(); return c.do("bind", conn, "guid=1") }

// BindWithoutGUID is NspiBind by a client that does not want the server's GUID: every stub is 16 bytes shorter.
func (c *SambaClient) BindWithoutGUID(conn string) Answer { c.t.Helper(); return c.do("bind", conn) }

// Unbind is NspiUnbind; Status 1 is its success. The handle goes as it is, so it must be in the byte order of the client.
func (c *SambaClient) Unbind(conn, handle string) Answer {
	c.t.Helper()
	return c.do("unbind", conn, "handle="+handle)
}

// Echo makes a call for each size, all sent before the first answer is waited for. The server sends every stub back, and
// the client compares. The answer's Size is how many bytes came back in all.
func (c *SambaClient) Echo(conn string, sizes ...int) Answer {
	c.t.Helper()
	var words []string
	for _, size := range sizes {
		words = append(words, strconv.Itoa(size))
	}
	return c.do("echo", conn, "sizes="+strings.Join(words, ","))
}

// Refer calls a method of the referral interface with the stub that the server is to answer with, for it sends stubs back.
// The answer has the stub that came.
func (c *SambaClient) Refer(conn string, opnum uint16, stub []byte) Answer {
	c.t.Helper()
	return c.do("refer", conn, fmt.Sprint("opnum=", opnum), fmt.Sprintf("stub=%x", stub))
}

// Close ends a connection.
func (c *SambaClient) Close(conn string) Answer { c.t.Helper(); return c.do("close", conn) }
