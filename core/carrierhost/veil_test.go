package carrierhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/sdk/carrier"
)

// What came from outside into the URLs of an account shows in no exchange, error or line of the log, in whichever form it is written there, also
// where an answer was cut off in it; and nothing else is changed.
func TestWhatCameFromOutsideIntoURLsShowsNowhere(t *testing.T) {
	const hidden = "tok n/6Bxyz7"
	forms := []string{"tok n/6Bxyz7", "tok%20n/6Bxyz7", "tok+n%2F6Bxyz7", "tok%20n%2F6Bxyz7", "6Bxyz7"}
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			p := &plant{prepare: func(_ int, f *fake) {
				f.quote = func(ctx context.Context, _ int) error {
					carrier.TraceOf(ctx).Add(carrier.Exchange{Method: "POST", URL: "https://ups.example/" + form + "/rate", RequestHeader: map[string]string{"X-From": form},
						RequestBody: "{" + form + "}", ResponseHeader: map[string]string{"Location": "/" + form}, ResponseBody: "no such path: " + form, Error: form})
					carrier.TraceOf(ctx).Add(carrier.Exchange{Method: "GET", URL: "https://ups.example/rest", ResponseBody: "no such path: " + form[:len(form)-1], Truncated: true})
					carrier.TraceOf(ctx).Drop(2)
					return &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Code: carrier.CarrierRejected, Message: "at " + form,
						CarrierMessage: "no " + form, Err: fmt.Errorf("post %s: %w", form, errors.ErrUnsupported)}
				}
			}}
			var log bytes.Buffer
			accounts := []*config.Account{acct("ups", func(a *config.Account) { a.Hidden = config.Secret(hidden) })}
			inBubble(t, p, func(c *Config) { c.Log = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace}) }, accounts, func(t *testing.T, h *Host) {
				ready(t, h)
				ctx, trace := carrier.WithTrace(t.Context())
				_, err := account(t, h, "ups").Quote(ctx, carrier.QuoteRequest{})
				e := carrier.AsError(err)
				if e == nil || e.Code != carrier.CarrierRejected || e.Effect != carrier.EffectNone || e.Message != "at REDACTED" || e.CarrierMessage != "no REDACTED" ||
					e.Err == nil || e.Err.Error() != "post REDACTED: unsupported operation" {
					t.Errorf("error %+v", e)
				}
				xs, dropped := trace.Exchanges()
				if len(xs) != 2 || dropped != 2 || xs[0].URL != "https://ups.example/REDACTED/rate" || xs[1].URL != "https://ups.example/rest" || !strings.HasPrefix(xs[1].ResponseBody, "no such path: REDACTED") {
					t.Errorf("exchanges %+v, %d dropped", xs, dropped)
				}
				if shown := fmt.Sprintf("%+v", xs); strings.Contains(shown, form) || strings.Contains(shown, "6Bxy") || strings.Count(shown, "REDACTED") != 7 {
					t.Errorf("exchanges %s", shown)
				}
				l := h.log.Named("adapter").With("at", form)
				l.Info("said "+form, "err", errors.New("no "+form), "n", 7)
				l.ResetNamed("x").Log(hclog.Warn, "warned", "list", []string{form})
				l.Trace(form)
				l.Debug(form)
				l.Warn(form)
				l.Error(form)
			})
			if s := log.String(); strings.Contains(s, form) || strings.Count(s, "REDACTED") < 6 || !strings.Contains(s, "n=7") {
				t.Errorf("log: %s", s)
			}
		})
	}
}

// An account of which nothing came from outside, and words that stand in every path, change nothing of what is said.
func TestOnlyWhatCameFromOutsideIsHidden(t *testing.T) {
	for hidden, want := range map[config.Secret]string{
		"":                     "/api/shipments/v1 abc",
		"abc":                  "/api/shipments/v1 abc", // too short to be told from other text
		"api/shipments/v1":     "/REDACTED abc",
		"other/shipments/v1":   "/api/shipments/v1 abc",
		"other\nshipments/v1/": "/api/REDACTED abc",
	} {
		if got := (veil{}).over(hidden).text("/api/shipments/v1 abc"); got != want {
			t.Errorf("%q: %q, want %q", hidden, got, want)
		}
	}
	e := &carrier.Error{Message: "m", Err: context.Canceled}
	if got := (veil{}).over("something").failure(e); !errors.Is(got, context.Canceled) || (veil{}).failure(e) != e {
		t.Errorf("%+v", got)
	}
}
