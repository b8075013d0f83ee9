package nspi

import "fmt"

// Answer is what the length of a sealed NspiBind response shows.
type Answer uint8

// The three readings.
const (
	Unknown Answer = iota // none of the lengths an NspiBind can have: log it
	Granted               // count a session
	Failed                // no session
)

// String returns the reading as logs name it.
func (a Answer) String() string {
	switch a {
	case Unknown:
		return "unknown"
	case Granted:
		return "granted"
	case Failed:
		return "failed"
	}
	return fmt.Sprintf("answer(%d)", uint8(a))
}

// ClassifyBindAnswer guesses the outcome of an NspiBind whose stubs are sealed
// with keys that are not known, from their lengths without padding, which are in
// clear. Only a fault is certain failure; these are readings:
//
//	response      request with a GUID               request without
//	with GUID     granted (or a failure's echo)     granted (unexpected)
//	without       failed                            granted (or failed)
//
// Where both are possible the reading is Granted: a session counted too many
// ends with its association, a session that is not counted is a leak that stays
// unseen; count Unknown as Granted for the same reason. The request's length includes a
// verification trailer, if it had one. The two that clients send, of 52 and 60
// bytes, keep the lengths apart. A client that means to deceive can add another:
// 16 bytes (bitmask_1 alone) make a request without a GUID as long as one with
// a GUID, and a granted answer to it reads as Failed. Only keys tell then.
func ClassifyBindAnswer(reqStubLen, respStubLen int, s Syntax) Answer {
	reqHasGUID, ok := requestHasGUID(reqStubLen, s)
	if !ok {
		return Unknown
	}
	switch respStubLen {
	case BindResponse{HasGUID: true}.Len(s):
		return Granted
	case BindResponse{}.Len(s):
		if reqHasGUID {
			return Failed
		}
		return Granted
	}
	return Unknown
}

// requestHasGUID recognises the lengths of an NspiBind request: with or without
// a GUID, each with no trailer, pcontext alone (Windows) or bitmask_1 and
// pcontext (Samba).
func requestHasGUID(n int, s Syntax) (has, ok bool) {
	for _, trailer := range [...]int{0, 52, 60} {
		switch n - trailer {
		case BindRequest{HasGUID: true}.Len(s):
			return true, true
		case BindRequest{}.Len(s):
			return false, true
		}
	}
	return false, false
}
