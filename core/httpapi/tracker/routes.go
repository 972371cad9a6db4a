package tracker

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/geo"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/returns"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Placer places addresses.
type Placer interface {
	Place(ctx context.Context, q geo.Query) (geo.Place, error)
}

// Settings is what the surface works with. All members are required but Elsewhere.
type Settings struct {
	Cases tracking.UseCases
	// Elsewhere finds the trackers of the other surfaces by their ids there, by the name that the surface goes by: they too are erased here.
	Elsewhere map[string]Finder
	// Manifest of an account's adapter; known is false as long as that has never started.
	Manifest func(tenant, account string) (m carrier.Manifest, known bool)
	Placer   Placer
	Pages    shape.Pages
	Back     Returner
}

// Show returns the JSON of a tracker as this surface answers it, for those who tell of it. It needs Manifest and Pages. back are its
// returns, oldest first; base is what links begin with.
func (s Settings) Show(tenant *config.Tenant, t *tracker.Tracker, back []*shipment.Shipment, base string) any {
	v := (&surface{Settings: s}).show(tenant, t)
	if len(back) > 0 {
		v.ReturnRequest, v.Returns = returns.Present(back, base, s.Pages)
	}
	return v
}

type surface struct {
	Settings
	router *httpapi.Router
}

// Mount mounts the surface.
func Mount(r *httpapi.Router, settings Settings) {
	s := &surface{Settings: settings, router: r}
	MountDetect(r)
	r.Handle(http.MethodPost, "/trackers", nil, s.create)
	r.Handle(http.MethodGet, "/trackers", httpapi.Table{usecase.InvalidData: http.StatusBadRequest}, s.list)
	r.Handle(http.MethodGet, "/trackers/{id}", nil, s.get)
	r.Handle(http.MethodDelete, "/trackers/{id}", nil, s.remove)
	r.Handle(http.MethodPost, "/trackers/{id}/status", nil, s.setStatus)
	r.Handle(http.MethodGet, "/trackers/{id}/events", nil, s.events)
	r.Handle(http.MethodPost, "/trackers/{id}/erase", nil, s.erase)
	r.Handle(http.MethodPost, "/trackers/{id}/return", nil, s.giveBack)
}

// nameOf is the name under which the tenant's tracker with a trackerExternalId is found.
func nameOf(externalID string) string { return tracker.Name("tracker", externalID) }

// find reads the tracker that the path names, by its id or its trackerExternalId. Trackers of other surfaces are not there.
func (s *surface) find(q *httpapi.Request) (*tracker.Tracker, error) {
	id, err := pathID(q)
	if err != nil {
		return nil, err
	}
	t, err := s.Cases.TrackerByName(q.Context(), q.Caller, nameOf(id))
	if isNotFound(err) && isID(id) {
		t, err = s.Cases.Tracker(q.Context(), q.Caller, tracker.ID(id))
	}
	if err == nil && t.Surface != tracker.OfAPI || isNotFound(err) {
		return nil, usecase.Failf(usecase.NotFound, "Tracker with id, %s, is not found", id)
	}
	return t, err
}

// pathID is the id that the path names.
func pathID(q *httpapi.Request) (string, error) {
	id, err := url.PathUnescape(mux.Vars(q.HTTP)["id"])
	if err != nil || id == "" || !utf8.ValidString(id) || utf8.RuneCountInString(id) > shipping.MaxText || strings.ContainsFunc(id, unicode.IsControl) {
		return "", usecase.Failf(usecase.InvalidData, "Invalid data: Invalid Tracker Id. It has at most 100 characters, and no control characters.")
	}
	return id, nil
}

func isNotFound(err error) bool { return err != nil && usecase.AsError(err).Type == usecase.NotFound }

func isID(s string) bool {
	return len(s) == 24 && !strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}

func (s *surface) get(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.find(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return s.answer(q, t)
}

// remove ends following, and answers the tracker as it was.
func (s *surface) remove(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.find(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if err := s.Cases.Delete(q.Context(), q.Caller, t.ID); err != nil {
		return httpapi.Answer{}, err
	}
	return s.answer(q, t)
}

// setStatus moves a tracker by hand.
func (s *surface) setStatus(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.find(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	u, err := shape.ReadStatus(q.Body, s.router.Clock.Now())
	if err != nil {
		return httpapi.Answer{}, err
	}
	if t, err = s.Cases.SetTrackerStatus(q.Context(), q.Caller, t.ID, u); err != nil {
		return httpapi.Answer{}, err
	}
	return s.answer(q, t)
}

type eventsView struct {
	TrackerID         tracker.ID      `json:"trackerId"`
	TrackerExternalID *string         `json:"trackerExternalId"`
	TrackingID        string          `json:"trackingId"`
	Status            shipping.Status `json:"status"`
	Events            []shape.Event   `json:"events"`
}

// events answers the merged timeline.
func (s *surface) events(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.find(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	return httpapi.Answer{Body: eventsView{TrackerID: t.ID, TrackerExternalID: shape.Text(t.Order.ExternalID), TrackingID: t.Number, Status: t.Status,
		Events: shape.Events(t)}}, nil
}

// Limits of the list.
const (
	maxPage     = 1000
	maxStatuses = 100
)

type listView struct {
	Data            []view       `json:"data"`
	PaginationToken shape.Tokens `json:"paginationToken"`
}

// list answers a page of the trackers of this surface, newest first.
func (s *surface) list(q *httpapi.Request) (httpapi.Answer, error) {
	query, f := listQuery(q.HTTP.URL.Query())
	if len(f) > 0 {
		return httpapi.Answer{}, usecase.Invalid(usecase.InvalidData, f)
	}
	page, err := s.Cases.ListTrackers(q.Context(), q.Caller, query)
	if err != nil {
		return httpapi.Answer{}, err
	}
	out := listView{Data: []view{}, PaginationToken: shape.Tokens{Next: shape.Text(page.Next), Previous: shape.Text(page.Previous)}}
	for _, t := range page.Trackers {
		v, err := s.present(q, t)
		if err != nil {
			return httpapi.Answer{}, err
		}
		out.Data = append(out.Data, v)
	}
	return httpapi.Answer{Body: out}, nil
}

// listQuery reads the question, with all its faults.
func listQuery(v url.Values) (store.TrackerQuery, shipping.Faults) {
	var f shipping.Faults
	q := store.TrackerQuery{Surface: tracker.OfAPI, Cursor: v.Get("paginationToken")}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if len(v[name]) > 1 && slices.Contains([]string{"limit", "groupId", "paginationToken"}, name) {
			f.Add(name, "must be given once")
		}
	}
	if text := v.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			f.Add("limit", "must be a whole number between 1 and %d", maxPage)
		}
		q.Limit = n
	}
	if group := v.Get("groupId"); group != "" {
		if f.Line("groupId", group, shipping.MaxText); len(f) == 0 {
			q.Tag = tracker.GroupTag(group)
		}
	}
	for _, text := range v["status"] {
		for one := range strings.SplitSeq(text, ",") {
			status := shipping.Status(strings.TrimSpace(one))
			switch {
			case status == "":
			case !slices.Contains(shipping.Statuses, status):
				if len(f) < maxStatuses {
					f.Add("status", "%q is not a status", status)
				}
			case !slices.Contains(q.Statuses, status):
				q.Statuses = append(q.Statuses, status)
			}
		}
	}
	slices.Sort(q.Statuses)
	return q, f
}

// accountNamed returns the account that a caller's word means: its id, its display name, its adapter or that one's display name, in
// any case. One that is not retired comes first.
func (s *surface) accountNamed(t *config.Tenant, name string) *config.Account {
	var retired *config.Account
	for _, id := range slices.Sorted(maps.Keys(t.Accounts)) {
		a := t.Accounts[id]
		names := []string{a.ID, a.Name, a.Adapter}
		if m, known := s.Manifest(t.ID, id); known {
			names = append(names, m.DisplayName)
		}
		switch {
		case !slices.ContainsFunc(names, func(n string) bool { return n != "" && strings.EqualFold(n, name) }):
		case !a.Retired:
			return a
		case retired == nil:
			retired = a
		}
	}
	return retired
}

// notFollowed is the warning of a tracker whose carrier tells nothing by itself.
func notFollowed(provider string) string {
	return fmt.Sprintf("%s does not tell where a delivery is. The status stays as it is until it is set by hand.", provider)
}
