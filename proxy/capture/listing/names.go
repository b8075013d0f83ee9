package listing

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// interfaceNames are the interfaces that MAPI clients use. Others are shown by
// their UUID.
var interfaceNames = map[string]string{
	nspi.Interface.UUID.String():           "nspi",
	tower.EPMInterface.UUID.String():       "epm",
	rfri.Interface.UUID.String():           "rfri",
	"a4f1db00-ca47-1067-b31f-00dd010662da": "emsmdb",
}

// interfaceName returns a short name, or the UUID.
func interfaceName(uuid string) string {
	if n, ok := interfaceNames[uuid]; ok {
		return n
	}
	return uuid
}

// operationName returns the name of an operation, empty if it is unknown here.
func operationName(uuid string, opnum *uint16) string {
	if opnum == nil {
		return ""
	}
	switch interfaceNames[uuid] {
	case "nspi":
		return nspi.OpnumName(*opnum)
	case "epm":
		return tower.OpnumName(*opnum)
	case "rfri":
		return rfri.OpnumName(*opnum)
	}
	return ""
}
