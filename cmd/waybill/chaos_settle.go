package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/store/badgerstore"
	"github.com/waybill-dev/waybill/core/tracking"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// waitingStatuses are those in which a job holds the order's future.
var waitingStatuses = []shipping.Status{shipping.RequestReceived, shipping.PendingDispatch, shipping.PendingRelease, shipping.PendingAutoRetry, shipping.EstimatesReceived}

// restless is how soon a job may be due in a store that is not quiet. What is looked for at long intervals, in case it shows after
// all, is not waited for.
const restless = 2 * time.Minute

// settle waits until all is quiet, has what nobody would carry tried again, and waits once more: a few times, as a busy machine may make
// carriers answer too late.
func (c *chaos) settle(ctx context.Context) error {
	for range chaosRetries {
		if quiet, err := c.rest(ctx); err != nil || !quiet {
			return err
		}
		if again, err := c.tryAgain(ctx); err != nil || !again {
			return err
		}
	}
	_, err := c.rest(ctx)
	return err
}

// The engine runs for so long between two looks at its store. Each time it has more, as a busy machine takes longer to start what it needs.
const (
	shortestLife = 5 * time.Second
	longestLife  = 30 * time.Second
)

// rest waits until no order waits, nothing that was asked about a booking is in doubt, no spare is left, no label lacks, no job is due, no
// delivery by a carrier is unknown, and every subscriber knows everything. All but the first only the store tells; so the engine is stopped
// in between, which is one more thing that it must bear. It reports whether all that is so: what waits still is shown by the examination.
func (c *chaos) rest(ctx context.Context) (quiet bool, err error) {
	until, life := time.Now().Add(c.quiet), shortestLife
	body, err := json.Marshal(map[string]any{"status": waitingStatuses, "limit": 1})
	if err != nil {
		return false, err
	}
	for {
		var waiting struct {
			Data []jsontext.Value `json:"data"`
		}
		a, err := c.api.do(ctx, http.MethodPost, "/shipments/list", body)
		if err == nil {
			err = a.decode(&waiting)
		}
		switch {
		case err != nil && time.Now().After(until):
			return false, err
		case err == nil && (len(waiting.Data) == 0 || time.Now().After(until)):
			pending, err := c.pending(ctx)
			if err != nil || pending == "" || time.Now().After(until) {
				return pending == "" && len(waiting.Data) == 0, err
			}
			c.report.WaitedFor[pending]++
			c.engine.keepAlive(ctx)
			if err := c.await(ctx, c.api, "/readyz"); err != nil {
				return false, err
			}
			if err := pauseFor(ctx, life); err != nil {
				return false, err
			}
			life = min(life+shortestLife, longestLife)
		}
		if err := pauseFor(ctx, 250*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// pending stops the engine and tells what it has left to do soon, "" for nothing.
func (c *chaos) pending(ctx context.Context) (what string, err error) {
	c.engine.stop()
	err = c.withStore(func(st store.Store) error {
		// Carriers are asked for parcels for ever; the next start plans that anew.
		polls := &store.Tx{}
		for _, account := range chaosAccounts {
			polls.DropJobs = append(polls.DropJobs, tracking.PollKey(account))
		}
		if err := st.Commit(ctx, chaosTenant, polls); err != nil {
			return err
		}
		due, ok, err := st.NextJob(ctx)
		if err != nil || ok && time.Until(due) < restless {
			what = "a job"
			return err
		}
		untold, err := c.untold(ctx, st)
		if err != nil || untold != "" {
			what = "subscriber " + untold
			return err
		}
		return eachShipment(ctx, st, func(sh *shipment.Shipment) error {
			if c.truth.awaits(sh) {
				what = "news of a delivery"
			} else if left := undone(sh); left != "" {
				what = left
			}
			return nil
		})
	})
	return what, err
}

// undone tells what of an order's bookings its carriers are still to be asked about, "" for nothing. The job that does it may not be due
// soon: the pauses grow with each question that was not answered.
func undone(sh *shipment.Shipment) string {
	any := func(is func(*shipment.Attempt) bool) bool {
		return slices.ContainsFunc(sh.Attempts, func(a shipment.Attempt) bool { return is(&a) })
	}
	switch {
	case sh.Cancel != nil || any(func(a *shipment.Attempt) bool { return a.CancelIntent != nil }):
		return "a cancellation"
	case any(func(a *shipment.Attempt) bool { return a.EditIntent != nil }):
		return "an edit"
	case any((*shipment.Attempt).SpareLeft):
		return "a spare booking"
	case sh.ErasedAt.IsZero() && any(unlabelled):
		return "a label"
	}
	return ""
}

// unlabelled reports whether an attempt's booking is to have a label that has not come yet.
func unlabelled(a *shipment.Attempt) bool {
	return a.Live() && a.Adapter == labelledBy && a.Booking != nil &&
		slices.ContainsFunc(a.Booking.Parcels, func(p shipment.BookedParcel) bool { return p.Number != "" && p.LabelFormat == "" })
}

// withStore opens the store of an engine that does not run.
func (c *chaos) withStore(f func(store.Store) error) error {
	st, err := badgerstore.Open(badgerstore.Config{Dir: filepath.Join(c.dir, "data"), Log: hclog.NewNullLogger()})
	if err != nil {
		return fmt.Errorf("open the engine's store: %w", err)
	}
	return errors.Join(f(st), st.Close())
}

func eachShipment(ctx context.Context, st store.Store, f func(*shipment.Shipment) error) error {
	for q := (store.ShipmentQuery{Limit: 500}); ; {
		page, err := st.ListShipments(ctx, chaosTenant, q)
		if err != nil {
			return err
		}
		for _, sh := range page.Shipments {
			if err := f(sh); err != nil {
				return err
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}
