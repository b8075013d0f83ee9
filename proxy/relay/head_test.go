package relay

import (
	"encoding/binary"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// bindPDU makes a bind that joins an association group, followed by other bytes.
func bindPDU(order binary.ByteOrder, group uint32) []byte {
	b := make([]byte, 72)
	copy(b, []byte{5, 0, byte(rpcparse.PTypeBind), byte(rpcparse.FlagFirstFrag | rpcparse.FlagLastFrag)})
	if order == binary.LittleEndian {
		b[4] = 0x10
	}
	order.PutUint16(b[8:], uint16(len(b)))
	order.PutUint32(b[12:], 1)
	order.PutUint32(b[20:], group)
	return b
}

func TestHeadOfABind(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		b := bindPDU(order, 0x11223344)
		for n := range len(b) + 1 {
			head, ok, done := parseHead(b[:n])
			switch {
			case n < headSize && (ok || done):
				t.Errorf("%v: decided after %d bytes", order, n)
			case n >= headSize && (!ok || !done || head != Head{Group: 0x11223344}):
				t.Errorf("%v: %d bytes say %+v, %v, %v", order, n, head, ok, done)
			}
		}
	}
}

func TestWhatIsNoBindIsDecidedAsSoonAsItIsSeen(t *testing.T) {
	short := bindPDU(binary.LittleEndian, 1)
	binary.LittleEndian.PutUint16(short[8:], 20)
	cancel := bindPDU(binary.LittleEndian, 1)[:16]
	cancel[2] = byte(rpcparse.PTypeCoCancel)
	binary.LittleEndian.PutUint16(cancel[8:], 16)
	for name, c := range map[string]struct {
		b  []byte
		at int
	}{
		"HTTP":                {[]byte("GET / HTTP/1.1\r\n"), 1},
		"another type":        {cancel, 16},
		"no room for a group": {short, 16},
	} {
		for n := range len(c.b) + 1 {
			if head, ok, done := parseHead(c.b[:n]); ok || done != (n >= c.at) || head != (Head{}) {
				t.Errorf("%s: %d bytes say %+v, %v, %v", name, n, head, ok, done)
			}
		}
	}
}
