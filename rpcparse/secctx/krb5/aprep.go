package krb5

import (
	"fmt"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

const nameAPRep = "ap_rep"

// Established is a finished exchange of AP-REQ and AP-REP: all that both ends
// know of their security context.
type Established struct {
	*Initiated
	AcceptorSequence uint32 // number of the server's first message

	acceptor sealed // the server's subkey; nil: none
}

// SessionKeys is what the streams of both directions start from.
type SessionKeys struct {
	Key               Key    // the acceptor's subkey, else the initiator's, else the session key of the ticket
	AcceptorSubkey    bool   // Key is the acceptor's, and tokens say so
	InitiatorSequence uint32 // number of the client's first message
	AcceptorSequence  uint32 // number of the server's first message
}

// String tells the numbers, and of the key the encryption type only.
func (k SessionKeys) String() string {
	return fmt.Sprintf("%s acceptor_subkey=%t initiator=%d acceptor=%d", k.Key, k.AcceptorSubkey, k.InitiatorSequence, k.AcceptorSequence)
}

// Format prints the same whatever the verb.
func (e *Established) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "%s, answered", e.String())
}

// OpenAPRep opens the server's AP-REP, bare or GSS-framed. It is an answer to
// this AP-REQ when the session key opens it and it repeats the client's clock: it
// proves that the server has read the ticket, whatever its subkey is.
func (in *Initiated) OpenAPRep(token []byte) (*Established, error) {
	part, err := in.openPart(token)
	if err != nil {
		return nil, err
	}
	if in.clocked && (!moment(part[0]).Equal(in.ctime) || int(int32(number(part[1]))) != in.cusec) {
		return nil, wire.Errorf(wire.ClassAuth, nameAPRep, 0, "answers another AP-REQ: the client's clock is not repeated")
	}
	e := &Established{Initiated: in, AcceptorSequence: uint32(number(part[3]))}
	if part[2] != nil {
		e.acceptor = seal(readKey(part[2]))
	}
	return e, nil
}

// CheckThirdLeg checks the AP-REP with which the client ends a handshake in
// DCE style: it repeats the server's sequence number. A subkey in it means nothing,
// and some clients put another time into it than into their AP-REQ.
func (e *Established) CheckThirdLeg(token []byte) error {
	part, err := e.openPart(token)
	if err != nil {
		return err
	}
	if n := uint32(number(part[3])); n != e.AcceptorSequence {
		return wire.Errorf(wire.ClassAuth, nameAPRep, 0, "the third leg repeats number %d, the server's is %d", n, e.AcceptorSequence)
	}
	return nil
}

// Keys returns what protects the messages of this context. The key's bytes are
// shared with e: [Established.Wipe] clears them.
func (e *Established) Keys() SessionKeys {
	k := SessionKeys{InitiatorSequence: e.Sequence, AcceptorSequence: e.AcceptorSequence}
	switch {
	case e.acceptor != nil:
		k.Key, k.AcceptorSubkey = e.acceptor(), true
	case e.subkey != nil:
		k.Key = e.subkey()
	default:
		k.Key = e.session()
	}
	return k
}

// Streams returns what protects the messages of each end. Their keys are copies.
// An encryption type that has no tokens gives class state, and keys that cannot be
// used class invalid.
func (e *Established) Streams() (initiator, acceptor *Stream, err error) {
	if e.Protection != nil {
		return nil, nil, e.Protection
	}
	k := e.Keys()
	if err := checkKey(k.Key, "context's key"); err != nil {
		return nil, nil, err
	}
	if initiator, err = NewStream(k.Key, Initiator, k.AcceptorSubkey, uint64(k.InitiatorSequence)); err != nil {
		return nil, nil, err
	}
	acceptor, err = NewStream(k.Key, Acceptor, k.AcceptorSubkey, uint64(k.AcceptorSequence))
	return initiator, acceptor, err
}

// Wipe overwrites the keys of the exchange, when streams have been made of
// them or the context has ended. The keytab's keys stay.
func (e *Established) Wipe() {
	e.acceptor.wipe()
	e.Initiated.Wipe()
}

// Wipe overwrites the session key and the client's subkey.
func (in *Initiated) Wipe() {
	in.session.wipe()
	in.subkey.wipe()
}

// openPart decrypts and reads an AP-REP.
func (in *Initiated) openPart(token []byte) (fields, error) {
	b, err := message(token, tagAPRep)
	if err != nil {
		return fields{}, err
	}
	rep, err := readFields(b, "AP-REP", tagAPRep)
	if err != nil {
		return fields{}, err
	}
	if version, kind := number(rep[0]), number(rep[1]); version != protocolVersion || kind != typeAPRep {
		return fields{}, wire.Errorf(wire.ClassInvalid, nameAPRep, 0, "version %d, expected %d, of message type %d, expected %d", version, protocolVersion, kind, typeAPRep)
	}
	enc, err := readEncrypted(rep[2], "AP-REP")
	if err != nil {
		return fields{}, err
	}
	plain, err := Decrypt(enc, in.session(), keyusage.AP_REP_ENCPART, "AP-REP")
	if err != nil {
		return fields{}, err
	}
	return readFields(plain, "AP-REP", tagEncAPRepPart)
}
