package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// foreignStart is how many first bytes of a file tell what it is.
const foreignStart = 128

// foreignFormats are files that are not read, and what makes files of them that are. Each command was tried, or is
// its maker's: those of Windows are Microsoft's (pktmon etl2pcap, github.com/microsoft/etl2pcapng).
var foreignFormats = []struct {
	magic        string
	name, advice string
}{
	{"GMBU", "a Network Monitor file", "convert it with editcap -F pcapng -T ether FILE OUT.pcapng"},
	{"RTSS", "a Network Monitor file of version 1", "convert it with editcap -F pcapng -T ether FILE OUT.pcapng"},
	{"snoop\x00\x00\x00", "a snoop file", "convert it with editcap -F pcapng FILE OUT.pcapng"},
	{"TRSNIFF data", "a Sniffer file", "convert it with editcap -F pcapng FILE OUT.pcapng"},
	{"PK\x03\x04", "a zip archive", "unpack it, or use unzip -p FILE | nspiproxy decode -"},
	{"\x04\x22\x4d\x18", "compressed with lz4", "use lz4 -dc FILE | nspiproxy decode -"},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"},
	{"Rar!", "a RAR archive", "unpack it first"},
	{"MSCF", "a cabinet file", "unpack it with expand FILE -F:* FOLDER, on Windows"},
}

// unread says what a file is that is not read, by its first bytes, and what to do with it.
func unread(start []byte) error {
	const evidence, clip = 4, 24 // bytes that are shown
	if len(start) == 0 {
		return errors.New("the file is empty")
	}
	for _, f := range foreignFormats {
		if bytes.HasPrefix(start, []byte(f.magic)) {
			return fmt.Errorf("%s, which cannot be read: %s", f.name, f.advice)
		}
	}
	switch text := start[:min(len(start), evidence)]; {
	case isTrace(start):
		return errors.New("an event trace of Windows (.etl), which cannot be read: convert it with pktmon etl2pcap FILE --out OUT.pcapng, " +
			"or with Microsoft's etl2pcapng.exe FILE OUT.pcapng if netsh trace has written it")
	case isText(start):
		return fmt.Errorf("neither pcap nor pcapng: the file begins with % x, which is text: %q", text, start[:min(len(start), clip)])
	default:
		return fmt.Errorf("neither pcap nor pcapng: the file begins with % x; if Wireshark opens it, "+
			"convert it with editcap -F pcapng FILE OUT.pcapng", text)
	}
}

// isTrace reports whether a file begins as an event trace of Windows does: with the size of its buffers, a power of 2.
func isTrace(start []byte) bool {
	const least, most = 1 << 10, 16 << 20
	if len(start) < 4 {
		return false
	}
	size := binary.LittleEndian.Uint32(start)
	return size >= least && size <= most && size&(size-1) == 0
}

// isText reports whether the file begins with nothing but printable ASCII and white space.
func isText(start []byte) bool {
	for _, c := range start {
		if (c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}
