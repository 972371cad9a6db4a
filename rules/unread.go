package rules

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

var (
	nearlyOurs = regexp.MustCompile(`(?i)[._-](rule|test)s?\.(ya?ml|json)$`)
	oursInside = regexp.MustCompile(`(?m)^["']?(rule|test)s["']?:[ \t]*["']?1["']?[ \t]*(?:#.*)?\r?$`)
)

// Unread finds the files of a folder that look like rules, tests or lists and are called otherwise, so that nothing of them is read. They are no
// mistake in what is read: each is a warning. The error is that of reading.
func Unread(fsys fs.FS) ([]Problem, error) {
	u := &unread{fsys: fsys}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("look at the folder of rules: %w", err)
	}
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir() && (strings.EqualFold(e.Name(), "lists") || strings.EqualFold(e.Name(), "list")):
			err = u.lists(e.Name(), e.Name() == "lists")
		case e.Type().IsRegular():
			err = u.file(e.Name())
		}
		if err != nil {
			return nil, err
		}
	}
	return u.found, nil
}

type unread struct {
	fsys  fs.FS
	found []Problem
}

func (u *unread) warn(name, sentence, hint string) {
	u.found = append(u.found, Problem{Code: "W632", File: name, Line: 1, Column: 1, End: 2, Sentence: sentence, Hint: hint})
}

// file looks at one beside the rules: its name, and where that says nothing its text.
func (u *unread) file(name string) error {
	if strings.HasSuffix(name, ".rules.yaml") || strings.HasSuffix(name, ".test.yaml") {
		return nil
	}
	ending := strings.ToLower(path.Ext(name))
	stem := strings.TrimSuffix(name, path.Ext(name))
	kind := ""
	switch m := nearlyOurs.FindStringSubmatchIndex(name); {
	case ending == ".csv":
		u.warn(name, "this list is not read: it is not in the folder lists", "move it to lists/"+name)
		return nil
	case m != nil:
		kind, stem = strings.ToLower(name[m[2]:m[3]]), name[:m[0]]
	case ending == ".yaml" || ending == ".yml":
		data, err := readFile(u.fsys, name)
		if err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
		if m := oursInside.FindSubmatch(data); m != nil {
			kind = string(m[1])
		}
	}
	switch kind {
	case "rule":
		u.warn(name, "these rules are not read, because of the file's name", "call it "+stem+".rules.yaml")
	case "test":
		u.warn(name, "these tests are not read, because of the file's name", "call it "+stem+".test.yaml")
	}
	return nil
}

// lists looks through the folder of the lists, or one that is meant to be it.
func (u *unread) lists(dir string, ours bool) error {
	entries, err := fs.ReadDir(u.fsys, dir)
	if err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	for _, e := range entries {
		name, ending := path.Join(dir, e.Name()), path.Ext(e.Name())
		csv := strings.TrimSuffix(e.Name(), ending) + ".csv"
		switch {
		case strings.HasPrefix(e.Name(), "."), strings.HasPrefix(strings.ToUpper(e.Name()), "README"):
		case e.IsDir():
			inside, err := fs.Glob(u.fsys, name+"/*.csv")
			if err != nil {
				return fmt.Errorf("look at %s: %w", name, err)
			}
			for _, one := range inside {
				u.warn(one, "this list is not read: it is in a folder below lists", "move it to lists/"+path.Base(one))
			}
		case ours && ending != ".csv":
			u.warn(name, "this list is not read, because of the file's name", "save it as text with one entry a line, and call it lists/"+csv)
		case !ours && strings.EqualFold(ending, ".csv"):
			u.warn(name, "this list is not read: it is not in the folder lists", "move it to lists/"+csv)
		}
	}
	return nil
}
