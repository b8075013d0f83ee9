package listing

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// textWriter prints for people: a line where the connection changes, a line a
// PDU.
type textWriter struct {
	*bufio.Writer
	stream int // of the row before, -1: none
}

func (w *textWriter) Write(r *Row) error {
	if r.Stream != w.stream {
		w.stream = r.Stream
		if _, err := fmt.Fprintf(w.Writer, "stream %d: %s -> %s\n", r.Stream, r.Client, r.Server); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w.Writer, "%8d  %s  %-18s call %-6d %6d bytes%s\n", r.Frame, r.Dir, r.Type, r.CallID, r.FragLength, prefixed(r.details()))
	return err
}

func prefixed(details []string) string {
	if len(details) == 0 {
		return ""
	}
	return "  " + strings.Join(details, "; ")
}

// details says what else matters about a row, the meaning last.
func (r *Row) details() []string {
	var d []string
	add := func(format string, args ...any) { d = append(d, fmt.Sprintf(format, args...)) }
	r.missing(add)
	r.subject(add)
	if r.AuthType != nil {
		add("%v %v", rpcparse.AuthType(*r.AuthType), rpcparse.AuthLevel(*r.AuthLevel))
	}
	for i := range r.Events {
		add("%s", r.Events[i].text)
	}
	if r.Error != nil {
		add("ERROR %s: %s", r.Error.Name, r.Error.Detail)
	}
	return d
}

// missing says what the capture lacks.
func (r *Row) missing(add func(string, ...any)) {
	switch {
	case r.Skipped < 0:
		add("PDUs are missing before this one")
	case r.Skipped > 0:
		add("%d bytes before this one belong to no whole PDU", r.Skipped)
	case r.Resumed:
		add("the beginning was not captured")
	}
	if r.Cut > 0 {
		add("the last %d bytes were not captured", r.Cut)
	}
}

// subject says what the PDU is about.
func (r *Row) subject(add func(string, ...any)) {
	switch r.ptype {
	case rpcparse.PTypeRequest, rpcparse.PTypeResponse, rpcparse.PTypeFault:
		if s := r.callText(); s != "" {
			add("%s", s)
		}
		if r.Status != "" {
			add("status %s", r.StatusName)
		}
	case rpcparse.PTypeBind, rpcparse.PTypeAlterContext:
		for i := range r.Contexts {
			add("%s", r.Contexts[i].text())
		}
	case rpcparse.PTypeBindAck, rpcparse.PTypeAlterContextResp:
		for i := range r.Results {
			add("%s", r.Results[i].text())
		}
	case rpcparse.PTypeBindNak:
		add("%s", r.RejectName)
	}
}

// callText names the operation as well as it can.
func (r *Row) callText() string {
	switch {
	case r.Operation != "":
		return interfaceName(r.Interface) + " " + r.Operation
	case r.Opnum == nil && r.RequestFrame > 0:
		return fmt.Sprintf("answers frame %d", r.RequestFrame)
	case r.Opnum == nil:
		return ""
	case r.Interface != "":
		return fmt.Sprintf("%s opnum %d", interfaceName(r.Interface), *r.Opnum)
	case r.ContextID != nil:
		return fmt.Sprintf("context %d opnum %d", *r.ContextID, *r.Opnum)
	}
	return fmt.Sprintf("opnum %d", *r.Opnum)
}

func (c *Context) text() string {
	names := make([]string, len(c.Transfers))
	for i := range c.Transfers {
		names[i] = c.Transfers[i].transferName()
	}
	return fmt.Sprintf("context %d is %s %d.%d in %s", c.ID, interfaceName(c.Abstract.UUID), c.Abstract.Major, c.Abstract.Minor, strings.Join(names, " or "))
}

func (r *Result) text() string {
	switch r.Result {
	case rpcparse.ResultAcceptance:
		return "accepted in " + r.Transfer.transferName()
	case rpcparse.ResultNegotiateAck:
		return fmt.Sprintf("features 0x%x", r.Reason)
	}
	return fmt.Sprintf("rejected (result %d, reason %d)", r.Result, r.Reason)
}

// transferName returns a short name, or the UUID.
func (s *Syntax) transferName() string {
	id := s.id
	if mask, ok := rpcparse.IsFeatureNegotiation(id); ok {
		return fmt.Sprintf("features 0x%x", mask)
	}
	if t := rpcparse.TransferOf(id); t != rpcparse.TransferOther {
		return t.String()
	}
	return s.UUID
}
