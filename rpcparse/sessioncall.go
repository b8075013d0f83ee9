package rpcparse

import "github.com/nspiproxy/nspiproxy/rpcparse/nspi"

// MaxFollowedStub is how many bytes of a fragmented NspiBind or NspiUnbind
// stub are put together. The largest legitimate one has 64 bytes and a
// verification trailer of 60.
const MaxFollowedStub = 4096

// gather puts the fragments of a small stub together. The result is valid
// until the next fragment of the call.
func (k *Call) gather(part []byte, first, last bool) (stub []byte, whole bool, err error) {
	if first && last {
		return part, true, nil
	}
	if first {
		k.stub = k.stub[:0]
	}
	if len(k.stub)+len(part) > MaxFollowedStub {
		return nil, false, Errorf(ClassLimit, "stub", 24, "%s of more than %d bytes", nspi.OpnumName(k.Opnum), MaxFollowedStub)
	}
	k.stub = append(k.stub, part...)
	return k.stub, last, nil
}

// requested reads the stub of an NspiBind or NspiUnbind request where it can be
// read, and returns what the request means. A stub that cannot be understood is
// the server's to judge: the call is followed all the same.
func (k *Call) requested(stub []byte, o Order) Event {
	e := Event{Kind: EventBindRequested, CallID: k.ID, Security: k.Security, Call: k}
	if k.IsUnbind() {
		e.Kind = EventUnbindRequested
	}
	if syntax, ok := k.Context.NSPISyntax(); ok && !k.Sealed() {
		k.readRequest(stub, syntax, o)
	}
	e.Opaque, e.Handle = !k.Readable, k.Handle
	return e
}

func (k *Call) readRequest(stub []byte, syntax nspi.Syntax, o Order) {
	if k.IsUnbind() {
		if u, err := nspi.ParseUnbindRequest(stub, syntax, o); err == nil {
			k.Handle, k.Readable = u.Handle, true
		}
		return
	}
	if b, err := nspi.ParseBindRequest(stub, syntax, o); err == nil {
		k.Bind, k.Readable = b, true
	}
}

// answered reads the response to an NspiBind or NspiUnbind and returns what it
// means. sealed says that the stub cannot be read.
func (k *Call) answered(stub []byte, o Order, sealed bool) Event {
	e := Event{Kind: EventBindAnswered, CallID: k.ID, Security: k.Security, Call: k}
	if k.IsUnbind() {
		e.Kind, e.Handle = EventUnbindAnswered, k.Handle
	}
	syntax, ok := k.Context.NSPISyntax()
	if !ok || sealed {
		e.Opaque = true
		e.Granted = ok && k.grantedByLength(syntax)
		return e
	}
	if k.IsUnbind() {
		u, err := nspi.ParseUnbindResponse(stub, syntax, o)
		e.Code = u.Code
		e.Granted = err == nil && u.Code == nspi.UnbindSuccess
		return e
	}
	b, err := nspi.ParseBindResponse(stub, syntax, o)
	e.Code, e.Handle = b.Code, b.Handle
	e.Granted = err == nil && b.Granted()
	return e
}

// grantedByLength decides from stub lengths alone (sealed stubs). What they do
// not tell counts as granted: a client chooses the length of its request.
func (k *Call) grantedByLength(s nspi.Syntax) bool {
	if k.IsUnbind() {
		return k.respLen == nspi.UnbindSize
	}
	return nspi.ClassifyBindAnswer(k.reqLen, k.respLen, s) != nspi.Failed
}

// failed returns what a fault means that answers an NspiBind or NspiUnbind.
func (k *Call) failed(status uint32) Event {
	e := Event{Kind: EventBindAnswered, CallID: k.ID, Fault: status, Security: k.Security, Call: k, Handle: k.Handle}
	if k.IsUnbind() {
		e.Kind = EventUnbindAnswered
	}
	return e
}
