package failpoint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/failpoint"
)

// function is one that commits, or calls one that does.
type function struct {
	pkg, name string
	params    []string
	body      *ast.BlockStmt
	at        string
}

// functions are those of the packages below core, by folder. The store is left out, which is what commits, and what is only there for tests.
func functions(t *testing.T) map[string][]function {
	t.Helper()
	out := map[string][]function{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || path == filepath.Join("..", "store") || path == filepath.Join("..", "failpoint") || path != ".." && strings.HasSuffix(d.Name(), "test")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			one := function{pkg: file.Name.Name, name: f.Name.Name, body: f.Body, at: set.Position(f.Pos()).String()}
			for _, p := range f.Type.Params.List {
				for _, n := range p.Names {
					one.params = append(one.params, n.Name)
				}
			}
			out[filepath.Dir(path)] = append(out[filepath.Dir(path)], one)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// calls are the calls of a name in the function, as a method or not.
func (f function) calls(name string) (found []*ast.CallExpr) {
	ast.Inspect(f.body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch fun := call.Fun.(type) {
		case *ast.SelectorExpr:
			ok = fun.Sel.Name == name
		case *ast.Ident:
			ok = fun.Name == name
		default:
			ok = false
		}
		if ok {
			found = append(found, call)
		}
		return true
	})
	return found
}

// word is what an expression says: a text, or a name.
func word(e ast.Expr) (text, name string) {
	switch x := e.(type) {
	case *ast.BasicLit:
		text, _ = strconv.Unquote(x.Value)
	case *ast.Ident:
		name = x.Name
	case *ast.SelectorExpr:
		name = x.Sel.Name
	}
	return text, name
}

// between returns the commit that a function makes, as Hit's third argument names it, and what is wrong with it.
func (f function) between() (what ast.Expr, wrong string) {
	commits, hits := f.calls("Commit"), f.calls("Hit")
	if len(commits) != 1 || len(hits) != 2 {
		return nil, "it has " + strconv.Itoa(len(commits)) + " commits and " + strconv.Itoa(len(hits)) + " failpoints; each commit is between two, in a function of its own"
	}
	if !(hits[0].Pos() < commits[0].Pos() && commits[0].Pos() < hits[1].Pos()) {
		return nil, "its commit is not between its failpoints"
	}
	for i, side := range []string{"Before", "After"} {
		pkg, _ := word(hits[i].Args[0])
		_, said := word(hits[i].Args[1])
		text, name := word(hits[i].Args[2])
		if firstText, firstName := word(hits[0].Args[2]); pkg != f.pkg || said != side || text != firstText || name != firstName {
			return nil, "its failpoints are not those before and after one commit of " + f.pkg
		}
	}
	return hits[0].Args[2], ""
}

// TestEveryCommitOfCoreIsBetweenTwoFailpoints finds each call of Commit in core, and requires a failpoint before and one after it, whose name
// stands there or comes from the callers, every one of which is looked at; and that the list of names has these and no others.
func TestEveryCommitOfCoreIsBetweenTwoFailpoints(t *testing.T) {
	called := map[string]bool{}
	for _, all := range functions(t) {
		type passer struct {
			name string
			arg  int
		}
		var open []passer
		seen := map[passer]bool{}
		note := func(f function, what ast.Expr) {
			text, name := word(what)
			i := slices.Index(f.params, name)
			switch {
			case text != "":
				called[f.pkg+"/before-"+text], called[f.pkg+"/after-"+text] = true, true
			case i < 0:
				t.Errorf("%s: %s commits under a name that is neither a text nor what its caller says", f.at, f.name)
			case !seen[passer{f.name, i}]:
				seen[passer{f.name, i}] = true
				open = append(open, passer{f.name, i})
			}
		}
		for _, f := range all {
			if len(f.calls("Commit")) == 0 {
				continue
			}
			what, wrong := f.between()
			if wrong != "" {
				t.Errorf("%s: %s: %s", f.at, f.name, wrong)
				continue
			}
			note(f, what)
		}
		for len(open) > 0 {
			p := open[0]
			open = open[1:]
			for _, f := range all {
				for _, call := range f.calls(p.name) {
					// One of another receiver may have the name: it takes fewer arguments, or gets a name of its own.
					if len(call.Args) > p.arg {
						note(f, call.Args[p.arg])
					}
				}
			}
		}
	}
	names := failpoint.Names()
	for n := range called {
		if !slices.Contains(names, n) {
			t.Errorf("%s is called and not listed", n)
		}
	}
	for _, n := range names {
		if !called[n] {
			t.Errorf("%s is listed and not called", n)
		}
	}
}
