package tracker

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// A Finder finds a tenant's tracker by an id in the form of the surface through which it came, NotFound where there is none.
type Finder func(ctx context.Context, c usecase.Caller, id string) (*tracker.Tracker, error)

// own is what this surface is called where a caller says which surface an id is of.
const own = string(tracker.OfAPI)

// erase erases a tracker, whatever surface it came through.
func (s *surface) erase(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.findAnywhere(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if t, err = s.Cases.Erase(q.Context(), q.Caller, t.ID); err != nil {
		return httpapi.Answer{}, err
	}
	return s.answer(q, t)
}

// findAnywhere finds what an id means on the surface that the caller names; else on all of them, where it must not mean two things: what is
// erased cannot be brought back.
func (s *surface) findAnywhere(q *httpapi.Request) (*tracker.Tracker, error) {
	id, err := pathID(q)
	if err != nil {
		return nil, err
	}
	finders := map[string]Finder{own: func(context.Context, usecase.Caller, string) (*tracker.Tracker, error) { return s.find(q) }}
	maps.Copy(finders, s.Elsewhere)
	surfaces := slices.Sorted(maps.Keys(finders))
	named, asked := q.HTTP.URL.Query()["surface"]
	if asked {
		if len(named) != 1 || finders[named[0]] == nil {
			return nil, usecase.Invalid(usecase.InvalidData, shipping.Faults{{Path: "surface", Message: "must be one of " + strings.Join(surfaces, ", ")}})
		}
		surfaces = named
	}
	found, on := map[tracker.ID]*tracker.Tracker{}, []string{}
	for _, name := range surfaces {
		t, err := finders[name](q.Context(), q.Caller, id)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[t.ID], on = t, append(on, name)
	}
	if len(found) == 0 && !asked && isID(id) { // the engine's own form, in which messages name what they tell of
		if t, err := s.Cases.Tracker(q.Context(), q.Caller, tracker.ID(id)); !isNotFound(err) {
			return t, err
		}
	}
	for _, t := range found {
		if len(found) == 1 {
			return t, nil
		}
	}
	if len(found) == 0 {
		return nil, usecase.Failf(usecase.NotFound, "Tracker with id, %s, is not found", id)
	}
	return nil, usecase.Failf(usecase.InvalidOperation, "The id %s means different trackers on the surfaces %s. Say which is meant: ?surface=%s.", id, strings.Join(on, " and "), on[0])
}
