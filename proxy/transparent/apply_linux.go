package transparent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Apply puts the rules in force, with the given ports as learnt ones: all of
// them, or none. Rules of ours that were there are replaced; applied twice, it
// changes nothing. Without a transparent listener it does nothing. It needs
// CAP_NET_ADMIN and the programs nft and ip. Connections that are known to pass by
// go on to do so.
func (p *Plan) Apply(learnt []netip.AddrPort) error {
	if p.Empty() {
		return nil
	}
	for _, name := range []string{"nft", "ip"} {
		if _, err := program(name); err != nil {
			return err
		}
	}
	undo, err := p.applyRouting()
	if err != nil {
		return errors.Join(explainRouting(err), undo())
	}
	// Last, because it is one transaction: it is done or nothing of it is.
	if p.renew(learnt) == nil {
		return nil
	}
	if err := p.replace(learnt); err != nil {
		return errors.Join(p.explainMissing(err), undo())
	}
	return nil
}

// errOther says that other rules are in force than those of the plan.
var errOther = errors.New("other rules are in force")

// renew puts the rules in force again where the table has been made with the same ones.
// No connection that passes by is lost, as fast as they are made.
func (p *Plan) renew(learnt []netip.AddrPort) error {
	conn, err := dialNetfilter()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	has, err := conn.readTable()
	if err != nil {
		return err
	}
	if plan := p.table(); has == nil || !plan.isLike(has) {
		return errOther
	}
	_, err = run(p.renewal(learnt), "nft", "-f", "-")
	return err
}

// replace puts the rules in force instead of all others of ours. Connections that pass by
// and are made in the meantime, a hundredth of a second, become strays.
func (p *Plan) replace(learnt []netip.AddrPort) error {
	direct, err := readDirect()
	if err != nil {
		return fmt.Errorf("the connections that pass by: %w", err)
	}
	_, err = run(p.ruleset(learnt, direct), "nft", "-f", "-")
	return err
}

// applyRouting puts the routing of each family in force where it is not yet, and
// returns how to have it as it was, also after an error.
func (p *Plan) applyRouting() (undo func() error, err error) {
	var undos []func() error
	undo = func() (err error) {
		for _, u := range undos {
			err = errors.Join(err, u())
		}
		return err
	}
	for _, f := range families {
		was, err := f.current()
		if err != nil {
			return undo, err
		}
		wanted := p.wanted(f)
		if slices.Equal(was, wanted) {
			continue
		}
		if wanted != nil {
			if err := f.checkTable(p.settings.RouteTable); err != nil {
				return undo, err
			}
		}
		undos = append(undos, func() error { return f.replace(was) })
		if err := f.replace(wanted); err != nil {
			return undo, err
		}
	}
	return undo, nil
}

// Remove takes all rules of ours away, whatever the configuration was when they
// were put in force, and nothing else. It is no error if there are none.
func Remove() error {
	empty := fmt.Sprintf("table inet %s\ndelete table inet %[1]s\n", TableName)
	_, err := run(empty, "nft", "-f", "-")
	for _, f := range families {
		if f.enabled() {
			err = errors.Join(err, f.replace(nil))
		}
	}
	return err
}

// RemoveLeft takes away the rules of an earlier configuration, for one that needs
// none, and reports whether there were any. Without the programs or the right to
// look it is assumed that there are none: nothing was put in force without them.
func RemoveLeft() (removed bool, err error) {
	switch table, err := listTable(); {
	case complained(err, "Operation not permitted"):
		return false, nil
	case table == "" || err != nil:
		return false, err
	}
	err = Remove()
	return err == nil, err
}

// listTable returns our table without its elements; empty: there is none.
func listTable() (string, error) {
	if _, err := program("nft"); err != nil {
		return "", nil // nothing can have been put in force
	}
	table, err := run("", "nft", "-t", "list", "table", "inet", TableName)
	if complained(err, "No such file or directory") {
		return "", nil
	}
	return table, err
}

// OnStop does what is to be done when the proxy has ended, as the configuration
// said when the rules were put in force: no connection is taken or refused any
// more (open), or everything stays as it is (closed). It reports whether clients
// pass now. What is left of open rules carries packets of the proxy's last
// connections: without it the end of an answer that was under way, or the news
// that it will not come, never reaches the client, which waits. It also knows the
// connections that are made meanwhile. Remove takes it away.
func OnStop() (opened bool, err error) {
	table, err := listTable()
	switch {
	case table == "" || err != nil:
		return false, err
	case strings.Contains(table, "comment \""+whenDownComment(policy.FailClosed)):
		return false, nil
	}
	var flush strings.Builder
	for _, chain := range []string{chainIntercepted, chainRedirected, chainMissed} {
		if strings.Contains(table, "\tchain "+chain+" {") {
			fmt.Fprintf(&flush, "flush chain inet %s %s\n", TableName, chain)
		}
	}
	_, err = run(flush.String(), "nft", "-f", "-")
	return err == nil, err
}
