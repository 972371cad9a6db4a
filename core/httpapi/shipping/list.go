package shipping

import (
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Limits of the list.
const (
	maxPage     = 1000
	maxIDs      = 100
	maxRange    = 30 * 24 * time.Hour
	defaultPast = 24 * time.Hour
)

type listBody struct {
	Limit               *int                 `json:"limit"`
	CreatedAt           *shipping.TimeWindow `json:"createdAt"`
	LastUpdatedAt       *shipping.TimeWindow `json:"lastUpdatedAt"`
	OrderExternalIDs    []string             `json:"orderExternalIds"`
	GroupID             *string              `json:"groupId"`
	LocationExternalIDs []string             `json:"locationExternalIds"`
	PickupTime          *shipping.TimeWindow `json:"pickupTime"`
	DeliveryTime        *shipping.TimeWindow `json:"deliveryTime"`
	Status              []shipping.Status    `json:"status"`
	PaginationToken     *string              `json:"paginationToken"`
	NeedsAttention      bool                 `json:"needsAttention"`
}

// query turns the body into the store's question, or finds every fault of it.
func (b listBody) query(now time.Time) (store.ShipmentQuery, shipping.Faults) {
	var f shipping.Faults
	q := store.ShipmentQuery{Limit: maxPage, ExternalIDs: b.OrderExternalIDs, LocationIDs: b.LocationExternalIDs, Statuses: b.Status, NeedsPerson: b.NeedsAttention}
	if b.Limit != nil {
		if q.Limit = *b.Limit; q.Limit < 1 || q.Limit > maxPage {
			f.Add("limit", "must be between 1 and %d", maxPage)
		}
	}
	ids := func(path string, list []string) {
		if len(list) > maxIDs {
			f.Add(path, "must have at most %d entries", maxIDs)
		}
		for i, id := range list {
			f.Required(fmt.Sprintf("%s[%d]", path, i), id, shipping.MaxText)
		}
	}
	ids("orderExternalIds", b.OrderExternalIDs)
	ids("locationExternalIds", b.LocationExternalIDs)
	if b.GroupID != nil {
		f.Line("groupId", *b.GroupID, shipping.MaxText)
		q.GroupID = *b.GroupID
	}
	if len(b.Status) > maxIDs {
		f.Add("status", "must have at most %d entries", maxIDs)
	}
	for i, st := range b.Status {
		if !slices.Contains(shipping.Statuses, st) {
			f.Add(fmt.Sprintf("status[%d]", i), "%q is not a status", st)
		}
	}
	q.Created = window(&f, "createdAt", b.CreatedAt, now)
	q.Updated = window(&f, "lastUpdatedAt", b.LastUpdatedAt, now)
	b.times(&q, &f)
	if b.PaginationToken != nil {
		q.Cursor = *b.PaginationToken
	}
	unbounded := b.CreatedAt == nil && b.LastUpdatedAt == nil && b.PickupTime == nil && b.DeliveryTime == nil && len(b.OrderExternalIDs) == 0 && q.GroupID == "" && !b.NeedsAttention
	if unbounded {
		q.Since = shipping.At(now.Add(-defaultPast))
	}
	return q, f
}

// times reads pickupTime.startsAt and deliveryTime.endsAt, which require each other.
func (b listBody) times(q *store.ShipmentQuery, f *shipping.Faults) {
	if b.PickupTime != nil {
		if q.PickupFrom = b.PickupTime.StartsAt; q.PickupFrom.IsZero() {
			f.Add("pickupTime.startsAt", "is required")
		}
		if !b.PickupTime.EndsAt.IsZero() {
			f.Add("pickupTime.endsAt", "is not taken; use deliveryTime.endsAt")
		}
		if b.DeliveryTime == nil {
			f.Add("deliveryTime.endsAt", "is required where pickupTime is given")
		}
	}
	if b.DeliveryTime != nil {
		if q.DeliveryTo = b.DeliveryTime.EndsAt; q.DeliveryTo.IsZero() {
			f.Add("deliveryTime.endsAt", "is required")
		}
		if !b.DeliveryTime.StartsAt.IsZero() {
			f.Add("deliveryTime.startsAt", "is not taken; use pickupTime.startsAt")
		}
		if b.PickupTime == nil {
			f.Add("pickupTime.startsAt", "is required where deliveryTime is given")
		}
	}
}

// window reads a range of time; without an end it runs to now.
func window(f *shipping.Faults, path string, w *shipping.TimeWindow, now time.Time) shipping.TimeWindow {
	if w == nil {
		return shipping.TimeWindow{}
	}
	out := *w
	if out.StartsAt.IsZero() {
		f.Add(path+".startsAt", "is required")
		return out
	}
	end := out.EndsAt
	if end.IsZero() {
		end = shipping.At(now)
	}
	out.Validate(f, path)
	if end.Sub(out.StartsAt.Time) > maxRange {
		f.Add(path, "date range cannot be greater than 30 days")
	}
	return out
}

type listView struct {
	Data            []view       `json:"data"`
	PaginationToken shape.Tokens `json:"paginationToken"`
}

func (s *surface) list(q *httpapi.Request) (httpapi.Answer, error) {
	body := q.Body
	if len(body) == 0 {
		body = []byte("{}")
	}
	var b listBody
	f, err := httpapi.Decode(body, &b)
	if err != nil {
		e := *usecase.AsError(err)
		e.Type = usecase.InvalidData
		return httpapi.Answer{}, &e
	}
	query, more := b.query(s.router.Clock.Now())
	if f = shape.Add(f, more); len(f) > 0 {
		return httpapi.Answer{}, usecase.Invalid(usecase.InvalidData, f)
	}
	page, err := s.cases.List(q.Context(), q.Caller, query)
	if err != nil {
		return httpapi.Answer{}, err
	}
	out := listView{Data: []view{}, PaginationToken: shape.Tokens{Next: shape.Text(page.Next), Previous: shape.Text(page.Previous)}}
	for _, sh := range page.Shipments {
		v, err := s.show(q, sh)
		if err != nil {
			return httpapi.Answer{}, err
		}
		out.Data = append(out.Data, v)
	}
	return httpapi.Answer{Body: out}, nil
}
