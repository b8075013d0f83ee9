package krb5

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

const nameAPReq = "ap_req"

// protocolVersion of Kerberos messages and tickets (RFC 4120 5.3, 5.5.1).
const protocolVersion = 5

// Message types (RFC 4120 7.5.7).
const (
	typeAPReq = 14
	typeAPRep = 15
)

// Bits of ap-options (RFC 4120 5.5.1).
const (
	// useSessionKey: the ticket is encrypted in the session key of a ticket of the
	// server's, not in its long-term key.
	useSessionKey = 1
	// mutualRequired: the client wants an AP-REP.
	mutualRequired = 2
)

// Initiated is what an AP-REQ tells who holds the service's key: the first leg
// of a handshake. Its names are of a client with a valid ticket; that the
// message is no replay and not out of date only the server's answer proves.
type Initiated struct {
	Client   string    // cname@crealm of the ticket; the PAC may name another, who is impersonated
	Service  string    // principal of the ticket, as the client sent it
	AuthTime time.Time // when the client proved who it is to the KDC
	EndTime  time.Time // when the ticket ends

	Flags    uint32    // GSS flags of RFC 4121 4.1.1.1, or those that a server assumes
	Sequence uint32    // number of the client's first message
	Time     time.Time // the client's clock, with microseconds; client, time and ReplayID are what a replay cache keeps

	// ReplayID is the SHA-256 of the encrypted authenticator. Unlike the bytes
	// around it, nobody without the session key can alter it, so a replayed
	// AP-REQ has that of the first.
	ReplayID [sha256.Size]byte

	// PAC is what the KDC vouches for, its signature verified; nil when the
	// ticket has none or PACErr says why it is not trusted.
	PAC    *PAC
	PACErr error

	// Protection says why PDUs of this context cannot be read and protected, though
	// the ticket tells whose they are. nil: they can.
	Protection error

	account account   // that has the key which opened the ticket
	clocked bool      // the authenticator was read: ctime and cusec are the client's
	ctime   time.Time // seconds, as the AP-REP repeats them
	cusec   int
	session sealed
	subkey  sealed // nil: none
}

// DCEStyle reports whether the handshake has a third leg, without which servers
// accept nothing (MS-KILE 3.4.5.1). Where that cannot be read it is assumed.
func (in *Initiated) DCEStyle() bool { return in.Flags&FlagDCEStyle != 0 }

// Mutual reports whether the server answers with an AP-REP if it accepts the
// ticket. DCE style implies it: some clients of Windows set only that.
func (in *Initiated) Mutual() bool { return in.Flags&(FlagMutual|FlagDCEStyle) != 0 }

// String names client and service.
func (in *Initiated) String() string {
	return fmt.Sprintf("AP-REQ of %q for %q", in.Client, in.Service)
}

// Format prints the same whatever the verb.
func (in *Initiated) Format(s fmt.State, _ rune) {
	_, _ = s.Write([]byte(in.String()))
}

// request is what is in clear in an AP-REQ.
type request struct {
	realm                 string
	service               []string // components of the ticket's sname
	userToUser, mutual    bool
	ticket, authenticator types.EncryptedData // slices of the token
}

// OpenAPReq opens the AP-REQ in token, which may be bare or GSS-framed, with
// the keys of a server's own account. The first return value is nil unless the
// Outcome's result is KeyFound.
//
// Whose the ticket is, it reads as leniently as servers do: nothing but the ticket
// and its PAC is needed for that. What else is needed to protect PDUs is read
// strictly, see [Initiated.Protection].
func OpenAPReq(token []byte, keys *Service) (*Initiated, Outcome) {
	req, err := readAPReq(token)
	if err != nil {
		return nil, Outcome{Result: Malformed, Err: err}
	}
	o := Outcome{
		Service: principal(req.service, req.realm),
		Etype:   req.ticket.EType,
		Kvno:    uint32(req.ticket.KVNO),
	}
	if req.userToUser {
		o.Result = Undecryptable
		o.Err = wire.Errorf(wire.ClassAuth, nameAPReq, 0, "the ticket is user-to-user: no long-term key opens it")
		return nil, o
	}
	plain, entry, err := keys.openTicket(&req)
	if plain == nil {
		return nil, keys.unopened(o, req.realm, req.service, err)
	}
	in, err := initiate(&req, plain, entry)
	if err != nil {
		o.Result, o.Err = Malformed, err
		return nil, o
	}
	in.Service = o.Service
	o.Result, o.Key = KeyFound, entry.String()
	return in, o
}

// readAPReq reads what is in clear.
func readAPReq(token []byte) (r request, err error) {
	b, err := message(token, tagAPReq)
	if err != nil {
		return r, err
	}
	f, err := readFields(b, "AP-REQ", tagAPReq)
	if err != nil {
		return r, err
	}
	t, err := readFields(f[3], "ticket", tagTicket)
	if err != nil {
		return r, err
	}
	if version, of := number(f[0]), number(t[0]); version != protocolVersion || of != protocolVersion || number(f[1]) != typeAPReq {
		return r, wire.Errorf(wire.ClassInvalid, nameAPReq, 0, "versions %d and %d, expected %d, of message type %d, expected %d",
			version, of, protocolVersion, number(f[1]), typeAPReq)
	}
	r.realm, r.service = shown(text(t[1])), readName(t[2]).components()
	r.userToUser, r.mutual = bit(f[2], useSessionKey), bit(f[2], mutualRequired)
	if r.ticket, err = readEncrypted(t[3], "ticket"); err != nil {
		return r, err
	}
	r.authenticator, err = readEncrypted(f[4], nameAuthenticator)
	return r, err
}

// initiate reads the opened ticket, and the authenticator with its session
// key.
func initiate(req *request, plain []byte, service Entry) (*Initiated, error) {
	part, err := readFields(plain, "ticket", tagEncTicketPart)
	if err != nil {
		return nil, err
	}
	realm := shown(text(part[2]))
	in := &Initiated{
		Client:   principal(readName(part[3]).components(), realm),
		AuthTime: moment(part[5]),
		EndTime:  moment(part[7]),
		ReplayID: sha256.Sum256(req.authenticator.Cipher),
		account:  service.computer,
		session:  seal(readKey(part[1])),
	}
	if err := in.takeAuthenticator(req); err != nil {
		return nil, err
	}
	in.PAC, in.PACErr = findPAC(part[10], service.key())
	if in.PAC != nil {
		if err := in.PAC.filter(realm, service.Realm); err != nil {
			in.PAC, in.PACErr = nil, err
		}
	}
	return in, nil
}
