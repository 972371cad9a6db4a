package ruleset_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/ruleset"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/rules"
)

// shelf answers every document with the same bytes.
type shelf []byte

func (shelf) Commit(context.Context, string, *store.Tx) error { return nil }

func (s shelf) Document(context.Context, string, string) ([]byte, error) { return s, nil }

// FuzzKeptRules starts on faulty files beside a kept document of any bytes: it is taken or left, the start says that the files are faulty
// either way, and rules that were taken can be asked for by their hash. What is no document of rules is never taken.
func FuzzKeptRules(f *testing.F) {
	kept, err := json.Marshal(map[string]any{"schema": 1, "files": []map[string]any{{"name": "a.rules.yaml", "data": []byte(good)}}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(kept), "", "{}", "null", `{"schema":2,"files":[]}`, `{"schema":1,"files":[]}`, `{"schema":1,"files":[{"name":"../x","data":"AAAA"}]}`,
		`{"schema":1,"files":[{"name":"a.rules.yaml","data":"cnVsZXM6IDEK"},{"name":"a.rules.yaml","data":"cnVsZXM6IDEK"}]}`, `{"schema":1,"files":[{"data":"!"}]}`} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.rules.yaml"), []byte(broken), 0o600); err != nil {
		f.Fatal(err)
	}
	cfg := tenants(map[string]string{"demo": dir})
	f.Fuzz(func(t *testing.T, document []byte) {
		s := ruleset.New(ruleset.Settings{Config: func() *config.Config { return cfg }, Log: hclog.NewNullLogger(), Kept: shelf(document),
			Providers: func(*config.Tenant) map[string]rules.Provider { return map[string]rules.Provider{"doordash": {}} }})
		if err := s.Load(); err == nil {
			t.Fatal("faulty files were taken")
		}
		b := s.Bundle("demo")
		if (b == nil) != (s.Missing() != nil) {
			t.Fatalf("rules %v, missing: %v", b, s.Missing())
		}
		var head struct {
			Schema int `json:"schema"`
		}
		if b != nil && (json.Unmarshal(document, &head) != nil || head.Schema != 1) {
			t.Fatalf("taken from %q", document)
		}
		if b != nil && s.Version("demo", b.Hash()) == nil {
			t.Fatal("the rules that serve are not found by their hash")
		}
	})
}
