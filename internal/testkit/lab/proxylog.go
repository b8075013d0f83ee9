package lab

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// Events are the log's records of one event.
func (p *Proxy) Events(event string) []Record {
	return slices.DeleteFunc(p.Log(), func(r Record) bool { return r["event"] != event })
}

// DC is the domain controller that a record is about.
func (r Record) DC() string {
	if name, ok := r["dc"].(string); ok {
		return name
	}
	name, _ := r["backend"].(string)
	return name
}

// BackendMetric is a value of a metric about one domain controller.
func (p *Proxy) BackendMetric(t *testing.T, metric, dc string, labels ...string) int {
	t.Helper()
	return int(p.Metrics(t).Sum("nspiproxy_backend_"+metric, append(labels, `dc="`+dc+`"`)...))
}

// Warnings are the log's records that are worth attention, as text, without what each start says of how users are counted, and
// of a machine that allows few files.
func (p *Proxy) Warnings() (all []string) {
	for _, line := range p.Out.All() {
		if strings.Contains(line, "identity.how") || strings.Contains(line, "files.limit") {
			continue
		}
		if strings.Contains(line, `"level":"warn"`) || strings.Contains(line, `"level":"error"`) {
			all = append(all, line)
		}
	}
	return all
}

// Record is one line of the proxy's log.
type Record map[string]any

// Log returns the log so far.
func (p *Proxy) Log() []Record {
	var all []Record
	for _, line := range p.Out.All() {
		var r Record
		if json.Unmarshal([]byte(line), &r) == nil {
			all = append(all, r)
		}
	}
	return all
}

// eventRefused is the event id of a refused bind, as in a domain controller's own event.
const eventRefused = 2820

// Refusals returns the records of refused binds.
func (p *Proxy) Refusals() []Record {
	return slices.DeleteFunc(p.Log(), func(r Record) bool { return r["event_id"] != float64(eventRefused) })
}
