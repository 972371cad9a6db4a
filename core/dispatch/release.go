package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// noOption is what the history calls the rule that holds an order for which nobody is left. Releasing it means to try again.
const noOption = "none"

// Release lets an order go on that a rule holds, now and whenever it is decided again, until it is edited. Another rule may hold it
// still. Who has released it stands in the history.
func (s *Service) Release(ctx context.Context, c usecase.Caller, externalID string) (Result, error) {
	asked, stop := s.begin()
	defer stop()
	if err := s.ruled(c.Tenant); err != nil {
		return Result{}, err
	}
	sh, err := s.load(ctx, c, externalID)
	if err != nil {
		return Result{}, err
	}
	ctx, caller := context.WithoutCancel(ctx), ctx
	var own inlineJob
	sh, err = s.change(ctx, sh, "release", func(sh *shipment.Shipment) (*store.Tx, error) {
		if sh.Status != shipping.PendingRelease {
			return nil, usecase.Failf(usecase.InvalidOperation, "The order is not held: it is in state %s.", sh.Status)
		}
		now := s.Clock.Now()
		note := "RELEASED"
		if h := sh.Hold; h != nil {
			note = "RELEASED( " + h.Rule + " )"
			if h.Rule != noOption && !slices.Contains(sh.Released, h.Rule) {
				sh.Released = append(slices.Clone(sh.Released), h.Rule)
			}
		}
		sh.Retries = 0
		sh.Round++ // a walk that is under way, as the hold's time has come, begins anew
		tx := changed(sh, sh.Move(shipping.RequestReceived, now, c.Key, shipment.WithNote(note)))
		own.put(s, tx, sh)
		return tx, nil
	})
	if e, ok := errors.AsType[*usecase.Error](err); ok {
		return Result{}, e
	}
	if err != nil {
		return Result{}, s.storeError("release order", err)
	}
	if sh, err = own.run(ctx, s, sh, c.Key, asked); err != nil {
		return Result{}, s.begunError("dispatch order", sh, err)
	}
	return s.answer(caller, sh, asked)
}

// exportPage is how many orders an export reads at once.
const exportPage = 200

// ExportDecisions calls each with the decisions of every order that was created since then, newest order first. Orders without a
// decision are left out.
func (s *Service) ExportDecisions(ctx context.Context, c usecase.Caller, since time.Time, each func(*shipment.Shipment, []store.Decision) error) error {
	q := store.ShipmentQuery{Limit: exportPage, Since: shipping.At(since)}
	for {
		p, err := s.Store.ListShipments(ctx, c.Tenant, q)
		if err != nil {
			return s.storeError("list orders", err)
		}
		for _, sh := range p.Shipments {
			ds, err := s.Store.Decisions(ctx, c.Tenant, sh.ID)
			if err != nil {
				return s.storeError(fmt.Sprintf("read decisions of order %s", sh.ID), err)
			}
			if len(ds) == 0 {
				continue
			}
			if err := each(sh, ds); err != nil {
				return err
			}
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			return nil
		}
	}
}
