package rules

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Suite is one *.test.yaml: orders and offers with what the rules must make of them. It belongs to the bundle that it was loaded for.
type Suite struct {
	Name   string // of the file
	bundle *Bundle
	cases  []testCase
	open   bool // what a test expects may be left open
}

// maxCases bounds what one suite may run, with every combination of every matrix.
const maxCases = 10_000

// testCase is one order with what is expected; each combination of a matrix is one of its own.
type testCase struct {
	name     string
	line     int
	input    Input
	currency string // of the order
	offers   []Offer
	down     map[string]bool
	supply   map[string][]ServiceInfo // services by account, as far as the offers tell
	rates    map[string]*Rates        // likewise
	refuse   []Refused
	event    string
	expect   []expectation
}

// Result is what came of one test.
type Result struct {
	File     string    `json:"file"`
	Line     int       `json:"line"`
	Name     string    `json:"name"`
	Failures []Failure `json:"failures,omitempty"` // none where it passed
	// Decision is what the rules said, and Explanation, only where the test failed, why.
	Decision    Decision `json:"-"`
	Explanation string   `json:"explanation,omitempty"`
	// Goldens are the explanations that the test holds against files, by the names that it gives these.
	Goldens map[string]string `json:"-"`
	// Unread are those of the files that nobody could read here, so that this part of the test was not judged.
	Unread []string `json:"unread,omitempty"`
}

// Passed reports whether everything was as expected.
func (r Result) Passed() bool { return len(r.Failures) == 0 }

// Failure is one thing that was not as expected.
type Failure struct {
	Line int    `json:"line"`
	What string `json:"what"` // the key under expect
	Want string `json:"want"`
	Got  string `json:"got"`
}

// String is the failure in one line.
func (f Failure) String() string { return fmt.Sprintf("%s: want %s, got %s", f.What, f.Want, f.Got) }

// LoadSuite reads a test file. The error is a *CheckError that holds every problem of the file.
func LoadSuite(b *Bundle, file File) (*Suite, error) { return loadSuite(b, file, false) }

func loadSuite(b *Bundle, file File, open bool) (*Suite, error) {
	var problems []Problem
	s := &source{name: file.Name, lines: strings.Split(strings.ReplaceAll(string(file.Data), "\r\n", "\n"), "\n"), found: &problems}
	suite := &Suite{Name: file.Name, bundle: b, open: open}
	if len(file.Data) > maxFile {
		s.report(Problem{Code: "E401", Line: 1, Column: 1, End: 2, Sentence: fmt.Sprintf("the file is larger than %d KiB", maxFile>>10)})
	} else if root := s.parseYAML(file.Data); root != nil {
		r := &suiteReader{source: s, suite: suite, bundle: b}
		r.read(root)
	}
	if len(problems) > 0 {
		err := &CheckError{Problems: problems}
		err.sort()
		return nil, err
	}
	return suite, nil
}

// LoadSuites reads the *.test.yaml of a folder. The error is a *CheckError, or that of reading.
func LoadSuites(b *Bundle, fsys fs.FS) ([]*Suite, error) {
	names, err := fs.Glob(fsys, "*.test.yaml")
	if err != nil {
		return nil, fmt.Errorf("list tests: %w", err)
	}
	var suites []*Suite
	var all CheckError
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read test file %s: %w", name, err)
		}
		suite, err := LoadSuite(b, File{name, data})
		if err != nil {
			all.Problems = append(all.Problems, err.(*CheckError).Problems...)
			continue
		}
		suites = append(suites, suite)
	}
	if len(all.Problems) > 0 {
		return nil, &all
	}
	return suites, nil
}

// Cases are the names of the tests, each combination of a matrix one of its own.
func (s *Suite) Cases() []string {
	names := make([]string, len(s.cases))
	for i := range s.cases {
		names[i] = s.cases[i].name
	}
	return names
}

// Run decides every case and compares. golden reads the files that tests compare explanations with, relative to the suite's folder; where it is
// nil these are not at hand, and the rest of each test is judged.
func (s *Suite) Run(golden func(name string) ([]byte, error)) []Result {
	results := make([]Result, 0, len(s.cases))
	for i := range s.cases {
		results = append(results, s.RunCase(i, golden))
	}
	return results
}

// RunCase is Run for one of Cases.
func (s *Suite) RunCase(i int, golden func(name string) ([]byte, error)) Result {
	c := &s.cases[i]
	r := Result{File: s.Name, Line: c.line, Name: c.name, Decision: c.decide(s.bundle)}
	j := &judge{bundle: s.bundle, test: c, d: &r.Decision, result: &r, golden: golden}
	j.judge()
	if !r.Passed() {
		text, err := Explain(s.bundle, r.Decision)
		if err != nil {
			text = err.Error()
		}
		r.Explanation = text
	}
	return r
}

// decide does what the engine does: it prepares, asks those that are to be asked, and decides.
func (c *testCase) decide(b *Bundle) Decision {
	accounts := slices.Clone(b.providers)
	for account := range c.supply {
		if !slices.Contains(accounts, account) {
			accounts = append(accounts, account)
		}
	}
	var candidates []Candidate
	for _, a := range accounts {
		candidates = append(candidates, Candidate{Account: a, Services: c.supply[a], Down: c.down[a], Rates: c.rates[a]})
	}
	plan := b.Prepare(c.input, candidates)
	var offers []Offer
	refused := slices.Clone(c.refuse)
	for _, o := range c.offers {
		switch asks := o.Quote.Amount.Currency; {
		case !asked(plan.Ask, o.Account, o.Quote.ServiceID):
		case asks != "" && asks != c.currency:
			refused = append(refused, CurrencyMismatch(o, o.Account, c.currency))
		default:
			offers = append(offers, o)
		}
	}
	return b.Decide(plan, offers, refused...)
}

func asked(list []Ask, account, service string) bool {
	return slices.ContainsFunc(list, func(a Ask) bool {
		return a.Account == account && (a.Services == nil || slices.Contains(a.Services, service))
	})
}

// suiteReader reads one test file.
type suiteReader struct {
	*source
	suite  *Suite
	bundle *Bundle

	options setting
	orders  map[string]*yaml.Node
	quotes  map[string]*yaml.Node
	used    map[*yaml.Node]bool // fixtures that some test, or another fixture, asks for
}

// setting is when and where a test takes place.
type setting struct {
	now      *yaml.Node
	zone     *time.Location
	location *yaml.Node
}

func (r *suiteReader) read(root *yaml.Node) {
	var cases, version *yaml.Node
	r.options.zone, r.used = time.UTC, map[*yaml.Node]bool{}
	for _, p := range r.mapping(root, "a test file", []string{"tests", "about", "options", "fixtures", "cases"}) {
		switch p.key {
		case "tests":
			version = p.value
		case "about":
			r.text(p.value, "about")
		case "cases":
			cases = p.value
		case "options":
			r.options = r.setting(p.value, r.options)
		case "fixtures":
			r.fixtures(p.value)
		}
	}
	switch {
	case version == nil:
		r.report(Problem{Code: "E502", Line: 1, Column: 1, End: 2, Sentence: "the file does not say tests: 1", Hint: "begin it with tests: 1"})
	case !isOne(version):
		r.fault(version, "E505", fmt.Sprintf("tests: %s is not known", version.Value), "this version reads tests: 1; the tests themselves stand under cases:")
	}
	if cases == nil || cases.Kind == yaml.SequenceNode && len(cases.Content) == 0 {
		if len(*r.found) == 0 {
			r.fault(root, "E502", "the file has no cases", "cases: begins the list of the tests")
		}
		return
	}
	names := map[string]bool{}
	for _, n := range r.items(cases, "cases") {
		r.readCase(n, names)
	}
	r.unused()
	r.where = ""
}

func (r *suiteReader) setting(n *yaml.Node, s setting) setting {
	for _, p := range r.mapping(n, "options", []string{"now", "zone", "location"}) {
		r.setOption(p, &s)
	}
	return s
}

func (r *suiteReader) setOption(p pair, s *setting) {
	switch p.key {
	case "now":
		s.now = p.value
	case "location":
		s.location = p.value
	case "zone":
		zone, err := time.LoadLocation(p.value.Value)
		if err != nil || p.value.Value == "" || p.value.Value == "Local" { // that of the machine would decide
			r.fault(p.value, "E505", fmt.Sprintf("there is no time zone %q", p.value.Value), "write America/Denver")
			return
		}
		s.zone = zone
	}
}

func (r *suiteReader) fixtures(n *yaml.Node) {
	r.orders, r.quotes = map[string]*yaml.Node{}, map[string]*yaml.Node{}
	for _, p := range r.mapping(n, "fixtures", []string{"orders", "quotes"}) {
		into := r.orders
		if p.key == "quotes" {
			into = r.quotes
		}
		for _, f := range r.mapping(p.value, p.key, nil) {
			into[f.key] = f.value
		}
	}
}

// goldenPath refuses names that leave the folder of the suite.
func goldenPath(name string) bool { return fs.ValidPath(name) && path.Ext(name) == ".txt" }
