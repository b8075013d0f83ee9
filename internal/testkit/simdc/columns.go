package simdc

import (
	"encoding/binary"

	gen "github.com/oiweiwei/go-msrpc/msrpc/nspi/nspi/v56"
)

// The property types that columns have (MS-OXCDATA 2.11.1).
const (
	typeLong    = 0x0003
	typeError   = 0x000a
	typeBool    = 0x000b
	typeString8 = 0x001e
	typeUnicode = 0x001f
	typeBinary  = 0x0102
)

// The columns that rows have: property id in the high half.
const (
	tagObjectType     = 0x0ffe0003
	tagEntryID        = 0x0fff0102
	tagDisplayName    = 0x3001001f
	tagAddressType    = 0x3002001f
	tagEmailAddress   = 0x3003001f
	tagDepth          = 0x30050003
	tagContainerFlags = 0x36000003
	tagDisplayType    = 0x39000003
	tagSMTPAddress    = 0x39fe001f
	tagAccount        = 0x3a00001f
	tagContainerID    = 0xfffd0003
	tagIsMaster       = 0xfffb000b
)

// objectMailUser is what every person is (MS-NSPI 2.2.1.7).
const objectMailUser = 6

// codeNotFound is the value of a property that an object lacks.
const codeNotFound = 0x8004010f

// columns are those of a person, and what a client gets that asks for none in
// particular.
var columns = []uint32{tagContainerID, tagObjectType, tagDisplayType, tagDisplayName, tagAddressType,
	tagEmailAddress, tagSMTPAddress, tagAccount, tagEntryID}

// values returns the properties of row i; texts in Unicode.
func (b *addressBook) values(i int) map[uint32]any {
	p := b.people[i]
	return map[uint32]any{
		tagContainerID:  int32(b.mid(i)),
		tagObjectType:   int32(objectMailUser),
		tagDisplayType:  int32(0),
		tagDisplayName:  p.Name,
		tagAddressType:  "EX",
		tagEmailAddress: p.distinguishedName(),
		tagSMTPAddress:  p.Address,
		tagAccount:      p.Account,
		tagEntryID:      entryID(p.distinguishedName()),
	}
}

// hierarchyRow describes the one container (MS-NSPI 3.1.4.3, step 5).
func hierarchyRow() map[uint32]any {
	return map[uint32]any{
		tagEntryID:        entryID("/"),
		tagContainerFlags: int32(1), // holds recipients
		tagDepth:          int32(0),
		tagContainerID:    int32(0),
		tagDisplayName:    "Global Address List",
		tagIsMaster:       false,
	}
}

var hierarchyColumns = []uint32{tagEntryID, tagContainerFlags, tagDepth, tagContainerID, tagDisplayName, tagIsMaster}

// entryID returns a permanent entry id (MS-NSPI 2.3.8.3).
func entryID(dn string) []byte {
	provider := []byte{0xdc, 0xa7, 0x40, 0xc8, 0xc0, 0x42, 0x10, 0x1a, 0xb4, 0xb9, 0x08, 0x00, 0x2b, 0x2f, 0xe1, 0x82}
	id := append(make([]byte, 4), provider...)
	id = binary.LittleEndian.AppendUint32(id, 1)
	id = binary.LittleEndian.AppendUint32(id, 0)
	return append(append(id, dn...), 0)
}

// row makes a row of the columns that tags name, in their order.
func row(values map[uint32]any, tags []uint32) *gen.PropertyRow {
	r := &gen.PropertyRow{ValuesCount: uint32(len(tags))}
	for _, tag := range tags {
		r.Properties = append(r.Properties, property(values, tag))
	}
	return r
}

// property makes one value. A string may be asked for in either type; what is
// not there is an error value.
func property(values map[uint32]any, tag uint32) *gen.PropertyValue {
	v, ok := values[tag]
	narrow := tag&0xffff == typeString8
	if narrow {
		v, ok = values[tag&^0xffff|typeUnicode]
	}
	if !ok {
		return &gen.PropertyValue{PropertyTag: tag&^0xffff | typeError, Value: &gen.PropertyValueUnion{
			Value: &gen.PropertyValueUnion_Error{Error: int32(codeNotFound - 1<<32)}}}
	}
	u := &gen.PropertyValueUnion{}
	switch v := v.(type) {
	case int32:
		u.Value = &gen.PropertyValueUnion_Int32{Int32: v}
	case bool:
		u.Value = &gen.PropertyValueUnion_Bool{Bool: uint16(map[bool]int{true: 1}[v])}
	case []byte:
		u.Value = &gen.PropertyValueUnion_Binary{Binary: &gen.Binary{Length: uint32(len(v)), Value: v}}
	case string:
		if narrow {
			u.Value = &gen.PropertyValueUnion_CharString{CharString: v}
		} else {
			u.Value = &gen.PropertyValueUnion_String{String: v}
		}
	}
	return &gen.PropertyValue{PropertyTag: tag, Value: u}
}
