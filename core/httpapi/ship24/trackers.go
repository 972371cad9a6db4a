package ship24

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracker/number"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// maxPages bounds the page that may be asked for, so that its offset can be told in any integer.
const (
	maxPages = 1_000_000_000
	maxLimit = 500
)

// list answers a page of trackers, oldest first unless sort is -1.
func (s *surface) list(q *httpapi.Request) (httpapi.Answer, error) {
	var f shipping.Faults
	given := q.HTTP.URL.Query()
	page := whole(&f, given, "page", maxPages)
	limit := whole(&f, given, "limit", maxLimit)
	sort := given.Get("sort")
	if sort != "" && sort != "1" && sort != "-1" {
		f.Add("sort", "must be 1 for the oldest first, or -1 for the newest first")
	}
	if err := invalid(f, nil); err != nil {
		return httpapi.Answer{}, err
	}
	found, err := s.cases.ListTrackers(q.Context(), q.Caller,
		store.TrackerQuery{Surface: tracker.OfShip24, Limit: limit, Offset: (page - 1) * limit, Ascending: sort != "-1"})
	if err != nil {
		return httpapi.Answer{}, err
	}
	out := []listed{}
	for _, t := range found.Trackers {
		out = append(out, showListed(t, q.Tenant))
	}
	return httpapi.Answer{Body: data("trackers", out)}, nil
}

// whole reads a whole number of at least 1 that is required.
func whole(f *shipping.Faults, given url.Values, name string, limit int) int {
	text := given.Get(name)
	if text == "" {
		f.Add(name, isRequired)
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > limit {
		f.Add(name, "must be a whole number from 1 to %d", limit)
		return 1
	}
	return n
}

func notFound() error { return usecase.Failf(usecase.NotFound, "Tracker not found.") }

// find returns the tracker that the path names by its id or, with ?searchBy=clientTrackerId, by the caller's own.
func (s *surface) find(q *httpapi.Request) (*tracker.Tracker, error) {
	name, err := variable(q, "trackerId")
	if err != nil {
		return nil, err
	}
	var t *tracker.Tracker
	switch by := q.HTTP.URL.Query().Get("searchBy"); by {
	case "", "trackerId":
		id, ok := idOf(name)
		if !ok {
			return nil, notFound()
		}
		t, err = s.cases.Tracker(q.Context(), q.Caller, id)
	case "clientTrackerId":
		t, err = byClient(q.Context(), s.cases, q.Caller, name)
	default:
		return nil, invalid(shipping.Faults{{Path: "searchBy", Message: "must be trackerId or clientTrackerId"}}, nil)
	}
	if err != nil && usecase.AsError(err).Type != usecase.NotFound {
		return nil, err
	}
	if err != nil || t.Surface != tracker.OfShip24 {
		return nil, notFound()
	}
	return t, nil
}

// byClient finds the tracker that has a clientTrackerId now; where none has, the last one that had it.
func byClient(ctx context.Context, cases tracking.UseCases, c usecase.Caller, id string) (*tracker.Tracker, error) {
	t, err := cases.TrackerByName(ctx, c, clientName(id))
	if err == nil || usecase.AsError(err).Type != usecase.NotFound {
		return t, err
	}
	had, err := cases.TrackersByTag(ctx, c, clientTag(id))
	if err != nil || len(had) == 0 {
		return nil, cmp.Or(err, notFound())
	}
	return had[len(had)-1], nil
}

// Finder returns what finds the tracker of this surface that has a clientTrackerId or a trackerId.
func Finder(cases tracking.UseCases) func(ctx context.Context, c usecase.Caller, name string) (*tracker.Tracker, error) {
	return func(ctx context.Context, c usecase.Caller, name string) (*tracker.Tracker, error) {
		t, err := byClient(ctx, cases, c, name)
		if id, ok := idOf(name); ok && err != nil && usecase.AsError(err).Type == usecase.NotFound {
			t, err = cases.Tracker(ctx, c, id)
		}
		if err == nil && t.Surface != tracker.OfShip24 {
			return nil, notFound()
		}
		return t, err
	}
}

// variable is a part of the path. What can be the name of nothing is not found.
func variable(q *httpapi.Request, name string) (string, error) {
	text, err := url.PathUnescape(mux.Vars(q.HTTP)[name])
	if err != nil || !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxText {
		return "", notFound()
	}
	return text, nil
}

func (s *surface) get(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.find(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: data("tracker", show(t, q.Tenant))}, nil
}

func (s *surface) results(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.find(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: data("trackings", []result{trackingOf(t, q.Tenant)})}, nil
}

// resultsByNumber answers all trackers of a number; none is no fault.
func (s *surface) resultsByNumber(q *httpapi.Request) (httpapi.Answer, error) {
	n, err := variable(q, "trackingNumber")
	if err != nil {
		return httpapi.Answer{Body: data("trackings", []result{})}, nil
	}
	out := []result{}
	for _, tag := range numberTags(n) {
		found, err := s.cases.TrackersByTag(q.Context(), q.Caller, tag)
		if err != nil {
			return httpapi.Answer{}, err
		}
		for _, t := range found {
			out = append(out, trackingOf(t, q.Tenant))
		}
	}
	return httpapi.Answer{Body: data("trackings", out)}, nil
}

// change is the body of a PATCH. A member that is null or not there changes nothing.
type change struct {
	IsSubscribed           *bool         `json:"isSubscribed"`
	CourierCode            *courierCodes `json:"courierCode"`
	OriginCountryCode      *string       `json:"originCountryCode"`
	DestinationCountryCode *string       `json:"destinationCountryCode"`
	DestinationPostCode    *string       `json:"destinationPostCode"`
	ShippingDate           *string       `json:"shippingDate"`
}

func (s *surface) update(q *httpapi.Request) (httpapi.Answer, error) {
	var c change
	f, err := httpapi.Decode(q.Body, &c)
	if err != nil {
		return httpapi.Answer{}, err
	}
	var more shipping.Faults
	checkShipment(&more, c.OriginCountryCode, c.DestinationCountryCode, c.DestinationPostCode, c.CourierCode)
	checkDate(&more, c.ShippingDate, s.router.Clock.Now())
	if err := invalid(f, more); err != nil {
		return httpapi.Answer{}, err
	}
	t, err := s.find(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	t, err = s.cases.Update(q.Context(), q.Caller, t.ID, c.apply)
	if e := usecase.AsError(err); err != nil && e.Type == usecase.DuplicateID {
		e.Message = takenMeanwhile
	}
	if err != nil {
		return httpapi.Answer{}, settled(err)
	}
	return httpapi.Answer{Body: data("tracker", show(t, q.Tenant))}, nil
}

// apply changes a tracker. What the parcel was found by stays once something is known of it.
func (c change) apply(t *tracker.Tracker) error {
	if !t.ErasedAt.IsZero() {
		return usecase.Failf(notUpdatable, "The personal data of this tracker was erased; it can't be updated any more.")
	}
	x := extraOf(t)
	r := &x.Request
	differs := func(now, want *string) bool { return want != nil && (now == nil || *now != *want) }
	courier := c.CourierCode != nil && !c.CourierCode.equal(r.CourierCode)
	gathered := len(t.Events) > 0 || t.Base != nil
	if gathered && (courier || differs(r.OriginCountryCode, c.OriginCountryCode) || differs(r.DestinationCountryCode, c.DestinationCountryCode) ||
		differs(r.ShippingDate, c.ShippingDate)) {
		return usecase.Failf(notUpdatable, "This Tracker can't be updated as tracking information of its shipment has been gathered already. Please create a new Tracker.")
	}
	r.OriginCountryCode = cmp.Or(c.OriginCountryCode, r.OriginCountryCode)
	r.DestinationCountryCode = cmp.Or(c.DestinationCountryCode, r.DestinationCountryCode)
	r.DestinationPostCode = cmp.Or(c.DestinationPostCode, r.DestinationPostCode)
	r.ShippingDate = cmp.Or(c.ShippingDate, r.ShippingDate)
	r.CourierCode = cmp.Or(c.CourierCode, r.CourierCode)
	if courier {
		t.Unfollow()
		t.Couriers, t.Account = r.couriers(), ""
	}
	if c.IsSubscribed != nil && *c.IsSubscribed == x.Unsubscribed {
		x.subscribe(t, *c.IsSubscribed)
	}
	return x.keepIn(t)
}

// subscribe begins or ends to follow. While nobody follows it, the tracker's clientTrackerId is free for another one.
func (x *extra) subscribe(t *tracker.Tracker, on bool) {
	x.Unsubscribed = !on
	client := ""
	if id := x.Request.ClientTrackerID; id != nil && *id != "" {
		client = clientName(*id)
	}
	switch {
	case on:
		if t.Stopped == tracker.StopUnsubscribed {
			t.Stopped = ""
		}
		if client != "" {
			t.Names = append(t.Names, client)
		}
	default:
		if t.Stopped == "" {
			t.Stopped = tracker.StopUnsubscribed
		}
		t.Names = slices.DeleteFunc(t.Names, func(n string) bool { return n == client })
	}
}

type courierView struct {
	CourierCode    string  `json:"courierCode"`
	CourierName    string  `json:"courierName"`
	Website        *string `json:"website"`
	IsPost         bool    `json:"isPost"`
	CountryCode    *string `json:"countryCode"`
	RequiredFields *string `json:"requiredFields"` // always null: no carrier needs more than the number
	IsDeprecated   bool    `json:"isDeprecated"`
}

// couriers answers the couriers whose numbers are known, and the tenant's own accounts of others, by code.
func (s *surface) couriers(q *httpapi.Request) (httpapi.Answer, error) {
	out := []courierView{}
	for _, c := range number.Couriers() {
		out = append(out, courierView{CourierCode: c.Ship24, CourierName: c.Name, Website: shape.Text(c.Website), IsPost: c.Post, CountryCode: shape.Text(c.CountryCode)})
	}
	for id, a := range q.Tenant.Accounts {
		if _, known := number.Lookup(a.Adapter); !known {
			out = append(out, courierView{CourierCode: id, CourierName: cmp.Or(a.Name, id), IsDeprecated: a.Retired})
		}
	}
	slices.SortFunc(out, func(a, b courierView) int { return strings.Compare(a.CourierCode, b.CourierCode) })
	return httpapi.Answer{Status: http.StatusOK, Body: data("couriers", out)}, nil
}
