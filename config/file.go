package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes is far more than any configuration needs, and keeps /dev/zero from filling memory.
const maxFileBytes = 1 << 20

// file is what a YAML file says, checked for its form: only known keys, each at most once, each of the right shape.
// Scalars are kept as they were written, so that a name 007 stays 007, and file and environment are parsed alike.
type file struct {
	path     string
	values   map[string]any    // nested, as viper takes it
	lines    map[string]string // "file:line" of each key that has a value, by viper's path
	replicas int
	faults   []Fault

	unreadable bool // nothing is known of its keys
}

func readFile(path string) *file {
	f := &file{path: path, values: map[string]any{}, lines: map[string]string{}}
	data, err := readLimited(path)
	if err != nil {
		f.fault("", nil, err.Error(), "name a readable file with -c FILE")
		f.unreadable = true
		return f
	}
	f.parse(data)
	return f
}

func readLimited(path string) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %s", path, formatSize(maxFileBytes))
	}
	return data, nil
}

func (f *file) fault(key string, at *yaml.Node, problem, hint string) {
	source := ""
	if at != nil {
		source = f.place(at)
	}
	f.faults = append(f.faults, Fault{Key: displayKey(key), Source: source, Problem: problem, Hint: hint})
}

// place is where a node stands, as file:line; the error names the file's folder.
func (f *file) place(node *yaml.Node) string {
	return fmt.Sprintf("%s:%d", filepath.Base(f.path), node.Line)
}

func (f *file) parse(data []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return // empty, or comments only
	}
	if err != nil {
		hint := ""
		if strings.Contains(err.Error(), "alphabetic") || strings.Contains(err.Error(), "anchor") {
			hint = `a pattern that begins with * needs quotes: include: ["*"]`
		}
		f.fault("", nil, "not valid YAML: "+strings.TrimPrefix(err.Error(), "yaml: "), hint)
		f.unreadable = true
		return
	}
	var more yaml.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		f.fault("", nil, "more than one YAML document, or text after the end of the first", "keep one document a file")
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return
	}
	f.section("", document.Content[0], f.values)
}

// pairs are a mapping's keys and values, without those that are given twice.
func (f *file) pairs(parent string, mapping *yaml.Node) [][2]*yaml.Node {
	first := map[string]*yaml.Node{}
	var pairs [][2]*yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			f.fault(parent, key, "a key must be a plain word", "write the keys out; anchors, aliases and merge keys are not read")
			continue
		}
		if earlier, ok := first[key.Value]; ok {
			f.fault(joinKey(parent, key.Value), key, fmt.Sprintf("given twice, first on line %d", earlier.Line), "keep one of them")
			continue
		}
		first[key.Value] = key
		pairs = append(pairs, [2]*yaml.Node{key, value})
	}
	return pairs
}

// section reads the mapping below a section's key ("" for the whole file) into values.
func (f *file) section(parent string, node *yaml.Node, values map[string]any) {
	if isNull(node) {
		return
	}
	if node.Kind != yaml.MappingNode {
		f.fault(parent, node, "must be a section, but is "+kindOf(node), "valid here: "+strings.Join(childKeys(parent), ", "))
		return
	}
	for _, pair := range f.pairs(parent, node) {
		name, value := pair[0], pair[1]
		key := joinKey(parent, name.Value)
		if s, ok := findSetting(key); ok {
			f.leaf(s, value, name.Value, values)
			continue
		}
		switch {
		case key == replicasKey:
			f.replicaList(value, values)
		case isSection(key):
			below := map[string]any{}
			values[name.Value] = below
			f.section(key, value, below)
		case slices.Contains(notBuilt(), key):
			f.fault(key, name, notBuiltYet, "remove the section")
		default:
			f.fault(key, name, "unknown key", suggestKey(parent, name.Value))
		}
	}
}

func (f *file) leaf(s setting, node *yaml.Node, name string, values map[string]any) {
	if isNull(node) {
		return
	}
	var value any
	var ok bool
	if s.list {
		value, ok = f.list(s.key, node)
	} else {
		value, ok = f.scalar(s.key, node)
	}
	if ok {
		values[name] = value
		f.lines[s.key] = f.place(node)
	}
}

func (f *file) list(key string, node *yaml.Node) ([]any, bool) {
	if node.Kind != yaml.SequenceNode {
		f.fault(key, node, "must be a list, but is "+kindOf(node), `write it in brackets: ["sales.*", "public.orders"]`)
		return nil, false
	}
	items := make([]any, 0, len(node.Content))
	for i, item := range node.Content {
		text, ok := f.scalar(fmt.Sprintf("%s[%d]", key, i), item)
		if !ok {
			return nil, false
		}
		items = append(items, text)
	}
	return items, true
}

func (f *file) scalar(key string, node *yaml.Node) (string, bool) {
	if node.Kind != yaml.ScalarNode {
		f.fault(key, node, "must be a single value, but is "+kindOf(node), "")
		return "", false
	}
	if node.Style&yaml.TaggedStyle != 0 {
		f.fault(key, node, "YAML tags are not read", "write the value without a tag")
		return "", false
	}
	return node.Value, true
}

func (f *file) replicaList(node *yaml.Node, values map[string]any) {
	if isNull(node) {
		return
	}
	if node.Kind != yaml.SequenceNode {
		f.fault(replicasKey, node, "must be a list, but is "+kindOf(node), "begin each replica with \"- name:\"")
		return
	}
	list := make([]any, 0, len(node.Content))
	for i, item := range node.Content {
		replica := map[string]any{}
		list = append(list, replica)
		parent := fmt.Sprintf("%s[%d]", replicasKey, i)
		if item.Kind != yaml.MappingNode {
			f.fault(parent, item, "must have name and url, but is "+kindOf(item), "begin each replica with \"- name:\"")
			continue
		}
		for _, pair := range f.pairs(parent, item) {
			name, value := pair[0], pair[1]
			if !slices.Contains(replicaFields(), name.Value) {
				f.fault(joinKey(parent, name.Value), name, "unknown key", suggestKey(parent, name.Value))
				continue
			}
			if isNull(value) {
				continue
			}
			if text, ok := f.scalar(joinKey(parent, name.Value), value); ok {
				replica[name.Value] = text
				f.lines[fmt.Sprintf("%s.%d.%s", replicasKey, i, name.Value)] = f.place(value)
			}
		}
	}
	values[replicasKey] = list
	f.replicas = len(list)
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// kindOf names a node's shape, not its content, which may be a secret.
func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a section"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	default:
		if isNull(node) {
			return "empty"
		}
		return "a single value"
	}
}
