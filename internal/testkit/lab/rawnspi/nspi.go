package rawnspi

import "github.com/nspiproxy/nspiproxy/rpcparse/nspi"

// codePage is Windows-1252, which every server has.
const codePage = 1252

// BindStub is the stub of an NspiBind without a server GUID: 44 bytes, answered by 28.
func BindStub() []byte {
	return nspi.AppendBindRequest(nil, nspi.BindRequest{CodePage: codePage}, nspi.NDR, le)
}

// NspiBind opens a session. Without an error, code tells whether the server granted one.
func (c *Client) NspiBind() (nspi.Handle, nspi.Code, error) {
	stub, _, err := c.Call(nspi.OpnumBind, BindStub())
	if err != nil {
		return nspi.Handle{}, 0, err
	}
	r, err := nspi.ParseBindResponse(stub, nspi.NDR, le)
	return r.Handle, r.Code, err
}

// NspiUnbind ends a session; nspi.UnbindSuccess is its success.
func (c *Client) NspiUnbind(h nspi.Handle) (nspi.Code, error) {
	stub, _, err := c.Call(nspi.OpnumUnbind, nspi.AppendUnbindRequest(nil, nspi.UnbindRequest{Handle: h}, nspi.NDR, le))
	if err != nil {
		return 0, err
	}
	r, err := nspi.ParseUnbindResponse(stub, nspi.NDR, le)
	return r.Code, err
}
