package probe

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// opnumUpdateStat is NspiUpdateStat (MS-NSPI 3.1.4.4): the query, because it
// tells how many entries there are in an answer of a fixed size.
const opnumUpdateStat uint16 = 2

// What the probe asks strings in: Western European, English.
const (
	codePage = 1252
	locale   = 0x409
)

// Places in a STAT (MS-NSPI 2.3.7), which is nine u32. All zero but for
// languages, it is the beginning of the global address list.
const (
	statWords     = nspi.StatSize / 4
	statTotalRecs = 5
	statCodePage  = 6
	statTemplate  = 7
	statSort      = 8
)

// wire is the byte order of all stubs: the probe sends little-endian, and the
// guard lets nothing else in.
const wire = rpcparse.LittleEndian

// codeError is the error of a call that NSPI answered by a failure.
type codeError struct{ code nspi.Code }

// Error implements error.
func (e *codeError) Error() string { return e.code.String() }

func appendStat(dst []byte) []byte {
	for _, v := range [statWords]uint32{statCodePage: codePage, statTemplate: locale, statSort: locale} {
		dst = wire.AppendUint32(dst, v)
	}
	return dst
}

// bindCall is NspiBind, without a GUID: the probe does not compare servers.
func bindCall() call {
	r := nspi.BindRequest{Stat: [nspi.StatSize]byte(appendStat(nil)), CodePage: codePage}
	return call{
		name: "NspiBind", opnum: nspi.OpnumBind,
		request: nspi.AppendBindRequest(nil, r, nspi.NDR, wire),
		answers: []int{nspi.BindResponse{}.Len(nspi.NDR), nspi.BindResponse{HasGUID: true}.Len(nspi.NDR)},
	}
}

// parseBind returns the session of an answer to bindCall. A refusal is a
// [codeError].
func parseBind(stub []byte) (nspi.Handle, error) {
	r, err := nspi.ParseBindResponse(stub, nspi.NDR, wire)
	if err != nil {
		return nspi.Handle{}, err
	}
	if r.Code != nspi.Success {
		return nspi.Handle{}, &codeError{r.Code}
	}
	if r.Handle.IsZero() {
		return nspi.Handle{}, fmt.Errorf("success without a session")
	}
	return r.Handle, nil
}

// updateStatCall is NspiUpdateStat: handle, reserved, STAT, and no pointer to a
// distance that nobody asks for. The answer is STAT, that pointer (with what it
// points to, should a server send one all the same) and the return value.
func updateStatCall(h nspi.Handle) call {
	const reserved, null = 0, 0
	stub := wire.AppendUint32(h.Append(nil, wire), reserved)
	stub = wire.AppendUint32(appendStat(stub), null)
	return call{
		name: "NspiUpdateStat", opnum: opnumUpdateStat, request: stub,
		answers: []int{nspi.StatSize + 4 + 4, nspi.StatSize + 4 + 4 + 4},
	}
}

// parseUpdateStat returns the number of entries in an answer to updateStatCall,
// which has one of its lengths.
func parseUpdateStat(stub []byte) (entries uint32, err error) {
	if code := nspi.Code(wire.Uint32(stub[len(stub)-4:])); code != nspi.Success {
		return 0, &codeError{code}
	}
	return wire.Uint32(stub[4*statTotalRecs:]), nil
}

// unbindCall is NspiUnbind.
func unbindCall(h nspi.Handle) call {
	return call{
		name: "NspiUnbind", opnum: nspi.OpnumUnbind,
		request: nspi.AppendUnbindRequest(nil, nspi.UnbindRequest{Handle: h}, nspi.NDR, wire),
		answers: []int{nspi.UnbindSize},
	}
}

// parseUnbind returns nil if the session is gone.
func parseUnbind(stub []byte) error {
	r, err := nspi.ParseUnbindResponse(stub, nspi.NDR, wire)
	if err != nil {
		return err
	}
	if r.Code != nspi.UnbindSuccess {
		return &codeError{r.Code}
	}
	return nil
}
