package simdc

import (
	"crypto/rand"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

var nspiInterface = nspi.Interface

// nspiOpnums is the number of operations of the interface (MS-NSPI 3.1.4).
const nspiOpnums = 21

// codePageUnicode is no code page of 8-bit strings: NspiBind refuses it.
const codePageUnicode = 1200

// nspiService is the address book (MS-NSPI). It opens and closes sessions
// itself; three operations on tables go through the generated stubs of
// generated.go, and all others answer with their own
// stub, as a payload that a proxy must carry unchanged.
type nspiService struct {
	server *Server
}

func (*nspiService) syntax() rpcparse.SyntaxID { return nspi.Interface }

func (n *nspiService) call(x *call) ([]byte, uint32) {
	switch {
	case x.opnum == nspi.OpnumBind:
		return n.bind(x)
	case x.opnum == nspi.OpnumUnbind:
		return n.unbind(x)
	case x.opnum >= nspiOpnums:
		return nil, rpcparse.StatusOpRangeError
	case !hasMethod(x.opnum):
		return x.stub, 0
	}
	if len(x.stub) < nspi.HandleSize {
		return nil, rpcparse.StatusBadStubData
	}
	// Strict context handles: the runtime checks them, before any method runs.
	if _, ok := x.conn.assoc.session(nspi.ReadHandle(x.stub, x.stubOrder())); !ok {
		return nil, rpcparse.StatusContextMismatch
	}
	return addressBook{}.call(x)
}

// session returns the session that h proves.
func (a *association) session(h nspi.Handle) (*session, bool) {
	r, _ := a.lookup(h)
	s, ok := r.(*session)
	return s, ok
}

// bind answers NspiBind (MS-NSPI 3.1.4.1).
func (n *nspiService) bind(x *call) ([]byte, uint32) {
	syntax := x.context.nspiSyntax()
	req, err := nspi.ParseBindRequest(x.stub, syntax, x.stubOrder())
	if err != nil {
		return nil, rpcparse.StatusBadStubData
	}
	resp := nspi.BindResponse{HasGUID: req.HasGUID, GUID: n.server.guid}
	if h, code := n.open(x, req); code == nspi.Success {
		resp.Handle = h
	} else {
		resp.Code = code
		resp.HasGUID = req.HasGUID && n.server.cfg.FailureForm == nspi.FormEcho
		resp.GUID = req.GUID
	}
	return nspi.AppendBindResponse(nil, resp, syntax, x.stubOrder()), 0
}

// open makes a session, if the caller may have one.
func (n *nspiService) open(x *call, req nspi.BindRequest) (nspi.Handle, nspi.Code) {
	if x.user() == nil && !n.server.cfg.AnonymousBind {
		return nspi.Handle{}, nspi.LogonFailed
	}
	if req.CodePage == codePageUnicode {
		return nspi.Handle{}, nspi.InvalidCodepage
	}
	s, ok := n.server.sessions.open(x.user(), x.conn.peer)
	if !ok {
		return nspi.Handle{}, nspi.LogonFailed
	}
	h := newHandle()
	if !x.conn.assoc.store(h, s) {
		s.rundown() // the association ended meanwhile: nobody will hear of it
	}
	return h, nspi.Success
}

// unbind answers NspiUnbind (MS-NSPI 3.1.4.2). A handle that is not NULL and
// not known never gets as far as a method.
func (n *nspiService) unbind(x *call) ([]byte, uint32) {
	syntax := x.context.nspiSyntax()
	req, err := nspi.ParseUnbindRequest(x.stub, syntax, x.stubOrder())
	if err != nil {
		return nil, rpcparse.StatusBadStubData
	}
	resp := nspi.UnbindResponse{Code: nspi.UnbindFailure}
	if !req.Handle.IsZero() {
		if _, ok := x.conn.assoc.session(req.Handle); !ok {
			return nil, rpcparse.StatusContextMismatch
		}
		if r, ok := x.conn.assoc.remove(req.Handle); ok { // of two at once, one ends it
			r.rundown()
			resp.Code = nspi.UnbindSuccess
		}
	}
	return nspi.AppendUnbindResponse(nil, resp, syntax, x.stubOrder()), 0
}

// newHandle makes a context handle as Windows does: no attributes, a random
// UUID.
func newHandle() (h nspi.Handle) {
	_, _ = rand.Read(h[4:]) // never fails
	return h
}
