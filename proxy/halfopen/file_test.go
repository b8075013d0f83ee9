package halfopen

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// crash ends a File as the end of the program does, after what was written so far.
func (f *File) crash(t *rapid.T) {
	close(f.wakeup)
	if err := <-f.written; err != nil {
		t.Fatal(err)
	}
	f.file.Close()
}

// leftIn returns the connections of an earlier run.
func leftIn(f *File) (all []Connection) {
	for _, n := range f.left {
		all = append(all, f.connection(n))
	}
	return all
}

// connectionOf draws a connection.
func connectionOf(t *rapid.T) Connection {
	size := rapid.SampledFrom([]int{4, 16}).Draw(t, "size")
	end := func(name string) netip.AddrPort {
		addr, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, name))
		return netip.AddrPortFrom(addr, rapid.Uint16Min(1).Draw(t, name+" port"))
	}
	return Connection{Local: end("local"), Server: end("server"), Foreign: rapid.Bool().Draw(t, "foreign")}
}

// TestWhatIsNotClearedIsLeftAfterACrash, over several runs, the later of which end
// nothing of the earlier ones.
func TestWhatIsNotClearedIsLeftAfterACrash(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(folder, "connections")
		defer func() { _ = os.Remove(path) }()
		const size = 20
		var before []Connection
		for range rapid.IntRange(1, 4).Draw(t, "runs") {
			f, err := Open(path, size)
			if err != nil {
				t.Fatal(err)
			}
			if left := leftIn(f); !same(left, before) {
				t.Fatalf("left are %v, want %v", left, before)
			}
			now := map[int32]Connection{}
			for range rapid.IntRange(0, 40).Draw(t, "steps") {
				if len(now) > 0 && rapid.Bool().Draw(t, "clear") {
					n := rapid.SampledFrom(sortedKeys(now)).Draw(t, "which")
					f.Clear(n)
					delete(now, n)
					continue
				}
				c := connectionOf(t)
				n := f.Put(c)
				if n == 0 && len(now) < size {
					t.Fatalf("no room, with %d connections", len(now))
				}
				if n != 0 {
					now[n] = c
				}
			}
			f.crash(t)
			for _, c := range now {
				before = append(before, c)
			}
		}
	})
}

func sortedKeys(m map[int32]Connection) (keys []int32) {
	for n := range m {
		keys = append(keys, n)
	}
	slices.Sort(keys)
	return keys
}

// same compares in any order.
func same(a, b []Connection) bool {
	sorted := func(all []Connection) []Connection {
		return slices.SortedFunc(slices.Values(all), func(x, y Connection) int {
			var rx, ry [recordSize]byte
			x.encode(&rx)
			y.encode(&ry)
			return slices.Compare(rx[:], ry[:])
		})
	}
	return slices.Equal(sorted(a), sorted(b))
}

// A disk that is full says so at the start, not by what is missing after a crash.
func TestAFileHasItsSizeFromTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connections")
	f, err := Open(path, 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if info, err := os.Stat(path); err != nil || info.Size() != 1001*recordSize {
		t.Errorf("%v, error %v", info, err)
	}
}

func TestADiskThatDoesNotAnswerHoldsNothingUp(t *testing.T) {
	f := &File{file: os.Stdin, wakeup: make(chan struct{}, 1), written: make(chan error)}
	if err := f.Close(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestAFileHasOneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connections")
	f, err := Open(path, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, 1); err == nil || !strings.Contains(err.Error(), "another program has it") {
		t.Errorf("error %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	f, err = Open(path, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestOtherFilesAreNotTouched(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"text": "version: 1\n", "long": strings.Repeat("x", 1000), "newer": strings.Replace(magic, "1", "2", 1) + strings.Repeat("\x00", 100)} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, 10); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != text {
			t.Errorf("%s: it is %q now, error %v", name, now, err)
		}
	}
	link := filepath.Join(folder, "link")
	if err := os.Symlink(filepath.Join(folder, "none"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, folder} {
		if _, err := Open(path, 10); err == nil {
			t.Errorf("%s is opened", path)
		}
	}
}

// TestHugeFilesAreReadToABound: ones with holes of ten gigabytes, of this program or of another.
func TestHugeFilesAreReadToABound(t *testing.T) {
	for name, text := range map[string]string{"ours": magic, "another's": ""} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, 10<<30); err != nil {
			t.Skipf("no file of ten gigabytes here: %v", err)
		}
		f, err := Open(path, 10)
		if text == "" {
			if err == nil {
				t.Errorf("%s is opened", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := len(f.data); n > maxRecords*recordSize {
			t.Errorf("%s: %d bytes of it are kept", name, n)
		}
		if err := f.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A crash may leave anything in a record.
func FuzzRecord(f *testing.F) {
	var record [recordSize]byte
	for _, c := range []Connection{
		{netip.MustParseAddrPort("10.1.2.3:4095"), netip.MustParseAddrPort("10.0.5.11:135"), true},
		{netip.MustParseAddrPort("[fd00::1]:1"), netip.MustParseAddrPort("[fd00:5::11]:49677"), false},
	} {
		c.encode(&record)
		f.Add(record[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != recordSize {
			return
		}
		c, ok := decode((*[recordSize]byte)(b))
		if !ok {
			return
		}
		var again [recordSize]byte
		c.encode(&again)
		if back, ok := decode(&again); !ok || back != c {
			t.Errorf("%x is %v, and that %v", b, c, back)
		}
	})
}

func BenchmarkPutAndClear(b *testing.B) {
	f, err := Open(filepath.Join(b.TempDir(), "connections"), 1000)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	c := Connection{Local: netip.MustParseAddrPort("10.1.2.3:4095"), Server: netip.MustParseAddrPort("10.0.5.11:135")}
	b.ReportAllocs()
	for b.Loop() {
		f.Clear(f.Put(c))
	}
}
