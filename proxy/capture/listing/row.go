package listing

import (
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Row is one PDU with all that is known about it. Fields that a PDU does not
// have are nil or empty. Numbers are as on the wire.
type Row struct {
	Frame  int       `json:"frame"`
	Time   time.Time `json:"time"`
	Stream int       `json:"stream"`
	Dir    string    `json:"dir"` // c or s
	Client string    `json:"client"`
	Server string    `json:"server"`

	// The common header.
	Version      uint8  `json:"rpc_vers"`
	MinorVersion uint8  `json:"rpc_vers_minor"`
	PType        uint8  `json:"ptype"`
	Type         string `json:"type"`
	Flags        string `json:"flags"` // 0x03
	Drep         string `json:"drep"`  // 10000000
	FragLength   uint16 `json:"frag_length"`
	AuthLength   uint16 `json:"auth_length"`
	CallID       uint32 `json:"call_id"`

	// Requests, responses and faults. Opnum, Interface and Object of the latter
	// two are those of the request that they answer.
	ContextID    *uint16 `json:"ctx_id,omitempty"`
	Opnum        *uint16 `json:"opnum,omitempty"`
	Operation    string  `json:"operation,omitempty"` // its name, where this program knows it
	Interface    string  `json:"interface,omitempty"` // UUID
	AllocHint    *uint32 `json:"alloc_hint,omitempty"`
	RequestFrame int     `json:"request_frame,omitempty"` // of the answered request's first fragment
	Object       string  `json:"object,omitempty"`
	StubLength   *int    `json:"stub_length,omitempty"`
	CancelCount  *uint8  `json:"cancel_count,omitempty"`
	FaultFlags   *uint8  `json:"fault_flags,omitempty"`
	Status       string  `json:"status,omitempty"` // 0x1c010002
	StatusName   string  `json:"status_name,omitempty"`

	// Binds, alter_contexts and their answers.
	MaxXmitFrag  *uint16   `json:"max_xmit_frag,omitempty"`
	MaxRecvFrag  *uint16   `json:"max_recv_frag,omitempty"`
	AssocGroupID *uint32   `json:"assoc_group_id,omitempty"`
	ContextCount *int      `json:"context_count,omitempty"`
	Contexts     []Context `json:"contexts,omitempty"`
	SecAddrLen   *int      `json:"sec_addr_len,omitempty"`
	SecAddr      Text      `json:"sec_addr,omitempty"` // without its NUL
	ResultCount  *int      `json:"result_count,omitempty"`
	Results      []Result  `json:"results,omitempty"`
	RejectReason *uint16   `json:"reject_reason,omitempty"`
	RejectName   string    `json:"reject_reason_name,omitempty"`
	Versions     []string  `json:"versions,omitempty"` // that the server speaks

	// The verifier.
	AuthType      *uint8  `json:"auth_type,omitempty"`
	AuthLevel     *uint8  `json:"auth_level,omitempty"`
	AuthPadLength *uint8  `json:"auth_pad_length,omitempty"`
	AuthReserved  *uint8  `json:"auth_reserved,omitempty"`
	AuthContextID *uint32 `json:"auth_ctx_id,omitempty"`
	NTLM          *NTLM   `json:"ntlm,omitempty"`

	// What it means.
	Event  string  `json:"event,omitempty"` // the names of Events, or of Error, joined by commas
	Events []Event `json:"events,omitempty"`
	Error  *Error  `json:"error,omitempty"`

	// What the capture lacks.
	Resumed bool `json:"resumed,omitempty"` // PDUs may be missing before this one
	Ahead   bool `json:"ahead,omitempty"`   // PDUs of the other direction may be missing
	Skipped int  `json:"skipped,omitempty"` // bytes before it that belong to no whole PDU; -1: not known
	Cut     int  `json:"cut,omitempty"`     // bytes at its end that were not captured

	ptype rpcparse.PType
	first bool // first fragment of a request
}

// Context is one element of a bind: an interface and the encodings offered.
type Context struct {
	ID        uint16   `json:"id"`
	Abstract  Syntax   `json:"abstract"`
	Transfers []Syntax `json:"transfers"`
}

// Syntax is an interface or an encoding.
type Syntax struct {
	UUID  string `json:"uuid"`
	Major uint16 `json:"major"`
	Minor uint16 `json:"minor"`

	id rpcparse.SyntaxID
}

// Result is the server's answer to one element.
type Result struct {
	Result   uint16 `json:"result"`
	Reason   uint16 `json:"reason"`
	Transfer Syntax `json:"transfer"`
}

// NTLM is an NTLM message in a verifier, raw or inside SPNEGO.
type NTLM struct {
	Message     uint32 `json:"message"` // 1 NEGOTIATE, 2 CHALLENGE, 3 AUTHENTICATE
	Domain      Text   `json:"domain,omitempty"`
	User        Text   `json:"user,omitempty"`
	Workstation Text   `json:"workstation,omitempty"`
	Anonymous   bool   `json:"anonymous,omitempty"`
	Target      Text   `json:"target,omitempty"` // CHALLENGE: the server's domain or name
}

// Event is what a PDU meant to the conversation.
type Event struct {
	Kind        string  `json:"kind"`
	Granted     *bool   `json:"granted,omitempty"` // answers only
	Opaque      bool    `json:"opaque,omitempty"`  // the stub is sealed
	Association *uint32 `json:"association,omitempty"`
	Fault       string  `json:"fault,omitempty"`
	Code        string  `json:"code,omitempty"`
	Handle      string  `json:"handle,omitempty"`
	User        Text    `json:"user,omitempty"`
	Anonymous   bool    `json:"anonymous,omitempty"`
	Mechanism   string  `json:"mechanism,omitempty"`
	Level       string  `json:"level,omitempty"`

	text string // for people
}

// Error is why a relay would not have let the PDU pass without doubt.
type Error struct {
	Class  string `json:"class"`
	Name   string `json:"name"`
	Offset int    `json:"offset"`
	Detail string `json:"detail"`
}
