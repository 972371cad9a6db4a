package node

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/dispatch"
	"github.com/waybill-dev/waybill/core/httpapi"
)

// nobody is a node without carriers.
type nobody struct{}

func (nobody) Account(string, string) (dispatch.Account, bool) { return nil, false }

// apart are the routes that no stranger's visit covers, and why.
var apart = map[string]string{
	"/healthz":               "open: it tells nothing of a tenant",
	"/readyz":                "open: it tells nothing of a tenant",
	"/openapi.yaml":          "open: it tells nothing of a tenant",
	"/metrics":               "takes an operator's key alone, which is no tenant's, unless the configuration opens it",
	"/admin":                 "takes an operator's key alone, which is no tenant's",
	"/locations":             "shows each tenant its own configuration, as the tests of admin see with the rival's key",
	"/providers":             "shows each tenant its own configuration, as the tests of admin see with the rival's key",
	"/couriers":              "tells what numbers look like, which is no tenant's",
	"/public/v1":             "speaks a dialect; TestTenantsSeeNothingOfEachOther of ship24 asks it with the rival's key",
	"/v1":                    "speaks a dialect; TestTenantsSeeNothingOfEachOther of ship24 asks it with the rival's key",
	"/carriers":              "carriers push there with a secret path and their own signature, without a tenant's key",
	"/track":                 "the page's signed link is the key",
	"/returns":               "the page's signed link is the key",
	"/apps/tracktor/shopify": "the shop signs what it sends, without a tenant's key",
	"/console":               "shows each tenant its own rules; TestTryDecidesAStoredOrder asks about an order with the rival's key",
}

// TestEveryRouteOfANodeIsVisitedByStrangers: what a node mounts is asked with the key of another tenant by a test that calls Strangers,
// or stands apart for a reason that is named here.
func TestEveryRouteOfANodeIsVisitedByStrangers(t *testing.T) {
	dir := t.TempDir()
	watcher, err := config.Watch(filepath.Join("..", "..", "examples", "waybill.yaml"), func(string) (string, bool) { return "", false },
		func(c *config.Config) { c.Store.Dir = filepath.Join(dir, "store") }, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	n, err := Open(Settings{Config: watcher, Log: hclog.NewNullLogger(), Carriers: nobody{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	routes, err := n.server.Handler.(*httpapi.Router).Routes()
	if err != nil || len(routes) == 0 {
		t.Fatal(routes, err)
	}
	prefixes := visited(t)
	for prefix := range apart {
		if slices.Contains(prefixes, prefix) {
			t.Errorf("%s stands apart and is visited", prefix)
		}
		prefixes = append(prefixes, prefix)
	}
	used := map[string]bool{}
	for _, r := range routes {
		_, path, _ := strings.Cut(r, " ")
		i := slices.IndexFunc(prefixes, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
		if i < 0 {
			t.Errorf("%s: no test asks it with the key of another tenant, and nothing says why not", r)
			continue
		}
		used[prefixes[i]] = true
	}
	for _, p := range prefixes {
		if !used[p] {
			t.Errorf("no route is under %s", p)
		}
	}
}

var (
	strangers = regexp.MustCompile(`\.Strangers\(\[\]string\{([^}]*)\}`)
	literal   = regexp.MustCompile(`^"([^"]*)"$`)
)

// visited are the prefixes with which tests of core call Strangers. A prefix that is not written there is a constant of that file.
func visited(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, call := range strangers.FindAllSubmatch(text, -1) {
			for arg := range strings.SplitSeq(string(call[1]), ",") {
				arg = strings.TrimSpace(arg)
				if m := regexp.MustCompile(regexp.QuoteMeta(arg) + ` = ("[^"]*")`).FindSubmatch(text); m != nil {
					arg = string(m[1])
				}
				m := literal.FindStringSubmatch(arg)
				if m == nil {
					t.Errorf("%s: %s is no prefix that can be read", path, arg)
					continue
				}
				out = append(out, m[1])
			}
		}
		return nil
	})
	if err != nil || len(out) == 0 {
		t.Fatalf("no test calls Strangers: %v", err)
	}
	return out
}
