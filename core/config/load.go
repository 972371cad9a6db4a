package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits that are checked before YAML is parsed.
const (
	maxFile    = 1 << 20
	maxNesting = 64
	maxFiles   = 200
)

// Load reads the file at path and what it includes. getenv resolves ${NAME}. The error is an *Error with every mistake, or one of
// reading the file at path itself.
func Load(path string, getenv func(string) (string, bool)) (*Config, error) {
	return LoadWith(path, getenv, nil)
}

// LoadWith is Load, and holds the accounts against the adapters that there are.
func LoadWith(path string, getenv func(string) (string, bool), adapters Adapters) (*Config, error) {
	c, _, err := load(path, getenv, adapters)
	return c, err
}

// load also returns what was read, for watching.
func load(path string, getenv func(string) (string, bool), adapters Adapters) (*Config, watched, error) {
	f := &faults{sources: map[*yaml.Node]*source{}}
	var read watched
	root, err := readTree(f, path, &read)
	if err != nil {
		return nil, read, err
	}
	d := &decoder{faults: f, read: &read, getenv: getenv, dir: filepath.Dir(path), nodes: map[string]*yaml.Node{}}
	c := &Config{}
	if root != nil {
		d.decode(root, reflect.ValueOf(c).Elem(), "")
	}
	c.defaults(d.dir)
	at := d.reporter()
	check(c, at)
	if adapters != nil {
		checkAccounts(c, adapters(c), at)
	}
	if err := f.err(); err != nil {
		return nil, read, err
	}
	c.hidden = f.hidden
	for _, a := range c.AllAccounts() {
		a.Hidden = Secret(strings.Join(f.hidden.inURLs("tenants."+a.Tenant+".accounts."+a.ID+".config"), "\n"))
	}
	c.index()
	return c, read, nil
}

// readTree reads the file and its includes and merges them into one mapping.
func readTree(f *faults, path string, read *watched) (*yaml.Node, error) {
	data, err := read.file(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no configuration file %s; name one with --config, or begin with examples/waybill.yaml", path)
		}
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	root := parse(f, path, data)
	if root == nil {
		return nil, nil
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "include" {
			continue
		}
		globs := root.Content[i+1]
		root.Content = append(root.Content[:i:i], root.Content[i+2:]...)
		include(f, root, globs, filepath.Dir(path), read)
		break
	}
	return root, nil
}

func include(f *faults, root, globs *yaml.Node, dir string, read *watched) {
	list := globs.Content
	if globs.Kind == yaml.ScalarNode {
		list = []*yaml.Node{globs}
	}
	files := 0
	for _, g := range list {
		pattern := g.Value
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(dir, pattern)
		}
		matches, err := read.glob(pattern)
		if err != nil {
			f.at(g, "include", "", "%q is not a pattern of file names", g.Value)
		}
		if len(matches) == 0 && !strings.ContainsAny(g.Value, "*?[") {
			f.at(g, "include", "", "there is no file %s", pattern)
		}
		if files += len(matches); files > maxFiles {
			f.at(g, "include", "", "more than %d files are included", maxFiles)
			return
		}
		for _, m := range matches {
			data, err := read.file(m)
			if err != nil {
				f.at(g, "include", "", "%s cannot be read: %v", m, err)
				continue
			}
			if n := parse(f, m, data); n != nil {
				merge(f, root, n, "")
			}
		}
	}
}

// parse reads one file into its root mapping, nil where it is empty or faulty.
func parse(f *faults, name string, data []byte) *yaml.Node {
	src := &source{name: name, lines: strings.Split(string(data), "\n"), secret: map[int]bool{}}
	whole := func(line int, format string, args ...any) *yaml.Node {
		p := Problem{File: name, Line: line, Column: 1, Message: fmt.Sprintf(format, args...)}
		if line == 0 {
			p.Column = 0
		}
		f.problems = append(f.problems, p)
		return nil
	}
	if len(data) > maxFile {
		return whole(0, "is %d bytes long; at most %d are read", len(data), maxFile)
	}
	if line := tooDeep(data); line > 0 {
		return whole(line, "brackets are nested more than %d deep", maxNesting)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		line, message := 0, strings.TrimPrefix(err.Error(), "yaml: ")
		if _, scanErr := fmt.Sscanf(message, "line %d:", &line); scanErr == nil {
			_, message, _ = strings.Cut(message, ": ")
		}
		if strings.Contains(message, "anchor") { // it quotes what follows a *, which may be the beginning of a secret
			message = "a value that begins with * must stand in quotes"
		}
		return whole(line, "is not YAML: %s", message)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	remember(f, root, src, len(src.lines)+1)
	if root.Kind != yaml.MappingNode {
		f.at(root, "", "", "must be a mapping of names to values")
		return nil
	}
	return root
}

// tooDeep returns the line at which brackets are nested too deep for a parser that recurses, 0 where they are not.
func tooDeep(data []byte) int {
	depth, line := 0, 1
	for _, c := range data {
		switch c {
		case '\n':
			line++
		case '[', '{':
			if depth++; depth > maxNesting {
				return line
			}
		case ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return 0
}

// remember notes which file each node came from, and where secrets stand. end is the first line that is not n's any more.
func remember(f *faults, n *yaml.Node, src *source, end int) {
	f.sources[n] = src
	for i, c := range n.Content {
		next := end
		if i+1 < len(n.Content) {
			next = n.Content[i+1].Line
			if n.Style&yaml.FlowStyle != 0 {
				next++ // what follows may begin on the line on which this ends
			}
		}
		remember(f, c, src, next)
		if n.Kind == yaml.MappingNode && i%2 == 1 && holdsSecret(n.Content[i-1].Value) {
			for line := n.Content[i-1].Line; line < next; line++ {
				src.secret[line] = true
			}
		}
	}
}

// merge adds what from says to into. Mappings grow together; anything said twice is a mistake that names both places.
func merge(f *faults, into, from *yaml.Node, path string) {
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		sub := strings.TrimPrefix(path+"."+key.Value, ".")
		if key.Value == "include" && path == "" {
			f.at(key, "include", "", "an included file cannot include others")
			continue
		}
		have := member(into, key.Value)
		switch {
		case have == nil:
			into.Content = append(into.Content, key, value)
		case have.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			merge(f, have, value, sub)
		default:
			f.at(key, sub, fmt.Sprintf("it stands already in %s:%d", f.sources[have].name, have.Line), "is said twice")
		}
	}
}

func member(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}
