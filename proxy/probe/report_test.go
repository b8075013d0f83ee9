package probe_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

// sample is a report with every field.
func sample() probe.Report {
	return probe.Report{
		Target: "dc1.lab.test", Auth: probe.AuthKerberos, Level: probe.LevelPrivacy, SPN: "exchangeAB/dc1.lab.test",
		Address: "10.0.0.1", NSPIPort: 49153, Entries: 12, Answered: true, Outcome: probe.OutcomeFailed,
		Err: "nspi_unbind: no answer in time", Duration: 2034 * time.Millisecond,
		Steps: []probe.Step{
			{Name: probe.StepNSPIConnect, Duration: 1500 * time.Microsecond, Detail: "10.0.0.1:49153"},
			{Name: probe.StepRPCBind, Duration: time.Microsecond},
			{Name: probe.StepUnbind, Duration: 2 * time.Second, Err: "no answer in time"},
		},
	}
}

func TestNamesInJSONAreStable(t *testing.T) {
	const want = `{"target":"dc1.lab.test","auth":"kerberos","level":"privacy","spn":"exchangeAB/dc1.lab.test",` +
		`"address":"10.0.0.1","nspi_port":49153,"entries":12,"query_answered":true,"outcome":"failed",` +
		`"error":"nspi_unbind: no answer in time","duration_ms":2034,"steps":[` +
		`{"step":"nspi_connect","ok":true,"duration_ms":1.5,"detail":"10.0.0.1:49153"},` +
		`{"step":"rpc_bind","ok":true,"duration_ms":0.001},` +
		`{"step":"nspi_unbind","ok":false,"duration_ms":2000,"error":"no answer in time"}]}`
	got, err := json.Marshal(sample())
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	var back probe.Report
	if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, sample()) {
		t.Errorf("%v: %+v", err, back)
	}
	if got, err := json.Marshal(probe.Report{}); err != nil || !bytes.Contains(got, []byte(`"steps":[]`)) {
		t.Errorf("%v: %s", err, got)
	}
}

func TestTextIsATable(t *testing.T) {
	for _, tc := range []struct {
		change func(*probe.Report)
		want   string
	}{
		{func(*probe.Report) {}, `NSPI on dc1.lab.test (kerberos, level privacy, exchangeAB/dc1.lab.test)
  nspi_connect  ok          1.5 ms  10.0.0.1:49153
  rpc_bind      ok          0.0 ms
  nspi_unbind   FAILED   2000.0 ms  no answer in time
failed in 2034.0 ms: nspi_unbind: no answer in time
`},
		{func(r *probe.Report) { r.Outcome, r.Steps = probe.OutcomeOK, nil }, `NSPI on dc1.lab.test (kerberos, level privacy, exchangeAB/dc1.lab.test)
ok in 2034.0 ms: the address book has 12 entries, the session is closed
`},
		{func(r *probe.Report) {
			*r = probe.Report{Target: "dc1", Auth: probe.AuthNone, Outcome: probe.OutcomeAnonymousRefused}
		}, `NSPI on dc1 (without authentication)
anonymous_refused in 0.0 ms: NSPI answers; it opens no session without authentication
`},
		{func(r *probe.Report) { r.Outcome, r.Steps, r.SPN = probe.OutcomeRefusedLimit, nil, "" }, `NSPI on dc1.lab.test (kerberos, level privacy)
refused_limit in 2034.0 ms: MAPI_E_LOGON_FAILED: this user has as many sessions as it may have
`},
	} {
		r := sample()
		tc.change(&r)
		var b bytes.Buffer
		if err := r.WriteText(&b); err != nil || b.String() != tc.want {
			t.Errorf("%v\n%s\nwant\n%s", err, &b, tc.want)
		}
	}
}
