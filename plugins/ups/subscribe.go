package main

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// The choices of the configuration. Only v1 of Track Alert takes the push URL with the request.
const (
	alertOff     = "off"
	alertWithURL = "v1"
)

const (
	// alertLife is how long UPS pushes after a subscription (UPSTrackAlert); it says no date in its answer.
	alertLife = 14 * 24 * time.Hour
	// alertsAtOnce is how many numbers one request may hold.
	alertsAtOnce = 100
)

// alertNumber is what Track Alert takes: numbers of UPS's own, and of Roadie.
var alertNumber = regexp.MustCompile(`^(1Z[0-9A-Z]{16}|1R([0-9A-Z]{14}|[0-9A-Z]{26}))$`)

type (
	alertRequest struct {
		Locale      string            `json:"locale"`
		Country     string            `json:"countryCode"`
		Numbers     []string          `json:"trackingNumberList"`
		Destination *alertDestination `json:"destination,omitempty"`
	}
	alertDestination struct {
		URL            string `json:"url"`
		CredentialType string `json:"credentialType"`
		Credential     string `json:"credential"`
	}
	alertAnswer struct {
		Valid   many[text] `json:"validTrackingNumbers"`
		Invalid many[text] `json:"invalidTrackingNumbers"`
	}
)

// SubscribePush subscribes numbers to Track Alert. UPS does not replay what happened before; polls tell that.
func (a *Account) SubscribePush(ctx context.Context, r carrier.SubscribeRequest) (carrier.PushSubscription, error) {
	if a.cfg.TrackAlert == "" || a.cfg.TrackAlert == alertOff {
		return carrier.PushSubscription{}, nil
	}
	var numbers []string
	for _, n := range r.Numbers {
		if n = strings.ToUpper(n); alertNumber.MatchString(n) {
			numbers = append(numbers, n)
		}
	}
	out := carrier.PushSubscription{Until: shipping.At(a.env.Now(ctx).Add(alertLife))}
	for part := range slices.Chunk(numbers, alertsAtOnce) {
		body := alertRequest{Locale: "en_US", Country: "US", Numbers: part}
		if a.cfg.TrackAlert == alertWithURL {
			body.Destination = &alertDestination{URL: r.URL, CredentialType: "Bearer", Credential: a.cfg.PushCredential.Reveal()}
		}
		var answer alertAnswer
		if _, err := a.ask(ctx, exchange{method: http.MethodPost, path: "/api/track/" + a.cfg.TrackAlert + "/subscription/standard/package", body: body}, &answer); err != nil {
			return carrier.PushSubscription{}, err
		}
		for _, n := range answer.Valid {
			if slices.Contains(part, string(n)) {
				out.Numbers = append(out.Numbers, string(n))
			}
		}
	}
	return out, nil
}
