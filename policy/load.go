package policy

import (
	"fmt"
	"io"
	"os"
	"reflect"
)

// maxFile is the greatest size of a configuration file in bytes: some ten
// thousand rules.
const maxFile = 1 << 20

// Load reads and checks a configuration file, and that the files it names are
// there; secrets must be private, see [CheckPrivate]. If the file can be read,
// the error is [Problems].
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
	return parse(path, data, true)
}

// Parse checks a configuration; file is its name in errors. The error is
// [Problems], with everything that is wrong. Unlike [Load] it does not look at
// the files that the configuration names.
func Parse(file string, data []byte) (*Config, error) { return parse(file, data, false) }

func parse(file string, data []byte, withFiles bool) (*Config, error) {
	c := &collector{file: file}
	root := parseYAML(c, data)
	if root == nil {
		return nil, c.err()
	}
	cfg := Defaults()
	d := &decoder{problems: c, places: make(map[string]place), text: data, budget: maxNodes}
	d.decode(root, "", reflect.ValueOf(&cfg).Elem())
	v := &validator{cfg: &cfg, problems: c, warnings: &collector{file: file}, places: d.places}
	if d.budget >= 0 { // a file that was read in part tells nothing of the rest
		v.run()
	}
	if withFiles {
		v.files()
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	cfg.Warnings, cfg.file, cfg.places = v.warnings.sorted(), file, d.places
	return &cfg, nil
}
