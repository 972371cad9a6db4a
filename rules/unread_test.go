package rules_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/waybill-dev/waybill/rules"
)

// TestUnread: what looks like rules, tests or a list and is called otherwise is named with the name that it needs; nothing else is.
func TestUnread(t *testing.T) {
	want := map[string]string{ // what the hint says, "" where there is none
		"shop.rules.yaml": "", "shop.test.yaml": "", "lists/remote.csv": "", "lists/README.md": "", "lists/.gitkeep": "", "README.md": "", ".shop.rules.yml": "",
		"waybill.yaml": "", "golden/heavy.txt": "", "other/lists/far.csv": "", "other/shop.rules.yaml": "",
		"a.tests.yaml": "a.test.yaml", "b.test.yml": "b.test.yaml", "c_test.yaml": "c.test.yaml", "d.rule.yaml": "d.rules.yaml",
		"e.rules.yml": "e.rules.yaml", "F.Rules.YAML": "F.rules.yaml", "checks.yaml": "checks.test.yaml", "winter.yml": "winter.rules.yaml",
		"far.csv": "lists/far.csv", "lists/near.txt": "lists/near.csv", "lists/UP.CSV": "lists/UP.csv", "lists/us/states.csv": "lists/states.csv", "Lists/x.csv": "lists/x.csv",
		"list/y.csv": "lists/y.csv",
	}
	folder := fstest.MapFS{}
	for name := range want {
		folder[name] = &fstest.MapFile{Data: []byte("AK\n")}
	}
	folder["checks.yaml"].Data = []byte("# of winter\r\ntests: 1\r\ncases: []\r\n")
	folder["winter.yml"].Data = []byte("name: x\nrules: 1 # of winter\n")
	folder["waybill.yaml"].Data = []byte("tenants:\n  - rules: rules\n")
	found, err := rules.Unread(folder)
	if err != nil {
		t.Fatal(err)
	}
	for name, hint := range want {
		i := slices.IndexFunc(found, func(p rules.Problem) bool { return p.File == name })
		switch {
		case (i >= 0) != (hint != ""):
			t.Errorf("%s: told %t", name, i >= 0)
		case i >= 0 && (found[i].Code != "W632" || !strings.HasSuffix(found[i].Hint, " "+hint)):
			t.Errorf("%s: %s [%s], want %s", name, found[i].Hint, found[i].Code, hint)
		}
	}
	if len(found) != 14 {
		t.Errorf("%d are told: %v", len(found), found)
	}
}
