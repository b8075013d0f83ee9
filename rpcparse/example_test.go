package rpcparse_test

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// A client's stream is cut into PDUs and each is read by its type.
func Example() {
	header := rpcparse.Header{Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: 1}
	stream := clientStream(header)

	framer := rpcparse.Framer{Dir: rpcparse.ClientToServer}
	for {
		pdu, h, err := framer.Next(stream)
		if err != nil || pdu == nil {
			fmt.Println("bytes still needed:", framer.Need(stream), "error:", err)
			return
		}
		stream = stream[len(pdu):]
		switch h.Type {
		case rpcparse.PTypeBind:
			bind, _ := rpcparse.ParseBind(pdu)
			for _, c := range bind.Contexts.All() {
				fmt.Println("context", c.ID, "as", rpcparse.TransferOf(c.Transfers.At(0)))
			}
		case rpcparse.PTypeRequest:
			request, _ := rpcparse.ParseRequest(pdu)
			fmt.Println("opnum", request.Opnum, "with", len(request.Stub), "bytes")
		}
	}
	// Output:
	// context 0 as ndr
	// context 1 as ndr64
	// opnum 3 with 8 bytes
	// bytes still needed: 11 error: <nil>
}

// clientStream returns a bind, a request, and the start of another PDU.
func clientStream(h rpcparse.Header) []byte {
	h.Type = rpcparse.PTypeBind
	stream, err := rpcparse.AppendBind(nil, rpcparse.Bind{Header: h, Contexts: rpcparse.NewContextList(
		rpcparse.ContextElement{ID: 0, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR)},
		rpcparse.ContextElement{ID: 1, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR64)},
	)})
	if err != nil {
		panic(err)
	}
	stream, err = rpcparse.AppendRequest(stream, rpcparse.Request{Header: h, Opnum: 3, Stub: make([]byte, 8)})
	if err != nil {
		panic(err)
	}
	return append(stream, 5, 0, 0, 3, 0x10)
}
