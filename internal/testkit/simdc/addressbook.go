package simdc

import (
	"fmt"
	"strings"
)

// firstMId is the id of the first row (MS-NSPI 2.2.1.8: ids below 0x10 are
// positions).
const firstMId = 0x10

// The positions of MS-NSPI 2.2.1.8.
const (
	midBeginning = 0
	midCurrent   = 1
	midEnd       = 2
)

// addressBook is one container of people, sorted by name. It never changes.
type addressBook struct {
	people []Person
}

func newAddressBook(people []Person) *addressBook { return &addressBook{people: people} }

// somePeople returns the default rows.
func somePeople() []Person {
	var people []Person
	for _, name := range []string{
		"Ada Byron", "Alan Turing", "Barbara Liskov", "Claude Shannon", "Donald Knuth", "Edsger Dijkstra",
		"Frances Allen", "Grace Hopper", "Hedy Lamarr", "John McCarthy", "Niklaus Wirth", "Tony Hoare",
	} {
		account := strings.ToLower(name[strings.LastIndexByte(name, ' ')+1:])
		people = append(people, Person{Name: name, Account: account, Address: account + "@lab.test"})
	}
	return people
}

// mid returns the id of row i.
func (b *addressBook) mid(i int) uint32 { return firstMId + uint32(i) }

// row returns the position of the row with id mid.
func (b *addressBook) row(mid uint32) (int, bool) {
	i := int(int64(mid) - firstMId)
	return i, i >= 0 && i < len(b.people)
}

// position returns the row that a STAT's current record and delta point at,
// from 0 to the number of rows.
func (b *addressBook) position(current uint32, numPos, delta int64) int {
	at := int64(0)
	switch current {
	case midBeginning:
	case midCurrent:
		at = numPos
	case midEnd:
		at = int64(len(b.people))
	default:
		if i, ok := b.row(current); ok {
			at = int64(i)
		}
	}
	return int(min(max(at+delta, 0), int64(len(b.people))))
}

// resolve returns the rows whose name, account or address starts with text,
// which is how ambiguous names are resolved.
func (b *addressBook) resolve(text string) []int {
	var found []int
	text = strings.ToLower(text)
	for i, p := range b.people {
		for _, s := range []string{p.Name, p.Account, p.Address} {
			if text != "" && strings.HasPrefix(strings.ToLower(s), text) {
				found = append(found, i)
				break
			}
		}
	}
	return found
}

// distinguishedName is the X.500 name of a person in an address book.
func (p Person) distinguishedName() string {
	return fmt.Sprintf("/o=LAB/ou=First Administrative Group/cn=Recipients/cn=%s", p.Account)
}
