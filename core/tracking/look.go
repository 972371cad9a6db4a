package tracking

import (
	"cmp"
	"context"

	"github.com/waybill-dev/waybill/core/tracker"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Look asks the carrier about a tracker that is not kept, and returns it as it is then.
func (s *Service) Look(ctx context.Context, c usecase.Caller, t *tracker.Tracker) (*tracker.Tracker, error) {
	tenant, err := s.tenant(c.Tenant)
	if err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	t.Schema, t.ID, t.Tenant, t.CreatedBy, t.CreatedAt, t.UpdatedAt = tracker.Schema, tracker.ID(s.Source.ID()), c.Tenant, c.Key, now, now
	t.Status = cmp.Or(t.Status, shipping.OrderDispatched)
	s.assign(tenant, t)
	if _, err := s.begin(ctx, t, now); err != nil { // what was pushed stays parked for those who follow
		return nil, refusal("look for a parcel", err)
	}
	a := s.account(c.Tenant, t.Account)
	if a == nil || !s.can(c.Tenant, t.Account, carrier.CanTrack) {
		return t, nil
	}
	v := &visit{t: t}
	if fault := s.ask(ctx, a, []*visit{v}); fault != nil {
		s.Log.Info("carrier could not be asked at once", "account", a.ID, "tenant", a.Tenant, "code", string(fault.Code))
		return t, nil
	}
	_, heard := s.observe(t, v)
	s.metrics.polls.WithLabelValues(a.Adapter, heard).Inc()
	return t, nil
}
