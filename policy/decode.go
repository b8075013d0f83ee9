package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds how many YAML nodes are visited, counting every use of an
// alias: a thousand rules have some ten each, the rest is for client networks.
const maxNodes = 1 << 18

// maxEntries bounds the listeners, backends and rules. Rules are tried one
// after the other when a bind arrives: a thousand take some ten microseconds.
const maxEntries = 1000

// decoder fills a Config from YAML nodes along its yaml tags. The structs give
// the depth, so that an alias to its own parent ends like any other wrong type;
// budget bounds the breadth.
type decoder struct {
	problems *collector
	places   map[string]place // where the file has every key, mapping and list entry that the file gives, by path; none for what should be a mapping and is not
	text     typed
	budget   int
}

// decode reads n into out. What cannot be read is a problem and leaves out as
// it is.
func (d *decoder) decode(n *yaml.Node, path string, out reflect.Value) {
	if !d.spend(n, path) {
		return
	}
	at := placeOf(n)
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if t, ok := scalarTypes[out.Type()]; ok {
		d.decodeScalar(n, at, path, t, out)
		return
	}
	switch out.Kind() {
	case reflect.Struct:
		d.decodeStruct(n, at, path, out)
	case reflect.Slice:
		d.decodeList(n, at, path, out)
	default:
		panic("policy: no way to read a " + out.Type().String())
	}
}

// spend takes one node from the budget and reports whether there was one.
func (d *decoder) spend(n *yaml.Node, path string) bool {
	d.budget--
	if d.budget == -1 {
		d.problems.add(placeOf(n), path, fmt.Sprintf("more than %d values", maxNodes), "a configuration; aliases multiply what they refer to")
	}
	return d.budget >= 0
}

func (d *decoder) decodeScalar(n *yaml.Node, at place, path string, t scalarType, out reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		expected := t.expected
		if n.Kind == yaml.SequenceNode {
			expected = "one: " + expected
		}
		d.problems.add(at, path, describe(n), expected)
		return
	}
	if inTypographicQuotes(n) {
		d.problems.add(at, path, quote(n.Value)+", in typographic quotes", `quotes as YAML has them, ' or "`)
		return
	}
	value, err := t.parse(n)
	if err != nil {
		d.unreadable(n, at, path, err)
		return
	}
	out.Set(reflect.ValueOf(value))
}

// unreadable reports a scalar that cannot be read. One that was typed in another way than
// it reads is shown as it was typed.
func (d *decoder) unreadable(n *yaml.Node, at place, path string, err error) {
	if !d.problems.full() {
		if raw, ok := d.text.escaped(n); ok {
			d.problems.add(at, path, clip(raw), inSingleQuotes(raw))
			return
		}
	}
	d.problems.add(at, path, describe(n), strings.TrimPrefix(err.Error(), "expected "))
}

// decodeList reads a list. One assurance may stand without its list.
func (d *decoder) decodeList(n *yaml.Node, at place, path string, out reflect.Value) {
	if n.Kind == yaml.ScalarNode && out.Type() == reflect.TypeFor[[]Assurance]() {
		value := reflect.New(out.Type().Elem()).Elem()
		d.decodeScalar(n, at, path, scalarTypes[value.Type()], value)
		out.Set(reflect.Append(out, value))
		return
	}
	if n.Kind != yaml.SequenceNode || n.ShortTag() != "!!seq" {
		expected := "a list"
		if n.Kind == yaml.ScalarNode && isScalar(out.Type().Elem()) && n.ShortTag() != "!!null" {
			expected += ", if of one: [" + clip(n.Value) + "]"
		}
		d.problems.add(at, path, describe(n), expected)
		return
	}
	if out.Type().Elem().Kind() == reflect.Struct && !isScalar(out.Type().Elem()) && len(n.Content) > maxEntries {
		d.problems.add(at, path, fmt.Sprintf("%d entries", len(n.Content)), fmt.Sprintf("at most %d", maxEntries))
		return
	}
	for i, item := range n.Content {
		if d.budget < 0 {
			return
		}
		value := reflect.New(out.Type().Elem()).Elem()
		if e, ok := value.Addr().Interface().(interface{ setDefaults() }); ok {
			e.setDefaults()
		}
		itemPath := fmt.Sprintf("%s[%d]", path, i)
		d.places[itemPath] = placeOf(item)
		d.decode(item, itemPath, value)
		out.Set(reflect.Append(out, value))
	}
}

func (d *decoder) decodeStruct(n *yaml.Node, at place, path string, out reflect.Value) {
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		d.problems.add(at, path, describe(n), "a mapping with the keys "+strings.Join(keysOf(out.Type()), ", "))
		delete(d.places, path)
		return
	}
	d.places[path] = at
	given := make(map[string]place)
	for i := 0; i+1 < len(n.Content); i += 2 {
		d.decodeField(n.Content[i], n.Content[i+1], path, out, given)
	}
	d.checkNeeds(n, at, path, out.Type(), given)
}

// decodeField reads one key and its value. given holds the places of the keys
// of this mapping so far.
func (d *decoder) decodeField(key, value *yaml.Node, path string, out reflect.Value, given map[string]place) {
	if !d.spend(key, path) {
		return
	}
	index := fieldOf(out.Type(), key)
	if index < 0 {
		d.problems.add(placeOf(key), path, describeKey(key), "one of "+strings.Join(keysOf(out.Type()), ", "))
		return
	}
	if first, twice := given[key.Value]; twice {
		d.problems.add(placeOf(key), join(path, key.Value), fmt.Sprintf("the key again (first on line %d)", first.line), "each key once")
		return
	}
	given[key.Value] = placeOf(key)
	d.places[join(path, key.Value)] = placeOf(key)
	d.decode(value, join(path, key.Value), out.Field(index))
}

// checkNeeds reports required keys that are missing and lists that must not be
// empty.
func (d *decoder) checkNeeds(n *yaml.Node, at place, path string, t reflect.Type, given map[string]place) {
	if d.budget < 0 {
		return // keys were not read, not missing
	}
	for i := range t.NumField() {
		field := t.Field(i)
		key, needs := field.Tag.Get("yaml"), strings.Split(field.Tag.Get("need"), ",")
		if _, ok := given[key]; !ok {
			if slices.Contains(needs, "required") {
				d.problems.add(at, join(path, key), "nothing", expectedFor(field.Type))
			}
			continue
		}
		if slices.Contains(needs, "nonempty") && isEmptyList(valueOf(n, key)) {
			d.problems.add(given[key], join(path, key), "an empty list", "at least one entry")
		}
	}
}

// valueOf returns the value of the first key of that name in mapping n.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func isEmptyList(n *yaml.Node) bool {
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n != nil && n.Kind == yaml.SequenceNode && n.ShortTag() == "!!seq" && len(n.Content) == 0
}

// fieldOf returns the index of the field for a key, or -1.
func fieldOf(t reflect.Type, key *yaml.Node) int {
	if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
		return -1
	}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag == key.Value && tag != "-" {
			return i
		}
	}
	return -1
}

// keysOf returns the keys that a struct has, in its order.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

// expectedFor says what a missing key needs.
func expectedFor(t reflect.Type) string {
	if scalar, ok := scalarTypes[t]; ok {
		return scalar.expected
	}
	if t.Kind() == reflect.Slice {
		return "a list"
	}
	return "a mapping with the keys " + strings.Join(keysOf(t), ", ")
}

// join appends a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
