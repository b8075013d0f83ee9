package listen

import (
	"testing"
	"unsafe"
)

// There may be tens of thousands of idle connections. 640 bytes is a size class of
// the allocator, the next one is 704.
func TestIdleConnectionIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(connection{}); n > 640 {
		t.Errorf("%d bytes", n)
	}
}
