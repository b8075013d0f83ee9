package halfopen

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// magic is the first record of a file: its form and version.
const magic = "nspiproxy connections, version 1\n"

// maxRecords bounds a file: 40 MiB, for more connections than one machine has.
const maxRecords = 1 << 20

// File keeps which connections there are, for all goroutines. Put and Clear do not wait
// for the disk: a goroutine of the File writes.
type File struct {
	file    *os.File
	wakeup  chan struct{} // has a message while something is to be written
	written chan error    // the first error of writing, when that is over

	mu    sync.Mutex
	data  []byte  // what is to be in the file
	free  []int32 // records, the next one to be used last
	left  []int32 // those of an earlier run
	dirty []int32 // records to write
	isNew []bool  // whether a record is among dirty, for all
}

// closeWait is how long Close waits for a disk that does not answer.
const closeWait = 2 * time.Second

// Open opens the file of that path, or creates it, with room for size connections of this
// run at least, on the disk, too. The file belongs to one program at a time; that another one has it is an
// error, and that it is of another kind.
func Open(path string, size int) (*File, error) {
	file, err := openLocked(path)
	if err != nil {
		return nil, err
	}
	f, err := read(file, size)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	go f.write()
	return f, nil
}

// read makes a File of an open file.
func read(file *os.File, size int) (*File, error) {
	data, err := io.ReadAll(io.LimitReader(file, maxRecords*recordSize))
	if err != nil {
		return nil, err
	}
	if len(data) > 0 && (len(data) < recordSize || string(data[:len(magic)]) != magic) {
		return nil, errors.New("it is not a file of this program and version")
	}
	records := min(max(len(data)/recordSize, 1+countLeft(data)+size), maxRecords)
	f := &File{file: file, wakeup: make(chan struct{}, 1), written: make(chan error, 1),
		data: make([]byte, records*recordSize), isNew: make([]bool, records)}
	copy(f.data, magic)
	copy(f.data, data)
	for n := int32(records) - 1; n > 0; n-- {
		if _, ok := decode(f.record(n)); ok {
			f.left = append(f.left, n)
		} else {
			f.free = append(f.free, n)
		}
	}
	// Later, the disk may be full.
	if _, err := file.WriteAt(f.data, 0); err != nil {
		return nil, err
	}
	return f, nil
}

// countLeft counts the connections in a file: for those of this run there is room beside
// them.
func countLeft(data []byte) (n int) {
	for record := range slices.Chunk(data, recordSize) {
		if len(record) < recordSize {
			break
		}
		if _, ok := decode((*[recordSize]byte)(record)); ok {
			n++
		}
	}
	return n
}

// record returns a record of the file.
func (f *File) record(n int32) *[recordSize]byte {
	return (*[recordSize]byte)(f.data[int(n)*recordSize:])
}

// Put keeps a connection, and returns the number to clear it with; 0: there is no room.
func (f *File) Put(c Connection) int32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := len(f.free) - 1
	if last < 0 {
		return 0
	}
	n := f.free[last]
	f.free = f.free[:last]
	c.encode(f.record(n))
	f.changed(n)
	return n
}

// Clear forgets a connection; 0 is none.
func (f *File) Clear(n int32) {
	if n == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.record(n)[0] = usedFree
	f.free = append(f.free, n)
	f.changed(n)
}

// changed has a record written, under the lock.
func (f *File) changed(n int32) {
	if f.isNew[n] {
		return
	}
	f.isNew[n] = true
	f.dirty = append(f.dirty, n)
	select {
	case f.wakeup <- struct{}{}:
	default:
	}
}

// write writes until wakeup is closed. What could not be written is written with its next
// change.
func (f *File) write() {
	var first error
	for range f.wakeup {
		for {
			n, record, ok := f.take()
			if !ok {
				break
			}
			if _, err := f.file.WriteAt(record[:], int64(n)*recordSize); err != nil && first == nil {
				first = err
			}
		}
	}
	f.written <- first
}

// take returns a record to write.
func (f *File) take() (n int32, record [recordSize]byte, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := len(f.dirty) - 1
	if last < 0 {
		return 0, record, false
	}
	n = f.dirty[last]
	f.dirty = f.dirty[:last]
	f.isNew[n] = false
	return n, *f.record(n), true
}

// Close writes what is to be written and lets go of the file. What has not been cleared
// stays in it. Put and Clear must not be called any more. Its error is the first one of
// writing, or that the disk does not answer: then the file is let go of by the end of the
// program.
func (f *File) Close() error {
	close(f.wakeup)
	select {
	case err := <-f.written:
		return errors.Join(err, f.file.Close())
	case <-time.After(closeWait):
		return fmt.Errorf("%s: %w while it is written", f.file.Name(), os.ErrDeadlineExceeded)
	}
}
