package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the greatest size of a configuration file in bytes: some ten
// thousand rules.
const maxFile = 1 << 20

// Load reads and checks a configuration file. If the file can be read, the
// error is [Problems].
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return Parse(path, data)
}

// Parse checks a configuration; file is its name in errors. The error is
// [Problems], with everything that is wrong.
func Parse(file string, data []byte) (*Config, error) {
	c := &collector{file: file}
	root := parseYAML(c, data)
	if root == nil {
		return nil, c.err()
	}
	cfg := Defaults()
	d := &decoder{problems: c, lines: make(map[string]int), budget: maxNodes}
	d.decode(root, "", reflect.ValueOf(&cfg).Elem())
	v := &validator{cfg: &cfg, problems: c, warnings: &collector{file: file}, lines: d.lines}
	v.run()
	if err := c.err(); err != nil {
		return nil, err
	}
	cfg.Warnings = v.warnings.sorted()
	return &cfg, nil
}

// parseYAML returns the root of the only document in data, or nil and a problem.
func parseYAML(c *collector, data []byte) *yaml.Node {
	if len(data) > maxFile {
		c.add(0, "", fmt.Sprintf("more than %d bytes", maxFile), "a configuration file")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		c.add(1, "", "an empty file", "a configuration that begins with version: 1")
		return nil
	case err != nil:
		addSyntaxError(c, err)
		return nil
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
		return doc.Content[0]
	case err != nil:
		addSyntaxError(c, err)
	default:
		c.add(second.Line, "", "a second document", "one document in a file")
	}
	return nil
}

// syntaxLine finds the line number in what the YAML library says.
var syntaxLine = regexp.MustCompile(`^line (\d+): `)

// addSyntaxError records text that is not YAML. The library gives no line for
// the first one.
func addSyntaxError(c *collector, err error) {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		line, _ = strconv.Atoi(m[1])
	}
	expected := "YAML"
	if strings.Contains(text, "alphabetic or numeric character") {
		expected = `YAML; a pattern that begins with * stands in quotes: '*\svc-*'`
	}
	c.add(line, "", "text that is not YAML ("+text+")", expected)
}
