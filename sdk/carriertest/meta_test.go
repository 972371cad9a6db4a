package carriertest_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/carriertest"
	"github.com/waybill-dev/waybill/sdk/plugin"
)

// TestMain lets the test binary be an adapter of the zoo, by the name of a link.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "good":
		plugin.Serve(zoo("", same))
	case "orphan":
		_ = os.Unsetenv("WAYBILL_LIFELINE")
		plugin.Serve(zoo("", same))
	case "babbler":
		fmt.Println("babble")
		plugin.Serve(zoo("", same))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		// go-plugin's broker waits five seconds for connections that nobody asked for.
		goleak.IgnoreAnyFunction("github.com/hashicorp/go-plugin.(*GRPCBroker).timeoutWait"))
}

func same(c zooConfig) zooConfig { return c }

func configFor(f *fakeCarrier) []byte {
	return fmt.Appendf(nil, `{"base_url":%q,"key":"zoo-key-73"}`, f.URL)
}

// flaws lists the zoo: each flaw, and the checks that must find it. No other check may fail.
var flaws = map[string][]string{
	"":                                  nil,
	"no display name":                   {"manifest_complete"},
	"version changes":                   {"manifest_stable"},
	"push is not written":               {"abilities_answer"},
	"config is not checked":             {"config_errors_name_the_member"},
	"network in Open":                   {"open_without_network"},
	"check fails":                       {"credentials_check"},
	"free of charge":                    nil, // not a flaw: a shop that delivers for nothing
	"pays the shipper":                  {"quote_amounts"},
	"no currency":                       {"quote_amounts"},
	"return is not written":             {"abilities_answer", "quote_way_back"},
	"quotes the way there":              {"quote_way_back"},
	"services are not narrowed":         {"quote_only_asked_services"},
	"one at a time":                     {"quote_concurrent"},
	"label is no file":                  {"book_complete"},
	"books twice":                       {"book_twice"},
	"not found is an error":             {"find_unknown"},
	"finds nothing":                     {"book_lost_response", "find_booked"},
	"cancels once":                      {"cancel_twice"},
	"knows every number":                {"track_unknown"},
	"logs its key":                      {"no_secret_leaks"},
	"status is not read":                {"book_429", "book_503", "quote_429", "quote_503"},
	"unreadable means nothing happened": {"book_empty", "book_garbage", "book_html"},
	"deaf":                              {"quote_cancelled", "quote_deadline"},
	"doubt is hidden":                   {"book_hang", "book_lost_response", "book_truncated"},
}

// TestEachFlawFailsItsChecksAndNoOther verifies several of the zoo at once: most of the time goes into waiting for deadlines.
func TestEachFlawFailsItsChecksAndNoOther(t *testing.T) {
	var wg sync.WaitGroup
	few := make(chan struct{}, 6) // more at once would spoil the checks that measure time
	results := map[string]*[]carriertest.Result{}
	for flaw := range flaws {
		f := newFakeCarrier(t)
		s := carriertest.Of(zoo(flaw, same), configFor(f), f.controls())
		switch flaw {
		case "config is not checked":
			s = carriertest.Of(zoo(flaw, func(c laxConfig) zooConfig { return c.zooConfig }), configFor(f), f.controls())
		case "version changes":
			s.Start = func(ctx context.Context, log hclog.Logger) (*plugin.Process, error) {
				return carriertest.Of(zoo(flaw, same), nil, f.controls()).Start(ctx, log)
			}
		}
		out := new([]carriertest.Result)
		results[flaw] = out
		wg.Go(func() {
			few <- struct{}{}
			defer func() { <-few }()
			*out = carriertest.Verify(t.Context(), s)
		})
	}
	wg.Wait()
	for flaw, want := range flaws {
		t.Run(flaw, func(t *testing.T) { compare(t, *results[flaw], want) })
	}
}

func compare(t *testing.T, results []carriertest.Result, want []string) {
	t.Helper()
	failed := map[string]string{}
	for _, r := range results {
		if r.Verdict == carriertest.Fail {
			failed[r.Check.Name] = r.Reason
		}
	}
	got := slices.Sorted(maps.Keys(failed))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("failed checks (-want +got):\n%s\nreasons: %v", diff, failed)
	}
}

func TestBinaries(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := func(name string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.Symlink(self, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, want := range map[string][]string{
		"good":    nil,
		"orphan":  {"process_ends_with_its_host"},
		"babbler": {"process_ends_with_its_host", "process_speaks_first_line_only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeCarrier(t)
			s := carriertest.Binary(link(name), configFor(f), f.controls())
			s.Secrets = []string{"zoo-key-73"}
			if name == "babbler" { // go-plugin cannot start it, so the checks on calls meet a good one
				s.Start = carriertest.Of(zoo("", same), configFor(f), f.controls()).Start
			}
			compare(t, carriertest.Verify(t.Context(), s), want)
		})
	}
}

func TestAdapterWithoutAbilitiesIsNotOffered(t *testing.T) {
	f := newFakeCarrier(t)
	a := carrier.Adapter[zooConfig, struct{}]{Name: "none", Open: func(context.Context, zooConfig, carrier.Env) (struct{}, error) { return struct{}{}, nil }}
	for _, r := range carriertest.Verify(t.Context(), carriertest.Of(a, configFor(f), f.controls())) {
		if want := r.Check.Needs != ""; want != (r.Verdict == carriertest.NotOffered) {
			t.Errorf("%s: verdict %s", r.Check.Name, r.Verdict)
		}
	}
}

func TestRun(t *testing.T) {
	f := newFakeCarrier(t)
	carriertest.Run(t, carriertest.Of(zoo("", same), configFor(f), f.controls()))
}
