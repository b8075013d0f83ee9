package rawnspi

import (
	"errors"
	"io"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

const le = rpcparse.LittleEndian

// bufferSize holds some fragments: a bulk answer is read in large pieces.
const bufferSize = 64 << 10

// reader cuts what a server sends into PDUs. The zero value has no buffer until it is needed.
type reader struct {
	framer rpcparse.Framer
	buf    []byte
	r, w   int // buf[r:w] is unread
}

// next returns one PDU, valid until the next call.
func (d *reader) next(from io.Reader) ([]byte, rpcparse.Header, error) {
	if d.buf == nil {
		d.framer.Dir = rpcparse.ServerToClient
		d.buf = make([]byte, bufferSize)
	}
	for {
		pdu, h, err := d.framer.Next(d.buf[d.r:d.w])
		if err != nil || pdu != nil {
			d.r += len(pdu)
			return pdu, h, err
		}
		d.makeRoom()
		n, err := from.Read(d.buf[d.w:])
		d.w += n
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) && d.r != d.w {
				err = io.ErrUnexpectedEOF
			}
			return nil, rpcparse.Header{}, err
		}
	}
}

func (d *reader) makeRoom() {
	if d.r == d.w {
		d.r, d.w = 0, 0
	} else if d.w == len(d.buf) {
		d.w = copy(d.buf, d.buf[d.r:d.w])
		d.r = 0
	}
}
