package relay

// bufferSizes are the capacities of pooled buffers. They fit small PDUs, a fragment
// of the usual size (5840 bytes), the largest PDU, and what one read can leave.
var bufferSizes = [...]int{1 << 10, 8 << 10, 64 << 10, 256 << 10}

// maxPooled bounds the free buffers of each size that a loop keeps, in bytes.
const maxPooled = 1 << 20

// buffer has bytes that could not be sent on at once: data[read:].
type buffer struct {
	data []byte
	read int
}

func (b *buffer) bytes() []byte { return b.data[b.read:] }

// waiting is the number of bytes in b, which may be nil.
func waiting(b *buffer) int {
	if b == nil {
		return 0
	}
	return len(b.data) - b.read
}

// pool keeps free buffers of one loop.
type pool struct {
	free [len(bufferSizes)][]*buffer
	used int // bytes of the buffers that are not free
}

// append adds data to b, which may be nil, and returns b or a larger buffer that
// replaces it. The capacity follows the bytes that have arrived, never a length that
// a peer claims.
func (p *pool) append(b *buffer, data []byte) *buffer {
	have := waiting(b)
	if b != nil && cap(b.data)-len(b.data) >= len(data) {
		b.data = append(b.data, data...)
		return b
	}
	if b != nil && b.read > 0 && cap(b.data) >= 2*have+len(data) { // at least half is free: moving takes linear time overall
		n := copy(b.data[:cap(b.data)], b.bytes())
		b.data, b.read = append(b.data[:n], data...), 0
		return b
	}
	grown := p.take(have + len(data))
	if b != nil {
		grown.data = append(grown.data, b.bytes()...)
		p.release(b)
	}
	grown.data = append(grown.data, data...)
	return grown
}

// take returns an empty buffer with room for n bytes.
func (p *pool) take(n int) *buffer {
	for class, size := range bufferSizes {
		if n > size {
			continue
		}
		p.used += size
		if k := len(p.free[class]); k > 0 {
			b := p.free[class][k-1]
			p.free[class] = p.free[class][:k-1]
			return b
		}
		return &buffer{data: make([]byte, 0, size)}
	}
	b := &buffer{data: make([]byte, 0, n+n/2)} // many injected PDUs at once; too large for the pool
	p.used += cap(b.data)
	return b
}

// release puts b, which may be nil, back into the pool.
func (p *pool) release(b *buffer) {
	if b == nil {
		return
	}
	p.used -= cap(b.data)
	for class, size := range bufferSizes {
		if cap(b.data) == size && len(p.free[class])*size < maxPooled {
			b.data, b.read = b.data[:0], 0
			p.free[class] = append(p.free[class], b)
			return
		}
	}
}
