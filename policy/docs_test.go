package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// leaf is one key of the configuration that has a value of its own.
type leaf struct {
	path     string
	required bool
	value    any // the default
}

// leaves walks the yaml tags of v, which holds defaults. A mapping that must be
// given is a leaf too.
func leaves(prefix string, v reflect.Value) []leaf {
	var found []leaf
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key := field.Tag.Get("yaml")
		if key == "-" {
			continue
		}
		path, required := join(prefix, key), strings.Contains(field.Tag.Get("need"), "required")
		switch {
		case isScalar(field.Type), field.Type.Kind() == reflect.Slice && isScalar(field.Type.Elem()):
			found = append(found, leaf{path, required, v.Field(i).Interface()})
		case field.Type.Kind() == reflect.Slice:
			element := reflect.New(field.Type.Elem())
			if e, ok := element.Interface().(interface{ setDefaults() }); ok {
				e.setDefaults()
			}
			found = append(found, leaves(path+"[]", element.Elem())...)
		default:
			if required {
				found = append(found, leaf{path, true, nil})
			}
			found = append(found, leaves(path, v.Field(i))...)
		}
	}
	return found
}

func allLeaves() []leaf {
	defaults := Defaults()
	return leaves("", reflect.ValueOf(&defaults).Elem())
}

// TestDocumentationHasEveryKey demands a row with key, default, values, meaning
// and effect on live sessions for each key, and no row for what is no key.
func TestDocumentationHasEveryKey(t *testing.T) {
	rows := documentedKeys(t)
	for _, l := range allLeaves() {
		cells, ok := rows[l.path]
		if !ok {
			t.Errorf("docs/configuration.md has no row for `%s`", l.path)
			continue
		}
		delete(rows, l.path)
		if len(cells) != 5 {
			t.Errorf("%s: %d cells, want 5", l.path, len(cells))
			continue
		}
		for i, cell := range cells {
			if cell == "" {
				t.Errorf("%s: cell %d is empty", l.path, i+1)
			}
		}
		if want := documentedDefault(l); !strings.HasPrefix(cells[1], want) {
			t.Errorf("%s: default %q, want %q", l.path, cells[1], want)
		}
	}
	for path := range rows {
		t.Errorf("docs/configuration.md has a row for `%s`, which is no key", path)
	}
}

// documentedKeys returns the cells of each table row whose first cell is a key.
func documentedKeys(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if key, ok := strings.CutPrefix(cells[0], "`"); ok && !strings.HasPrefix(key, "'") && strings.HasPrefix(line, "|") {
			rows[strings.TrimSuffix(key, "`")] = cells
		}
	}
	return rows
}

// documentedDefault returns how the document begins its cell for the default.
func documentedDefault(l leaf) string {
	special := map[string]string{
		"listeners[].address": "required in mode `forward`", "listeners[].backend": "required in mode `forward`, or `backends`",
		"listeners[].epm_port": "`135`", "listeners[].port": "required in modes `tproxy` and `redirect`",
		"listeners[].destinations": "required in modes `tproxy` and `redirect`", "listeners[].interfaces": "all but `lo`",
		"backends[].address": "required, or `srv`", "backends[].dns_server": "the system's",
		"transparent.same_process":   "`true` with `when_down: closed`, else `false`",
		"identity.directory.base_dn": "the domain", "identity.directory.ca_file": "the system's",
	}
	if text, ok := special[l.path]; ok {
		return text
	}
	switch value := l.value.(type) {
	case nil:
		return "required"
	case time.Duration:
		return fmt.Sprintf("`%gs`", value.Seconds())
	default:
		switch {
		case l.required:
			return "required"
		case strings.Contains(l.path, ".match."):
			return "any "
		case isNothing(reflect.ValueOf(value)):
			return "none"
		}
		return fmt.Sprintf("`%v`", value)
	}
}

// isNothing reports whether a key has no default that could be written down.
// Switches and plain numbers have one.
func isNothing(v reflect.Value) bool {
	return v.IsZero() && v.Kind() != reflect.Bool && v.Kind() != reflect.Int
}

// TestFullExampleHasEveryKey keeps testdata/config/full.yaml complete.
func TestFullExampleHasEveryKey(t *testing.T) {
	data, err := os.ReadFile(configs + "/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range allLeaves() {
		key := l.path[strings.LastIndexAny(l.path, ".")+1:]
		if !regexp.MustCompile(`\b` + key + `:`).Match(data) {
			t.Errorf("full.yaml does not have %s", l.path)
		}
	}
}

// TestDocumentedExampleIsTheTestedOne keeps the document and the file alike.
func TestDocumentedExampleIsTheTestedOne(t *testing.T) {
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(configs + "/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```yaml\n"+string(example)+"```\n") {
		t.Error("the example of docs/configuration.md is not testdata/config/example.yaml")
	}
}

// yamlBlock is a configuration on a page.
var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// Whoever copies an example must get what the page says. Parts of a
// configuration have no version; the rest is whole.
func TestExamplesOnPagesAreValid(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%v, %v", pages, err)
	}
	whole := 0
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for n, block := range yamlBlock.FindAllSubmatch(text, -1) {
			if !strings.HasPrefix(string(block[1]), "version:") {
				continue
			}
			whole++
			if _, err := Parse(fmt.Sprintf("%s, example %d", page, n+1), block[1]); err != nil {
				t.Error(err)
			}
		}
	}
	if whole < 5 {
		t.Errorf("only %d examples are whole", whole)
	}
}
