package tower

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// MapResponse is what [WalkMapResponse] found in an answer to ept_map
// (MS-RPCE 2.2.1.2.5). It refers to no bytes.
type MapResponse struct {
	Handle Handle     // not zero: the client may ask again with it for more
	Max    int        // elements there was room for: the max_towers of the request
	Num    int        // elements there are, NULL and repeated ones included
	Towers []TowerRef // every tower once, in the order of their octets
	Status uint32     // StatusOK, StatusNotRegistered, …
}

// WalkMapResponse finds the towers in the whole stub of an ept_map response.
// The layout, with words of 4 bytes in NDR and 8 in NDR64, aligned to their size:
//
//	entry_handle 20, num_towers u32, word max, word 0, word num,
//	num × word referent, per distinct referent {word max, u32 length, octets},
//	status u32
//
// The towers themselves are not parsed. The error is [wire.ClassShort] if the
// stub ends too early.
func WalkMapResponse(stub []byte, s Syntax, o wire.Order) (MapResponse, error) {
	r := newReader(stub, s, o)
	m := MapResponse{Handle: r.handle()}
	num := r.U32("num_towers")
	m.Max, m.Num = r.array(num, s.WordSize())
	referents := make([]uint64, 0, m.Num)
	for range m.Num {
		referents = append(referents, r.Word("tower_referent"))
	}
	var b bodies
	for i := 0; i < len(referents) && r.Err == nil; i++ {
		b.resolve(r, referents[i])
	}
	m.Status = r.status()
	if r.Err != nil {
		return MapResponse{}, r.Err
	}
	m.Towers = b.towers
	return m, nil
}

// MapAnswer is what a server says in an answer to ept_map.
type MapAnswer struct {
	Handle Handle
	Max    uint32   // the max_towers of the request; at least len(Towers)
	Towers [][]byte // octets of each
	Status uint32
}

// AppendMapResponse appends the stub of an ept_map response to dst. The error is
// [wire.ClassLimit] if a tower is over MaxOctets, Max over MaxTowers or there are
// more towers than Max.
func AppendMapResponse(dst []byte, a MapAnswer, s Syntax, o wire.Order) ([]byte, error) {
	w := newWriter(dst, s, o)
	w.handle(a.Handle)
	w.U32(uint32(len(a.Towers)))
	w.array(a.Max, len(a.Towers))
	w.last = firstAnswerReferent - 1
	for range a.Towers {
		w.pointer(true)
	}
	for _, octets := range a.Towers {
		w.tower(octets)
	}
	w.U32(a.Status)
	return w.Done()
}
