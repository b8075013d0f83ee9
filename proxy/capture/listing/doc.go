// Package listing shows the PDUs of a capture as rows: for people, as
// tab-separated values, as JSON.
//
//	var l listing.Lister
//	w, err := listing.NewWriter("json", os.Stdout)
//	for each PDU p of a capture.Reader {
//		err = w.Write(l.Row(p))
//	}
//	err = w.Flush()
//
// A [Row] is the PDU field by field, the call that it belongs to, and what it
// means: each connection is followed by a rpcparse.Conversation, and the row
// holds the events it reports, or the error.
//
// Column drep is the whole representation as tshark prints it (10000000 for
// little-endian, ASCII, IEEE). Column ctx_id of a bind has the ids of all its
// contexts. The opnum of a response or fault is that of the request it answers;
// like tshark's it is empty where the bind of the context was not captured,
// because the interface that it belongs to is not known then. The interface is
// that of an accepted context.
//
// Text from the network is [Text], which escapes itself.
//
// To add a field: put it into Row with its JSON name, fill it in describe.go,
// and give it tshark's name in package oracle.
package listing
