package nspi

import (
	"strconv"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Interface is the abstract syntax of NSPI (MS-NSPI 2.1).
var Interface = wire.SyntaxID{UUID: wire.MustUUID("f5cc5a18-4264-101a-8c59-08002b2f8426"), Version: 56}

// The two operations whose stubs this package reads (MS-NSPI 3.1.4).
const (
	OpnumBind   uint16 = 0
	OpnumUnbind uint16 = 1
)

var opnumNames = [...]string{
	"NspiBind", "NspiUnbind", "NspiUpdateStat", "NspiQueryRows", "NspiSeekEntries", "NspiGetMatches",
	"NspiResortRestriction", "NspiDNToMId", "NspiGetPropList", "NspiGetProps", "NspiCompareMIds",
	"NspiModProps", "NspiGetSpecialTable", "NspiGetTemplateInfo", "NspiModLinkAtt", "NspiDeleteEntries",
	"NspiQueryColumns", "NspiGetNamesFromIDs", "NspiGetIDsFromNames", "NspiResolveNames", "NspiResolveNamesW",
}

// OpnumName returns the name of an operation, or "opnum N" for one that the
// interface does not have (a server answers it with fault 0x1C010002).
func OpnumName(opnum uint16) string {
	if int(opnum) < len(opnumNames) {
		return opnumNames[opnum]
	}
	return "opnum " + strconv.Itoa(int(opnum))
}
