package proxy

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTroubleshootingNamesWhatOperatingExplains: records and metrics in the tables of symptoms are in the tables of records
// and metrics. Columns are symptom, record, metric, cause and remedy.
func TestTroubleshootingNamesWhatOperatingExplains(t *testing.T) {
	page, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	operating, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	named, rows := regexp.MustCompile("`([a-z]+\\.[a-z_]+|nspiproxy_[a-z_]+)"), 0
	for line := range strings.Lines(string(page)) {
		columns := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(columns) != 5 {
			continue
		}
		rows++
		for _, m := range named.FindAllStringSubmatch(columns[1]+" "+columns[2], -1) {
			if !strings.Contains(string(operating), "`"+m[1]) {
				t.Errorf("%s is not explained: %s", m[1], line)
			}
		}
	}
	if rows < 20 {
		t.Errorf("%d rows were found", rows)
	}
}
