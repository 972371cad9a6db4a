package failpoint_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/failpoint"
)

// Every commit in the source has its two names in the list, and every name stands in the source.
func TestNamesAreThoseOfTheSource(t *testing.T) {
	called := map[string]bool{}
	for pkg, call := range map[string]*regexp.Regexp{
		"dispatch": regexp.MustCompile(`(?:s\.change|s\.commit|s\.commitEdit)\(ctx, [^"\n]*?"([a-z-]+)"`),
		"tracking": regexp.MustCompile(`(?:s\.change|s\.commit)\(ctx, [^"\n]*?"([a-z-]+)"`),
		"jobs":     regexp.MustCompile(`failpoint\.Hit\("jobs", failpoint\.(?:Before|After), "([a-z-]+)"\)`),
		"notify":   regexp.MustCompile(`failpoint\.Hit\("notify", failpoint\.(?:Before|After), "([a-z-]+)"\)`),
	} {
		files, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no source of %s: %v", pkg, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range call.FindAllSubmatch(b, -1) {
				called[pkg+"/before-"+string(m[1])], called[pkg+"/after-"+string(m[1])] = true, true
			}
			if bytes := regexp.MustCompile(`\.Commit\(`).FindAll(b, -1); len(bytes) > 1 {
				t.Errorf("%s commits in %d places; each needs its failpoints", file, len(bytes))
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
