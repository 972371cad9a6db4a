package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// decodes is how Go here reads bytes into something: a file with one of these reads what may be somebody else's.
var decodes = regexp.MustCompile(`\bjson\.Unmarshal(Decode|Read)?\(|json\.NewDecoder|jsontext\.NewDecoder|yaml\.Unmarshal|yaml\.NewDecoder|url\.ParseQuery|\.ParseForm\(|` +
	`\.MultipartReader\(|base64\.\w+(\.\w+\(\))?\.DecodeString|csv\.NewReader|xml\.Unmarshal|xml\.NewDecoder|gob\.NewDecoder|httpapi\.Decode(List)?\(|` +
	`jsonschema\.UnmarshalJSON|proto\.Unmarshal|jwt\.(Parse|NewParser)`)

// TestEveryDecoderHasATarget: whoever writes a decoder says in testdata/decoders.txt which fuzz target lets anybody write what it reads,
// or why nobody else does.
func TestEveryDecoderHasATarget(t *testing.T) {
	root := repository(t)
	table, err := os.ReadFile("testdata/decoders.txt")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(table)) {
		if file, target, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			said[file] = strings.TrimSpace(target)
		}
	}
	targets := map[string]string{} // folder -> its tests
	found := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || name == "bin" || d.Name() == "testdata" || d.Name() == "carrierpb"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, "_test.go") {
			targets[filepath.ToSlash(filepath.Dir(name))] += string(text)
		} else if decodes.Match(text) {
			found[filepath.ToSlash(name)] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 50 {
		t.Errorf("%d files with decoders were found: the test shows little", len(found))
	}
	for file := range found {
		target, ok := said[file]
		if reason, own := strings.CutPrefix(target, "own: "); own && reason != "" {
			continue
		}
		folder, name, named := strings.Cut(target, " ")
		switch {
		case !ok:
			t.Errorf("%s reads bytes, and testdata/decoders.txt names no fuzz target for it", file)
		case !named || !strings.Contains(targets[folder], "\nfunc "+name+"(f *testing.F)"):
			t.Errorf("%s: there is no target %q", file, target)
		}
	}
	for file := range said {
		if !found[file] {
			t.Errorf("testdata/decoders.txt names %s, which is gone or reads nothing", file)
		}
	}
}
