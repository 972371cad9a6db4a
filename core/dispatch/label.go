package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/core/jobs"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// fetching is the payload of a label job.
type fetching struct {
	Attempt int       `json:"attempt"`
	Since   time.Time `json:"since"`
}

// fetchLabels puts the job that gets the labels of a booking that came without, where its carrier hands labels out again: one that was
// found, or that a person tells of. An account that cannot be asked now may be later.
func (s *Service) fetchLabels(sh *shipment.Shipment, a *shipment.Attempt, tx *store.Tx) {
	m, known := s.manifest(sh.Tenant, a.Account)
	if known && !m.Has(carrier.CanProvideDocument) || len(unlabelled(a)) == 0 {
		return
	}
	now := s.Clock.Now()
	j := s.job(sh, JobLabel, now)
	j.ID += "/" + strconv.Itoa(a.Number)
	j.Payload, _ = json.Marshal(fetching{a.Number, now}) // of a number and a time that can be written
	tx.PutJobs = append(tx.PutJobs, j)
}

// unlabelled are the parcels, from 0, of which there is a number and no label.
func unlabelled(a *shipment.Attempt) []int {
	var out []int
	for i, p := range a.Booking.Parcels {
		if p.Number != "" && p.LabelFormat == "" {
			out = append(out, i)
		}
	}
	return out
}

// RunLabel is the handler of label jobs. What the carrier does not hand out is asked for again at growing pauses, as long as a booking is
// watched that may still show.
func (s *Service) RunLabel(ctx context.Context, j store.Job) (jobs.Outcome, error) {
	var f fetching
	if err := json.Unmarshal(j.Payload, &f); err != nil {
		return jobs.Outcome{}, fmt.Errorf("label job %s: payload %q: %w", j.ID, j.Payload, err)
	}
	sh, err := s.Store.Shipment(ctx, j.Tenant, shipment.ID(j.Key))
	if err != nil {
		return jobs.Outcome{}, fmt.Errorf("label job %s: %w", j.ID, err)
	}
	a := sh.Attempt(f.Attempt)
	if !wantsLabels(sh, a) {
		return jobs.Done(), nil
	}
	acc, ok := s.Carriers.Account(sh.Tenant, a.Account)
	if !ok {
		return s.fetchAgain(f), nil
	}
	m, started := acc.Manifest()
	switch {
	case !started:
		return s.fetchAgain(f), nil
	case !m.Has(carrier.CanProvideDocument):
		return jobs.Done(), nil
	}
	if told(a) { // a label tells who lives where
		other, err := s.othersOrder(ctx, sh, a, a.Booking.Number())
		if err != nil {
			return jobs.Outcome{}, fmt.Errorf("label job %s: %w", j.ID, err)
		}
		if other != nil {
			return s.fetchAgain(f), nil
		}
	}
	labels, trace, left := s.documents(ctx, sh, a, acc)
	if len(labels) > 0 {
		if err := s.labelled(ctx, sh, a.Number, labels, trace); err != nil {
			return jobs.Outcome{}, err
		}
	}
	if left {
		return s.fetchAgain(f), nil
	}
	return jobs.Done(), nil
}

// wantsLabels reports whether labels of the attempt are still of use: it is booked, and its order is not erased.
func wantsLabels(sh *shipment.Shipment, a *shipment.Attempt) bool {
	return a != nil && a.Live() && sh.ErasedAt.IsZero() && len(unlabelled(a)) > 0
}

// leastFetched is how long a label is asked for at least, however short bookings are watched: it is paid for.
const leastFetched = 24 * time.Hour

// fetchAgain waits as long again as was waited before, within bounds.
func (s *Service) fetchAgain(f fetching) jobs.Outcome {
	now := s.Clock.Now()
	waited := now.Sub(f.Since)
	if waited > max(s.Config().Dispatch.WatchFor, leastFetched) {
		return jobs.Done()
	}
	return jobs.Again(now.Add(min(max(waited, firstPause), watchPause)))
}

// documents asks the carrier for the labels that the attempt lacks, and returns them by the parcel's number. left says that some may be
// had later.
func (s *Service) documents(ctx context.Context, sh *shipment.Shipment, a *shipment.Attempt, acc Account) (labels map[string]shipping.Label, _ *carrier.Trace, left bool) {
	labels = map[string]shipping.Label{}
	ctx, cancel := context.WithTimeout(ctx, callTime(a))
	defer cancel()
	ctx, trace := carrier.WithTrace(ctx)
	for _, i := range unlabelled(a) {
		number := a.Booking.Parcels[i].Number
		l, err := acc.Document(ctx, carrier.DocumentRequest{Reference: a.Reference, CarrierRef: a.Booking.CarrierRef, Number: number, LabelFormat: a.LabelFormat})
		switch e := carrierError(err); {
		case e == nil && len(l.Data) > 0 && l.Format != "":
			labels[number] = l
		case e != nil && e.Code == carrier.Unsupported:
		default:
			left = true
			s.Log.Warn("label of a booking could not be fetched, it is asked for again", "shipment_id", sh.ID, "account", a.Account, "attempt", a.Number,
				"parcel", i+1, "err", err)
		}
	}
	return labels, trace, left
}

// labelled commits the labels that were fetched, of those parcels that still lack them.
func (s *Service) labelled(ctx context.Context, sh *shipment.Shipment, number int, labels map[string]shipping.Label, trace *carrier.Trace) error {
	_, err := s.change(ctx, sh, "label", func(sh *shipment.Shipment) (*store.Tx, error) {
		a := sh.Attempt(number)
		if !wantsLabels(sh, a) {
			return nil, errUnchanged
		}
		tx := &store.Tx{}
		for _, i := range unlabelled(a) {
			p := &a.Booking.Parcels[i]
			if l, ok := labels[p.Number]; ok {
				p.LabelFormat = l.Format
				tx.Labels = append(tx.Labels, store.Label{Shipment: sh.ID, Attempt: number, Parcel: i + 1, Label: l})
			}
		}
		if len(tx.Labels) == 0 {
			return nil, errUnchanged
		}
		sh.UpdatedAt = s.Clock.Now()
		tx.Changes = []store.Change{{Shipment: sh.ID, Change: s.aside(sh, a, "LABEL_FETCHED( "+a.Provider+" )")}}
		tx.Exchanges = exchangesOf(sh, a.Account, "document", number, a.Round, trace, nil)
		return tx, nil
	})
	return err
}
