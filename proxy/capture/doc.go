// Package capture finds DCE/RPC in capture files, without a network and on
// every operating system.
//
//	r, err := capture.NewReader(file)
//	for {
//		p, err := r.Next() // *capture.PDU, in the order of the frames that complete them
//		if err == io.EOF { break }
//		if err != nil { ... } // *capture.FileError; what was readable has been returned
//	}
//
// Package listing below it turns PDUs into rows, internal/testkit/oracle compares those with
// what tshark says.
//
// # From frames to PDUs
//
//	compressed.go gzip, bzip2, zstd, xz              ──▶ file
//	file.go       pcap, modified pcap, pcapng        ──▶ frames
//	link.go       link types, VLAN, tunnels, IP, ... ──▶ TCP segments
//	table.go      which connection, which number     ──▶ conn
//	sequencer.go  the order of one direction         ──▶ pieces, and how much is lost
//	intake.go     where PDUs begin and end           ──▶ PDUs
//	order.go      by the frame that completes them   ──▶ Next
//
// Reading files and headers is gopacket's. TCP is put in order here, because a
// capture is not a receiver: one connection's hole must be given up when its
// peer has acknowledged the missing bytes, while those of others stay open, and
// each byte must know its frame. Checksums are not verified: captures at the
// sender have them unfilled.
//
// # What is DCE/RPC
//
// Ports say nothing. A connection that was captured from its SYN is DCE/RPC in
// a direction if that direction's first 16 bytes are a header: version 5.0 or
// 5.1, a type that this side may send, a data representation that exists. If
// they are not, it never becomes DCE/RPC. Who is client and who is server
// follows from the types of the PDUs, not from the SYN.
//
// # What is missing
//
// Bytes that come late are waited for, until the other side has acknowledged
// them and they still do not come. Then they were not captured. A gap inside a
// PDU ends it, and where the next one begins is known from its length. Behind
// any other gap, and in a connection whose beginning was not captured, reading
// goes on at the first segment that begins with a header right in every
// respect, as it does in Wireshark. Nothing is searched inside a segment. What
// was passed over is counted ([PDU.Skipped]) and told ([Note]).
//
// Frames that lead to no TCP segment are counted by the reason: of a link type,
// an EtherType or a protocol that is not read ([Reader.LeftOut]), or of protocols
// that every network has beside TCP ([Reader.Others]). An interface of a pcapng
// file that cannot be read does not keep others from being read.
//
// # Where tshark differs
//
// Streams are numbered alike. tshark 4.0, without options:
//
//   - uses segments that come late only where a PDU waits for them (unless
//     tcp.reassemble_out_of_order is set), and leaves out those that were
//     acknowledged before or overlap others: here they are put in order;
//   - does not find a PDU whose header is spread over two segments, where the
//     port does not tell it: here it is found if the connection was captured
//     from its beginning;
//   - skips a PDU of another version, or of an unknown type, by its length:
//     here the direction ends with a wrong version, byte order or length below
//     16, while a PDU with a wrong type or auth_length is shown with its error;
//   - shows PDUs in packets that ICMP errors quote: nobody received those;
//   - reads connections that begin with something else, when the port tells it.
//
// # Memory
//
// What is kept is bounded whatever the file says, see limits.go. Compressed files
// are decompressed while they are read, and a decompressor keeps 64 MiB at most.
package capture
