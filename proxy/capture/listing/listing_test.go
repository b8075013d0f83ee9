package listing_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
	"github.com/nspiproxy/nspiproxy/proxy/capture/listing"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// rows returns the JSON objects of a file.
func rows(t *testing.T, file []byte) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(listAll(t, "json", file)) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		out = append(out, row)
	}
	return out
}

func ethernet(frames ...capturetest.Frame) []byte {
	return capturetest.Pcap(capturetest.LinkEthernet, frames...)
}

// must returns a PDU that can be written.
func must(t *testing.T) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// session is an NspiBind that is granted, a call that is faulted, an NspiUnbind.
func session(t *testing.T) []byte {
	c := capturetest.NewTalkTo(6004)
	handle := nspi.Handle{4: 1}
	header := func(t rpcparse.PType, id uint32) rpcparse.Header {
		return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: id}
	}
	request := func(id uint32, opnum uint16, stub []byte) []byte {
		return must(t)(rpcparse.AppendRequest(nil, rpcparse.Request{Header: header(rpcparse.PTypeRequest, id), Opnum: opnum, Stub: stub}))
	}
	response := func(id uint32, stub []byte) []byte {
		return must(t)(rpcparse.AppendResponse(nil, rpcparse.Response{Header: header(rpcparse.PTypeResponse, id), Stub: stub}))
	}
	fault := must(t)(rpcparse.AppendFault(nil, rpcparse.Fault{Header: header(rpcparse.PTypeFault, 3), Status: rpcparse.StatusOpRangeError}))
	o := rpcparse.LittleEndian
	return ethernet(
		c.SYN(), c.SYNACK(), c.Client(capturetest.Bind(1)), c.Server(capturetest.BindAck(1)),
		c.Client(request(2, nspi.OpnumBind, nspi.AppendBindRequest(nil, nspi.BindRequest{}, nspi.NDR, o))),
		c.Server(response(2, nspi.AppendBindResponse(nil, nspi.BindResponse{Handle: handle}, nspi.NDR, o))),
		c.Client(request(3, 99, nil)), c.Server(fault),
		c.Client(request(4, nspi.OpnumUnbind, nspi.AppendUnbindRequest(nil, nspi.UnbindRequest{Handle: handle}, nspi.NDR, o))),
		c.Server(response(4, nspi.AppendUnbindResponse(nil, nspi.UnbindResponse{Code: nspi.UnbindSuccess}, nspi.NDR, o))),
	)
}

const address = "f5cc5a18-4264-101a-8c59-08002b2f8426"

func TestTSVHasAHeaderAndARowAPDU(t *testing.T) {
	want := strings.Join([]string{
		"stream\tdir\tptype\tflags\tdrep\tfrag_length\tauth_length\tcall_id\tctx_id\topnum\tauth_type\tauth_level\tauth_ctx_id\tinterface\tevent",
		"0\tc\t11\t0x03\t10000000\t72\t0\t1\t0\t\t\t\t\t\tassociation_requested",
		"0\ts\t12\t0x03\t10000000\t60\t0\t1\t\t\t\t\t\t\tassociation_joined",
		"0\tc\t0\t0x03\t10000000\t68\t0\t2\t0\t0\t\t\t\t" + address + "\tnspi_bind_requested",
		"0\ts\t2\t0x03\t10000000\t52\t0\t2\t0\t0\t\t\t\t" + address + "\tnspi_bind_answered",
		"0\tc\t0\t0x03\t10000000\t24\t0\t3\t0\t99\t\t\t\t" + address + "\t",
		"0\ts\t3\t0x03\t10000000\t32\t0\t3\t0\t99\t\t\t\t" + address + "\t",
		"0\tc\t0\t0x03\t10000000\t48\t0\t4\t0\t1\t\t\t\t" + address + "\tnspi_unbind_requested",
		"0\ts\t2\t0x03\t10000000\t48\t0\t4\t0\t1\t\t\t\t" + address + "\tnspi_unbind_answered",
		"",
	}, "\n")
	if got := listAll(t, "tsv", session(t)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	empty := capturetest.Pcap(capturetest.LinkEthernet)
	if got := listAll(t, "tsv", empty); got != strings.Join(listing.Columns(), "\t")+"\n" {
		t.Errorf("a capture without DCE/RPC: %q", got)
	}
}

func TestTextReadsLikeASession(t *testing.T) {
	text := listAll(t, "text", session(t))
	for _, want := range []string{
		"stream 0: 10.0.0.1:50000 -> 10.0.0.2:6004\n",
		"context 0 is nspi 56.0 in ndr; association_requested group=0x00000000\n",
		"accepted in ndr; association_joined group=0x00000001\n",
		"nspi NspiBind; nspi_bind_requested\n",
		"nspi NspiBind; nspi_bind_answered granted=true code=SUCCESS handle=",
		"nspi opnum 99; status op_range_error\n",
		"nspi NspiUnbind; nspi_unbind_answered granted=true code=UNBIND_SUCCESS handle=",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "\n"); n != 9 {
		t.Errorf("%d lines, want 9", n)
	}
}

func TestJSONHasTheRest(t *testing.T) {
	r := rows(t, session(t))
	bind, answer, fault := r[0], r[3], r[5]
	if bind["type"] != "bind" || bind["max_xmit_frag"] != 5840.0 || bind["client"] != "10.0.0.1:50000" || bind["time"] != "2023-11-14T22:13:22Z" {
		t.Errorf("bind %v", bind)
	}
	c := bind["contexts"].([]any)[0].(map[string]any)
	if abstract := c["abstract"].(map[string]any); abstract["uuid"] != address || abstract["major"] != 56.0 {
		t.Errorf("context %v", c)
	}
	e := answer["events"].([]any)[0].(map[string]any)
	if answer["request_frame"] != 5.0 || answer["stub_length"] != 28.0 || e["granted"] != true || e["code"] != "SUCCESS" || len(e["handle"].(string)) < 8 {
		t.Errorf("answer %v", answer)
	}
	if fault["status"] != "0x1c010002" || fault["status_name"] != "op_range_error" || fault["opnum"] != 99.0 || fault["fault_flags"] != 0.0 {
		t.Errorf("fault %v", fault)
	}
}

func TestAnswersTellOnlyWhatIsKnownOfTheirRequest(t *testing.T) {
	c := capturetest.NewTalk()
	r := rows(t, ethernet(c.Client(capturetest.Request(1, 7, 8)), c.Server(capturetest.Response(1, 8)), c.Server(capturetest.Response(9, 8))))
	if r[0]["opnum"] != 7.0 || r[0]["interface"] != nil {
		t.Errorf("request %v", r[0])
	}
	if r[1]["opnum"] != nil || r[1]["request_frame"] != 1.0 {
		t.Errorf("answer without a bind %v", r[1])
	}
	if r[2]["opnum"] != nil || r[2]["request_frame"] != nil {
		t.Errorf("answer without a request %v", r[2])
	}
	text := listAll(t, "text", ethernet(c.Client(capturetest.Request(1, 7, 8)), c.Server(capturetest.Response(1, 8))))
	if !strings.Contains(text, "context 0 opnum 7") || !strings.Contains(text, "answers frame 1") {
		t.Errorf("text\n%s", text)
	}
}

func TestErrorsTakeTheEventsPlace(t *testing.T) {
	c := capturetest.NewTalk()
	wrong := capturetest.Request(2, 7, 8)
	wrong[10] = 200
	file := ethernet(c.SYN(), c.SYNACK(), c.Client(capturetest.Request(1, 7, 8), wrong, capturetest.Response(3, 8)))
	r := rows(t, file)
	for i, want := range []struct{ class, name string }{{"state", "request_before_bind"}, {"invalid", "auth_length"}, {"invalid", "ptype"}} {
		e, _ := r[i]["error"].(map[string]any)
		if r[i]["event"] != want.name || e["name"] != want.name || e["class"] != want.class || e["detail"] == "" {
			t.Errorf("row %d: event %v, error %v, want %v", i, r[i]["event"], e, want)
		}
	}
	if r[1]["opnum"] != 7.0 || r[1]["alloc_hint"] != 8.0 {
		t.Errorf("a PDU that is wrong shows what it has: %v", r[1])
	}
	if text := listAll(t, "text", file); !strings.Contains(text, "ERROR auth_length: ") {
		t.Errorf("text\n%s", text)
	}
}

func TestCutPDUShowsWhatIsThere(t *testing.T) {
	c := capturetest.NewTalk()
	frames := []capturetest.Frame{c.SYN(), c.SYNACK(), c.Client(capturetest.Bind(1)), c.Server(capturetest.BindAck(1))}
	f := c.Client(capturetest.Request(2, 3, 500))
	frames = append(frames, capturetest.Frame{Data: f.Data[:14+40+28], Sent: len(f.Data)}, c.Server(capturetest.Response(2, 8)))
	r := rows(t, ethernet(frames...))
	if r[2]["cut"] != 496.0 || r[2]["opnum"] != 3.0 || r[2]["interface"] != address || r[2]["error"] != nil || r[2]["stub_length"] != nil {
		t.Errorf("request %v", r[2])
	}
	if r[3]["opnum"] != 3.0 || r[3]["error"] != nil {
		t.Errorf("answer %v", r[3])
	}
	if text := listAll(t, "text", ethernet(frames...)); !strings.Contains(text, "the last 496 bytes were not captured; nspi NspiQueryRows") {
		t.Errorf("text\n%s", text)
	}
}

func TestUnknownFormatIsRefused(t *testing.T) {
	if _, err := listing.NewWriter("xml", io.Discard); err == nil || !strings.Contains(err.Error(), "text, tsv, json") {
		t.Errorf("error %v", err)
	}
}

// failing is a full disk.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestFullDiskIsReported(t *testing.T) {
	for _, format := range listing.Formats() {
		w, err := listing.NewWriter(format, failing{})
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			if err = w.Write(&listing.Row{Stream: 1}); err != nil {
				break
			}
		}
		if flushed := w.Flush(); err == nil || flushed == nil {
			t.Errorf("%s: errors %v and %v", format, err, flushed)
		}
	}
}
