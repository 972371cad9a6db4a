package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/trace"
)

// File is one file of a bundle: *.rules.yaml, or lists/<name>.csv with one entry a line.
type File struct {
	Name string // relative, with slashes
	Data []byte
}

// Options is what Load checks names against.
type Options struct {
	// Providers maps account ids to what is known of them. Where it is nil the names in the files are only checked against the
	// files' own `providers`, and services not at all.
	Providers map[string]Provider
	// Locations maps the ids of the pickup locations to their tags. Where there are none the names of locations and tags in the files are not
	// checked.
	Locations map[string][]string
	// Taken says that these rules were in force before: entries of lists that nothing can equal are then no reason to refuse them, as older versions
	// did not look at entries.
	Taken bool
	// NoPersonal refuses rules that say env: { pii: true }.
	NoPersonal bool
}

// Provider is what a manifest says of an account. Services may be empty: then services of the account are not checked.
type Provider struct {
	Services []ServiceInfo
}

// Bundle is a checked and compiled set of rule files. It never changes and may be used by many goroutines.
type Bundle struct {
	name string
	hash string

	currency   string
	providers  []string
	attributes []string
	pii        bool // recipient may be named
	lists      map[string]formula.List
	zones      map[string]area
	orderLets  []let
	optionLets []let
	quotas     []QuotaNeed

	holds     []holdRule
	sets      []setRule
	excludes  []excludeRule
	adjusts   []adjustRule
	rank      rankRule
	chooses   []chooseRule
	guards    []guardRule
	fallbacks []fallbackRule
	warns     []warnRule
	none      *noneRule

	twins *sync.Map // of formulas, made when they are first explained

	// For Lint.
	env                *formula.Env    // of the order and the options
	used               map[string]bool // names and paths that some expression uses
	notes              []note
	spots              map[string]spot // where what is no rule stands: lists, lets, attributes, by the paths that name them, score, ties and none
	file               string          // the first one
	rankNode, noneNode *yaml.Node      // as they stand in the files
}

// language is part of a bundle's hash: the same files under another language are another bundle.
const language = "waybill rules 1, environment 1"

// Load checks and compiles a bundle. The error is a *CheckError that holds every problem of every file.
func Load(files []File, opt Options) (*Bundle, error) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	c := &checker{opt: opt, steps: formula.MaxPatterns, lists: map[string]formula.List{}, entries: map[string][]listEntry{}, sought: map[string]map[string]bool{}, zones: map[string]area{}, letStage: map[string]int{}, letNames: map[string]bool{}, rules: map[string]string{}, first: map[string]string{}}
	c.bundle = &Bundle{hash: HashOf(files), twins: &sync.Map{}, used: map[string]bool{}, spots: map[string]spot{}}
	if c.sizes(files) {
		c.read(files)
	}
	if len(c.problems) > 0 {
		err := &CheckError{Problems: c.problems}
		err.sort()
		return nil, err
	}
	return c.bundle, nil
}

// LoadDir loads the rule files of a folder: *.rules.yaml, and lists/*.csv.
func LoadDir(fsys fs.FS, opt Options) (*Bundle, error) {
	files, err := ReadDir(fsys)
	if err != nil {
		return nil, err
	}
	return Load(files, opt)
}

// ReadDir reads the rule files of a folder as Load takes them. One that is too large is not read to its end; Load says so with the other problems.
func ReadDir(fsys fs.FS) ([]File, error) {
	var files []File
	for _, pattern := range []string{"*.rules.yaml", "lists/*.csv"} {
		names, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", pattern, err)
		}
		for _, name := range names {
			info, err := fs.Stat(fsys, name)
			if err != nil {
				return nil, fmt.Errorf("look at rule file %s: %w", name, err)
			}
			if !info.Mode().IsRegular() { // a device or a pipe has no end, or none that comes
				return nil, fmt.Errorf("rule file %s is not a regular file: put the file itself there, or a link to one", name)
			}
			data, err := readFile(fsys, name)
			if err != nil {
				return nil, fmt.Errorf("read rule file %s: %w", name, err)
			}
			files = append(files, File{Name: name, Data: data})
		}
	}
	return files, nil
}

// readFile reads no more of a file than shows that it is too large: what it says of its size need not be so.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// DefaultFiles are the files of Default.
func DefaultFiles() []File {
	return []File{{Name: "default.rules.yaml", Data: []byte("rules: 1\nname: default\nrank: { strategy: cheapest }\n")}}
}

var builtIn = func() *Bundle {
	b, err := Load(DefaultFiles(), Options{})
	if err != nil {
		panic(err)
	}
	return b
}()

// Default is the bundle of a tenant without rules: cheapest, then fastest.
func Default() *Bundle { return builtIn }

// Bucket is the number 0..99 of a key in an experiment, the same one for ever: what bucket(…) gives in expressions.
func Bucket(experiment, key string) int { return formula.Bucket(experiment, key) }

// Hash names the bundle's contents: "sha256:" and 64 hex digits.
func (b *Bundle) Hash() string { return b.hash }

// Name is what the files call the bundle; it may be empty.
func (b *Bundle) Name() string { return b.name }

// Providers are the providers that rules of the bundle may name, sorted; none where neither the files nor the options named any.
func (b *Bundle) Providers() []string { return slices.Clone(b.providers) }

// Size is the number of rules; the forms that a rule has at locations count each.
func (b *Bundle) Size() int {
	return len(b.holds) + len(b.sets) + len(b.excludes) + len(b.adjusts) + len(b.chooses) + len(b.guards) + len(b.fallbacks) + len(b.warns)
}

// RuleNames lists the rules that are enabled somewhere, sorted.
func (b *Bundle) RuleNames() []string {
	var names []string
	for _, h := range b.heads() {
		names = append(names, h.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// rules are the rules of the bundle in the order of the phases, each with what its phase alone has.
func (b *Bundle) rules() iter.Seq[anyRule] {
	return func(see func(anyRule) bool) {
		_ = each(b.holds, see) && each(b.sets, see) && each(b.excludes, see) && each(b.adjusts, see) && each(b.chooses, see) &&
			each(b.guards, see) && each(b.fallbacks, see) && each(b.warns, see)
	}
}

// each hands the rules of one phase on by their places, until see has enough.
func each[T any, P interface {
	*T
	anyRule
}](list []T, see func(anyRule) bool) bool {
	for i := range list {
		if !see(P(&list[i])) {
			return false
		}
	}
	return true
}

// heads are what the rules of the bundle have in common, in the order of the phases.
func (b *Bundle) heads() []*head {
	out := make([]*head, 0, b.Size())
	for r := range b.rules() {
		out = append(out, r.common())
	}
	return out
}

// ruleOf is the rule that a head is of, nil where it is of none of the bundle's.
func (b *Bundle) ruleOf(h *head) anyRule {
	for r := range b.rules() {
		if r.common() == h {
			return r
		}
	}
	return nil
}

// twin is the form of a formula that shows its parts.
func (b *Bundle) twin(f *formula.Formula) (*trace.Program, error) {
	if known, ok := b.twins.Load(f); ok {
		return known.(*trace.Program), nil
	}
	made, err := f.Twin()
	if err != nil {
		return nil, err
	}
	known, _ := b.twins.LoadOrStore(f, made)
	return known.(*trace.Program), nil
}

// HashOf is the Hash of the bundle that these files are, or would be if they were good.
func HashOf(files []File) string {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", language)
	for _, f := range files {
		fmt.Fprintf(h, "%d %s\n%d\n", len(f.Name), f.Name, len(f.Data))
		h.Write(f.Data)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// sizes refuses what is too large to look at.
func (c *checker) sizes(files []File) bool {
	total := 0
	yamls := 0
	for _, f := range files {
		s := &source{name: f.Name, found: &c.problems}
		total += len(f.Data)
		switch {
		case len(f.Data) > maxFile:
			hint := "split it, or move values into lists/*.csv"
			if strings.HasSuffix(f.Name, ".csv") {
				hint = "split it into lists of two names, and ask both: x in lists.a or x in lists.b"
			}
			s.report(Problem{Code: "E401", Line: 1, Column: 1, End: 2, Sentence: fmt.Sprintf("the file is larger than %d KiB", maxFile>>10), Hint: hint})
		case strings.HasSuffix(f.Name, ".rules.yaml"):
			yamls++
		case path.Dir(f.Name) != "lists" || path.Ext(f.Name) != ".csv":
			s.report(Problem{Code: "E502", Line: 1, Column: 1, End: 2, Sentence: "this is no rule file",
				Hint: "a bundle has *.rules.yaml and lists/*.csv"})
		}
	}
	s := &source{name: ".", found: &c.problems}
	if total > maxBundle {
		s.report(Problem{Code: "E401", Line: 1, Column: 1, End: 2, Sentence: fmt.Sprintf("the bundle is larger than %d KiB", maxBundle>>10)})
	}
	if yamls == 0 && len(c.problems) == 0 {
		s.report(Problem{Code: "E502", Line: 1, Column: 1, End: 2, Sentence: "there is no rule file", Hint: "name it something.rules.yaml"})
	}
	return len(c.problems) == 0
}
