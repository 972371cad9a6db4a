package ups

import (
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/simulator"
)

// subscription is where a parcel's scans are pushed to, and until when.
type subscription struct {
	URL        string    `json:"url"`
	Credential string    `json:"credential,omitempty"`
	Until      time.Time `json:"until"`
}

// alertLife is the published life of a subscription; alertMost how many numbers one request may hold.
const (
	alertLife = 14 * 24 * time.Hour
	alertMost = 100
)

// alertNumber is what the carrier takes: its own numbers, and Roadie's.
var alertNumber = regexp.MustCompile(`^(1Z[0-9A-Z]{16}|1R([0-9A-Z]{14}|[0-9A-Z]{26}))$`)

type subscribeRequest struct {
	Locale      text   `json:"locale"`
	Numbers     []text `json:"trackingNumberList"`
	Destination *struct {
		URL            text `json:"url"`
		CredentialType text `json:"credentialType"`
		Credential     text `json:"credential"`
	} `json:"destination"`
}

type subscribeAnswer struct {
	Valid   []string `json:"validTrackingNumbers"`
	Invalid []string `json:"invalidTrackingNumbers"`
}

// subscribe has single parcels told of. A v1 request names its destination, a v2 request leaves that to the account's. A number that
// nobody has shipped yet is valid, as the published text has it; there is no scan of it to tell.
func (d *Dialect) subscribe(x *simulator.Exchange) simulator.Act {
	if err := d.strict(x); err != nil {
		return err.answer(x)
	}
	var r subscribeRequest
	if act := decode(x, &r); act != nil {
		return act
	}
	v1 := x.Vars["version"] == "v1"
	if err := r.check(v1); err != nil {
		return err.answer(x)
	}
	return func(tx *simulator.Tx) simulator.Response {
		out := subscribeAnswer{Valid: []string{}, Invalid: []string{}}
		for _, n := range r.Numbers {
			if !alertNumber.MatchString(string(n)) {
				out.Invalid = append(out.Invalid, string(n))
				continue
			}
			out.Valid = append(out.Valid, string(n))
			e := tx.Find(Name, string(n))
			if e == nil || !v1 {
				continue
			}
			if s, ok := e.Data.(*shipment); ok {
				if i, found := s.parcel(string(n)); found {
					s.parcels[i].alert = &subscription{string(r.Destination.URL), string(r.Destination.Credential), tx.Now().Add(alertLife)}
				}
			}
		}
		return answerJSON(x, out)
	}
}

// check finds the first fault, in the codes of the published table.
func (r *subscribeRequest) check(v1 bool) *refusal {
	const rejected = " The Subscription request has been rejected."
	d := r.Destination
	switch valid := func(n text) bool { return alertNumber.MatchString(string(n)) }; {
	case len(r.Numbers) == 0:
		return refuse("VSS200", "Tracking Number List is required."+rejected)
	case len(r.Numbers) > alertMost:
		return refuse("VSS220", "You have submitted over 100 tracking numbers which is not allowed.")
	case !slices.ContainsFunc(r.Numbers, valid):
		return refuse("VSS210", "The Subscription request should have at least one valid tracking number."+rejected)
	case r.Locale == "":
		return refuse("VSS300", "Locale is required."+rejected)
	case !v1:
		return nil
	case d == nil:
		return refuse("VSS500", "Destination is required."+rejected)
	case !isURL(string(d.URL)):
		return refuse("VSS600", "URL is empty or not present."+rejected)
	case d.Credential == "":
		return refuse("VSS700", "Credential is empty or not present."+rejected)
	case d.CredentialType == "":
		return refuse("VSS800", "CredentialType is empty or not present."+rejected)
	}
	return nil
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}
