package simdc_test

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// epmDialects is what clients ask the endpoint mapper in.
var epmDialects = map[string]client.Options{
	"NDR":             {},
	"NDR64":           {Transfer: rpcparse.SyntaxNDR64},
	"NDR, big-endian": {Order: rpcparse.BigEndian},
}

func TestEndpointMapperTellsEveryPort(t *testing.T) {
	dc := start(t, simdc.Config{MorePorts: 4})
	for name, o := range epmDialects {
		for _, step := range []uint32{1, 2, 5, 500} { // fewer than there are: continued by handle
			c, err := client.DialEPM(dc.EPMAddr().String(), o)
			if err != nil {
				t.Fatal(err)
			}
			found, err := c.Map(nspi.Interface, step)
			if err != nil || len(found) != 5 {
				t.Fatalf("%s by %d: %d towers, %v", name, step, len(found), err)
			}
			for i, e := range found {
				if e.Port != dc.NSPIAddrs()[i].Port() || e.Interface != nspi.Interface || e.Protocol != tower.ProtocolTCP {
					t.Errorf("%s by %d: %+v", name, step, e)
				}
			}
			all, err := c.Lookup(step)
			if err != nil || len(all) != 15 {
				t.Errorf("%s by %d: looked up %d, %v", name, step, len(all), err)
			}
			c.Close()
		}
		if _, err := client.Map(dc.EPMAddr().String(), tower.EPMInterface, o); err == nil {
			t.Errorf("%s: an interface that is not registered was found", name)
		}
	}
	eventually(t, "no entry handle is left", func() bool { return len(dc.Associations()) == 0 })
}

func TestMappedPortsLeadToTheInterface(t *testing.T) {
	dc := start(t, simdc.Config{Address: "127.0.0.3"})
	found, err := client.Map(dc.EPMAddr().String(), simdc.EchoInterface, client.Options{})
	if err != nil || len(found) != 1 || found[0].Port != dc.NSPIAddr().Port() {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestEntryHandlesAreFreedAndUsedOnce(t *testing.T) {
	dc := start(t, simdc.Config{MorePorts: 1})
	c, err := client.DialEPM(dc.EPMAddr().String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	lookup := func(h tower.Handle) (tower.LookupResponse, error) {
		stub, _ := tower.AppendLookupRequest(nil, tower.LookupRequest{MaxEntries: 1, Handle: h,
			Inquiry: tower.InquireInterface, HasInterface: true, Interface: nspi.Interface}, tower.NDR, c.Order)
		if stub, err = c.Call(tower.OpnumLookup, stub); err != nil {
			return tower.LookupResponse{}, err
		}
		return tower.WalkLookupResponse(stub, tower.NDR, c.Order)
	}
	r, err := lookup(tower.Handle{})
	if err != nil || r.Handle.IsZero() || len(r.Entries) != 1 || string(r.Entries[0].Annotation) != "MS NT Directory NSP Interface" {
		t.Fatalf("%+v, %v", r, err)
	}
	if got, err := c.Call(tower.OpnumLookupHandleFree, r.Handle[:]); err != nil || len(got) != 24 {
		t.Errorf("%x, %v", got, err)
	}
	if _, err := lookup(r.Handle); !client.IsFault(err, rpcparse.StatusContextMismatch) {
		t.Errorf("a handle that was freed: %v", err)
	}
	for name, tc := range map[string]struct {
		opnum  uint16
		status uint32
	}{
		"insert":             {tower.OpnumInsert, rpcparse.StatusAccessDenied},
		"opnum 9":            {9, rpcparse.StatusOpRangeError},
		"map of nothing":     {tower.OpnumMap, rpcparse.StatusBadStubData},
		"lookup of nothing":  {tower.OpnumLookup, rpcparse.StatusBadStubData},
		"freeing of nothing": {tower.OpnumLookupHandleFree, rpcparse.StatusBadStubData},
	} {
		if _, err := c.Call(tc.opnum, nil); !client.IsFault(err, tc.status) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
