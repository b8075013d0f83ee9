package transparent

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/nspiproxy/nspiproxy/policy"
)

// checkLookups asks the kernel where marked packets go, of clients and of domain
// controllers, with and without a bit of others in the mark. It returns errLedAway if
// that is not to this machine.
func (p *Plan) checkLookups(conn *netlink.Conn, f family, links []link) error {
	before, err := f.rulesBefore(conn)
	if err != nil {
		return err
	}
	for _, l := range p.of(policy.ModeTPROXY) {
		for _, q := range f.questions(l, links, p.settings.Mark) {
			asked := []question{q}
			if bit := furtherBit(q.mark, before); bit != 0 {
				marked := q
				marked.mark |= bit
				asked = append(asked, marked)
			}
			if on, ok := interfaceTowards(conn, q, links); ok {
				asked = append(asked, q.answered(on))
			}
			for _, q := range asked {
				if err := checkLookup(conn, q, links, before); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// interfaceTowards returns the one through which the destination of q is reached.
func interfaceTowards(conn *netlink.Conn, q question, links []link) (link, bool) {
	where, err := lookUp(conn, question{to: q.to})
	if err != nil || where.kind != unix.RTN_UNICAST {
		return link{}, false
	}
	return linkOf(where.out, links)
}

func linkOf(index int, links []link) (link, bool) {
	for _, k := range links {
		if k.index == index {
			return k, true
		}
	}
	return link{}, false
}

// checkLookup asks one question. An answer that may be about the sender, which is not
// known for sure, is no error: the kernel checks senders too.
func checkLookup(conn *netlink.Conn, q question, links []link, before []ruleBefore) error {
	where, err := lookUp(conn, q)
	gives, table := "", uint32(0)
	switch {
	case err == nil && where.kind == unix.RTN_LOCAL:
		return nil
	case err == nil && where.kind == unix.RTN_UNICAST:
		k, _ := linkOf(where.out, links)
		gives, table = fmt.Sprintf("leads out of %s by table %d", k.name, where.table), where.table
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), isNoRoute(err) && len(before) > 0:
		gives = "gives no route"
	default:
		return nil
	}
	text := fmt.Sprintf("%q %s", q, gives)
	if r, ok := blame(q, table, before); ok {
		text += fmt.Sprintf(": the routing rule %q stands before ours (%d); give it a greater number", r, prefLookup)
	}
	return fmt.Errorf("%w: %s", errLedAway, text)
}
