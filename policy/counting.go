package policy

import (
	"fmt"
	"text/tabwriter"
)

// Counting says by what some of the users are counted.
type Counting struct {
	Who string // which users
	How string // by what
	// Alarming: they would have names, and those behind one address share one limit.
	Alarming bool
}

// Counting says by what users are counted with this configuration, for those who
// have to know before they set a limit. Whether a keytab has the right keys it does
// not know.
func (i *Identity) Counting() []Counting {
	network := fmt.Sprintf("by network of the client (IPv4 /%d, IPv6 /%d): all users behind one share one limit", i.Networks.IPv4, i.Networks.IPv6)
	kerberos := Counting{Who: "Kerberos", How: network + "; a keytab with the domain controllers' keys tells them apart", Alarming: true}
	if len(i.Keytabs) > 0 {
		kerberos = Counting{Who: "Kerberos", How: "by SID, where the ticket opens with a key of that domain controller's own account, else as unreadable"}
	}
	ntlm := Counting{Who: "NTLM", How: "by account name; domains that are not listed mean the domain controller's own"}
	if i.Directory.Configured() {
		ntlm.How = "by SID from the directory; by account name where it does not know the account or does not answer"
		if i.Directory.WhenDown == WhenDownRefuse {
			ntlm.How = "by SID from the directory; by account name where it does not know the account; refused while it does not answer"
		}
	}
	unreadable := Counting{Who: "unreadable", How: network}
	switch i.Unreadable {
	case UnreadableRefuse:
		unreadable = Counting{Who: "unreadable", How: "refused"}
	case UnreadableHold:
		unreadable = Counting{Who: "unreadable", How: "held for a while and refused"}
	}
	return []Counting{kerberos, ntlm, unreadable, {Who: "no name", How: network}}
}

// describeCounting prints who is counted how.
func describeCounting(w *tabwriter.Writer, counting []Counting) {
	fmt.Fprintln(w, "Who is counted how")
	for _, k := range counting {
		fmt.Fprintf(w, "  %s\t%s\n", k.Who, k.How)
	}
	fmt.Fprintln(w)
}

// describeDomains prints the trusted domains.
func (i *Identity) describeDomains(w *tabwriter.Writer) {
	for _, d := range i.Domains {
		if d.DNS == "" {
			fmt.Fprintf(w, "  trusted\t%s\n", d.NetBIOS)
			continue
		}
		fmt.Fprintf(w, "  trusted\t%s, %s\n", d.NetBIOS, d.DNS)
	}
}
