package retention

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
)

// surfaces are those whose trackers are erased by their own age. Trackers of bookings are erased with their orders.
var surfaces = []tracker.Surface{tracker.OfAPI, tracker.OfShip24, tracker.OfTracktor, tracker.OfShop}

// eraseTrackers erases what is known of people from each tracker that was created in a span of time, and answers how many those were.
func (s *Service) eraseTrackers(ctx context.Context, tenant string, from, to time.Time) (int, error) {
	total := 0
	for _, surface := range surfaces {
		q := store.TrackerQuery{Surface: surface, Limit: page, Ascending: true}
		for {
			p, err := s.Store.ListTrackers(ctx, tenant, q)
			if err != nil {
				return total, err
			}
			for _, t := range p.Trackers {
				if t.CreatedAt.Before(from) || t.CreatedAt.After(to) {
					continue
				}
				if err := s.EraseTracker(ctx, t); err != nil { // also one that was erased before: nothing may be left of it
					return total, err
				}
				total++
			}
			last := len(p.Trackers) - 1
			if q.Cursor = p.Next; q.Cursor == "" || last >= 0 && p.Trackers[last].CreatedAt.After(to) {
				break
			}
		}
	}
	return total, nil
}
