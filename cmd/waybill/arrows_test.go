package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/waybill-dev/waybill/"

// area is a part of the project and which other parts it may import. Patterns are "x" for one package, "x/..." for x and all
// below, and NAME in them for the last element of the importer's path. Every package may import itself and what lies below it.
type area struct {
	of    string   // the longest that holds a package counts
	may   []string // nothing else of the project
	never []string // exceptions from may
	tests []string // what its test files may import besides
}

var (
	coreMay   = []string{"core/...", "rules/...", "sdk/shipping", "sdk/carrier"}
	coreNever = []string{"core/node", "core/carrierhost", "core/httpapi/...", "core/store/badgerstore", "core/store/pgstore", "core/store/storetest", "core/web/webtest"}
	storing   = []string{"core/store/..."} // tests run against a real store
	storeMay  = []string{"core/clock", "core/shipment", "core/tracker", "core/store", "sdk/shipping", "sdk/carrier"}
)

var areas = []area{
	{of: "sdk", may: []string{"sdk/..."}, never: []string{"sdk/carriertest"}, tests: []string{"sdk/carriertest"}},
	{of: "sdk/shipping"},
	{of: "sdk/carrier", may: []string{"sdk/shipping"}, tests: []string{"sdk/carriertest"}},
	{of: "rules", may: []string{"rules/...", "sdk/shipping"}},
	{of: "simulator", may: []string{"simulator", "simulator/label"}},
	{of: "simulator/scenario", may: []string{"simulator/...", "rules/trace"}},
	{of: "plugins", may: []string{"sdk/carrier", "sdk/plugin", "sdk/shipping"}, tests: []string{"sdk/carriertest", "simulator", "simulator/NAME"}},
	{of: "examples", may: []string{"sdk/carrier", "sdk/plugin", "sdk/shipping"}, tests: []string{"sdk/carriertest"}},
	{of: "core", may: coreMay, never: coreNever, tests: storing},
	{of: "core/clock"},
	{of: "core/failpoint"},
	{of: "core/geo", may: []string{"core/geo/...", "sdk/shipping"}},
	{of: "core/shipment", may: []string{"sdk/shipping", "sdk/carrier"}, tests: []string{"core/store/storetest"}},
	{of: "core/tracker", may: []string{"core/shipment", "core/tracker/number", "sdk/shipping", "sdk/carrier"}, tests: []string{"core/store/storetest"}},
	{of: "core/store", may: []string{"core/shipment", "core/tracker", "sdk/shipping", "sdk/carrier"}},
	{of: "core/store/badgerstore", may: storeMay, tests: storing},
	{of: "core/store/pgstore", may: storeMay, tests: storing},
	{of: "core/store/storetest", may: storeMay, tests: storing},
	{of: "core/usecase", may: []string{"core/shipment", "sdk/shipping", "sdk/carrier"}},
	{of: "core/opening", may: []string{"core/clock"}},
	{of: "core/tally", may: []string{"core/shipment", "core/store", "sdk/shipping"}},
	{of: "core/config", may: []string{"core/clock", "core/geo", "core/opening", "core/tracker/number", "sdk/shipping", "sdk/carrier"}},
	{of: "core/jobs", may: []string{"core/clock", "core/failpoint", "core/store"}, tests: storing},
	{of: "core/carrierhost", may: []string{"core/clock", "core/config", "core/failpoint", "sdk/carrier", "sdk/plugin", "sdk/shipping"}},
	{of: "core/dispatch", may: coreMay, never: append(coreNever, "core/tracking"), tests: storing},
	{of: "core/tracking", may: coreMay, never: append(coreNever, "core/dispatch"), tests: storing},
	{of: "core/shop", may: coreMay, never: coreNever, tests: []string{"core/httpapi/apitest"}},
	{of: "core/httpapi", may: coreMay, never: []string{"core/node", "core/carrierhost", "core/httpapi/apitest", "core/store/badgerstore", "core/store/pgstore", "core/store/storetest",
		"core/web/webtest"}, tests: []string{"core/httpapi/apitest", "core/store/..."}},
	{of: "core/httpapi/apitest", may: coreMay, never: []string{"core/node", "core/carrierhost"}},
	{of: "core/web", may: coreMay, never: []string{"core/node", "core/carrierhost", "core/httpapi/admin", "core/httpapi/apitest", "core/httpapi/shipping", "core/httpapi/tracker",
		"core/store/badgerstore", "core/store/pgstore", "core/store/storetest", "core/web/webtest"}, tests: []string{"core/httpapi/apitest", "core/store/...", "core/web/webtest"}},
	{of: "core/node", may: coreMay, never: []string{"core/httpapi/apitest", "core/store/storetest", "core/web/webtest"}, tests: storing},
	{of: "cmd", may: []string{"core/...", "rules/...", "sdk/...", "simulator/...", "examples"}, never: []string{"core/httpapi/apitest", "core/store/storetest", "core/web/webtest"}},
}

// heavy is what no adapter should have to be built with.
var heavy = regexp.MustCompile(`badger|jackc/pgx|gorilla/mux|expr-lang`)

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Deps                               []string
	DepsErrors                         []struct{ Err string }
	Error                              *struct{ Err string }
}

// wrongArrows lists every import that points the wrong way, as "a -> b", and every package that is in no area.
func wrongArrows(packages []listed) []string {
	var wrong []string
	for _, p := range packages {
		from, mine := strings.CutPrefix(p.ImportPath, module)
		if !mine {
			from = "examples/" + path.Base(p.ImportPath) // a module of its own
		}
		a, ok := areaOf(from)
		if !ok {
			wrong = append(wrong, from+" is in no area; give it one")
			continue
		}
		for _, to := range p.Imports {
			if !a.allows(from, to, false) {
				wrong = append(wrong, from+" -> "+strings.TrimPrefix(to, module))
			}
		}
		for _, to := range slices.Concat(p.TestImports, p.XTestImports) {
			if !a.allows(from, to, true) {
				wrong = append(wrong, from+" (test) -> "+strings.TrimPrefix(to, module))
			}
		}
		for _, to := range p.Deps {
			first, _, _ := strings.Cut(to, "/")
			foreign := strings.Contains(first, ".") && !strings.HasPrefix(to, module)
			if strings.HasPrefix(from, "sdk/") && heavy.MatchString(to) || from == "sdk/shipping" && foreign {
				wrong = append(wrong, from+" ->> "+to)
			}
		}
	}
	return wrong
}

func areaOf(from string) (area, bool) {
	var best area
	for _, a := range areas {
		if (from == a.of || strings.HasPrefix(from, a.of+"/")) && len(a.of) > len(best.of) {
			best = a
		}
	}
	return best, best.of != ""
}

func (a area) allows(from, to string, test bool) bool {
	to, mine := strings.CutPrefix(to, module)
	if !mine || to == from || strings.HasPrefix(to, from+"/internal/") {
		return true
	}
	matches := func(pattern string) bool {
		pattern = strings.ReplaceAll(pattern, "NAME", path.Base(from))
		tree, all := strings.CutSuffix(pattern, "/...")
		return to == tree || all && strings.HasPrefix(to, tree+"/")
	}
	return test && slices.ContainsFunc(a.tests, matches) || slices.ContainsFunc(a.may, matches) && !slices.ContainsFunc(a.never, matches)
}

// list asks the go tool for the packages below a folder. A package that cannot be read is an error, not a package without imports.
func list(t *testing.T, dir string, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,TestImports,XTestImports,Deps,DepsErrors,Error"}, args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, &stderr)
	}
	packages, err := parseList(out)
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func parseList(out []byte) ([]listed, error) {
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		if p.Error != nil {
			return nil, fmt.Errorf("%s: %s", p.ImportPath, p.Error.Err)
		}
		if len(p.DepsErrors) > 0 {
			return nil, fmt.Errorf("%s: %s", p.ImportPath, p.DepsErrors[0].Err)
		}
		packages = append(packages, p)
	}
}

// TestArrows reads the imports of every package, of its tests, and of what is only built with failpoints.
func TestArrows(t *testing.T) {
	root := repository(t)
	plain := list(t, root, "./...")
	if len(plain) < 30 {
		t.Fatalf("only %d packages were found", len(plain))
	}
	all := slices.Concat(plain, list(t, root, "-tags", "failpoint", "./..."), list(t, filepath.Join(root, "examples", "hello-carrier"), "./..."), list(t, filepath.Join(root, "examples", "webhook-receiver"), "./..."))
	wrong := wrongArrows(all)
	slices.Sort(wrong)
	for _, w := range slices.Compact(wrong) {
		t.Error(w)
	}
}

// TestArrowsSeesWrongOnes plants imports that point the wrong way, and some that do not.
func TestArrowsSeesWrongOnes(t *testing.T) {
	const third = "github.com/"
	for _, c := range []struct {
		from, to   string
		test, fine bool
	}{
		{from: "plugins/ups", to: "sdk/plugin", fine: true},
		{from: "plugins/ups", to: "sdk/carriertest"},
		{from: "plugins/ups", to: "simulator/ups"},
		{from: "plugins/ups", to: "core/geo"},
		{from: "plugins/ups", to: "plugins/doordash"},
		{from: "plugins/ups", to: "simulator/ups", test: true, fine: true},
		{from: "plugins/ups", to: "simulator/doordash", test: true},
		{from: "plugins/ups", to: "core/clock", test: true},
		{from: "plugins/ups", to: "rules", test: true},
		{from: "core/dispatch", to: "plugins/ups", test: true},
		{from: "core/dispatch", to: "simulator", test: true},
		{from: "core/dispatch", to: "core/tracking"},
		{from: "core/tracking", to: "core/dispatch"},
		{from: "core/dispatch", to: "core/store/badgerstore"},
		{from: "core/dispatch", to: "core/store/badgerstore", test: true, fine: true},
		{from: "core/dispatch", to: "sdk/plugin"},
		{from: "core/httpapi/shipping", to: "core/store/badgerstore"},
		{from: "core/httpapi/shipping", to: "core/store/badgerstore", test: true, fine: true},
		{from: "core/httpapi/shipping", to: "core/httpapi/apitest"},
		{from: "core/httpapi/apitest", to: "core/store/badgerstore", fine: true},
		{from: "core/store", to: "core/shipment", fine: true},
		{from: "core/store", to: "core/clock"},
		{from: "core/store", to: "core/geo"},
		{from: "core/store", to: "sdk/plugin"},
		{from: "core/store/badgerstore", to: "core/config"},
		{from: "core/retention", to: "core/node"},
		{from: "core/notify", to: "core/httpapi"},
		{from: "rules", to: "core/shipment"},
		{from: "rules", to: "sdk/carrier", test: true},
		{from: "rules/trace", to: "rules", fine: true},
		{from: "simulator/ups", to: "simulator/doordash"},
		{from: "simulator/ups", to: "sdk/shipping", test: true},
		{from: "sdk/carrier", to: "sdk/plugin"},
		{from: "sdk/plugin", to: "core/clock", test: true},
		{from: "sdk/shipping", to: "sdk/carrier"},
		{from: "cmd/waybill", to: "plugins/ups"},
		{from: "cmd/waybill", to: "core/node", fine: true},
		{from: "elsewhere", to: "sdk/shipping"},
	} {
		p := listed{ImportPath: module + c.from, Imports: []string{"context", third + "x/y", module + c.to}}
		if c.test {
			p = listed{ImportPath: module + c.from, XTestImports: []string{"testing", module + c.to}}
		}
		if wrong := wrongArrows([]listed{p}); (len(wrong) == 0) != c.fine {
			t.Errorf("%s -> %s (test %v): %v", c.from, c.to, c.test, wrong)
		}
	}
	for from, dep := range map[string]string{"sdk/plugin": third + "dgraph-io/badger/v4", "sdk/shipping": third + "hashicorp/go-hclog"} {
		if wrong := wrongArrows([]listed{{ImportPath: module + from, Deps: []string{"fmt", dep}}}); len(wrong) != 1 {
			t.Errorf("%s ->> %s: %v", from, dep, wrong)
		}
	}
	if _, err := parseList([]byte(`{"ImportPath":"x"} {"ImportPath":"y","DepsErrors":[{"Err":"no such package z"}]}`)); err == nil || !strings.Contains(err.Error(), "no such package z") {
		t.Errorf("a package that cannot be read: %v", err)
	}
}
