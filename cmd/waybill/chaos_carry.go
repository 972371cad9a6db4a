package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/core/httpapi/push"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// What the simulated carriers push with, and where to. Parcels of every account at UPS are told to the one named ups: those of the
// others are about numbers that nobody follows there.
const (
	chaosPushUPS      = "chaos-push-secret-of-ups"
	chaosPushDesk     = "chaos-push-secret-of-desk"
	chaosPushDoorDash = "chaos-push-secret-of-doordash"
	chaosCredential   = "chaos-credential"
	chaosBasic        = "Basic Y2hhb3M6Y2hhb3M="
)

// simArgs are the flags of the simulated carriers: they push to the engine, and move nothing unless the run says so.
func (c *chaos) simArgs() []string {
	base := "http://" + c.listen
	return []string{
		"--webhook", "ups=" + push.URL(base, "ups", chaosPushUPS), "--webhook-authorization", "ups=" + chaosCredential,
		"--webhook", "doordash=" + push.URL(base, "doordash", chaosPushDoorDash), "--webhook-authorization", "doordash=" + chaosBasic,
		"--profile", "ups=manual", "--profile", "doordash=doordash-manual",
	}
}

// carrying is what a carrier does until it has delivered, by account.
var carrying = map[string][]string{
	"ups":      {"PICKUP_SCAN", "DEPARTURE_SCAN", "OUT_FOR_DELIVERY", "DELIVERED"},
	"doordash": {"confirmed", "arrived_at_pickup", "picked_up", "delivered"},
	drivenBy:   {string(shipping.PickupStarted), string(shipping.PickupCompleted), string(shipping.OutForDelivery), string(shipping.OrderDelivered)},
}

// giveUp has the carrier give the order up, where it is one that does such things.
func (o *sent) giveUp(ctx context.Context) error {
	if ok, err := o.reaches(ctx, shipping.OrderDispatched); !ok {
		return err
	}
	account, reference, err := o.booking(ctx)
	if err != nil || account != "doordash" {
		return err
	}
	// Asked again after a lost answer, the simulator says the same: nobody else ends this booking.
	path := "/_sim/entities/" + account + "/" + url.PathEscape(reference) + "/run-to"
	if moved, err := o.steer(ctx, path, []byte(`{"state":"cancelled"}`)); !moved {
		return err
	}
	o.truth.note(o.id, func(t *told) { t.gaveUp = reference })
	return nil
}

// carryAndCancel has the carrier deliver the order, and cancels it meanwhile: either may come first.
func (o *sent) carryAndCancel(ctx context.Context) error {
	after := time.Duration(o.rng.Int64N(int64(7 * time.Second)))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return o.carry(ctx) })
	g.Go(func() error { return o.cancel(ctx, after) })
	return g.Wait()
}

// carry has the carrier deliver the order. What it pushes may get lost, and its answers too: in the end the engine must know.
func (o *sent) carry(ctx context.Context) error {
	return o.carryAnd(ctx, func(int) error { return nil })
}

// carryAndEdit has the carrier deliver the order, and edits it right after one of the steps: the engine may know of the step by then, or
// not.
func (o *sent) carryAndEdit(ctx context.Context) error {
	after, body := o.rng.IntN(len(carrying["ups"])), chaosEdits[1+o.rng.IntN(len(chaosEdits)-1)]
	return o.carryAnd(ctx, func(step int) error {
		if step != after {
			return nil
		}
		return o.edit(ctx, 0, body)
	})
}

// carryAnd has the carrier deliver the order, and does something after each step.
func (o *sent) carryAnd(ctx context.Context, then func(step int) error) error {
	if ok, err := o.reaches(ctx, shipping.OrderDispatched); !ok {
		return err
	}
	account, entity, err := o.booking(ctx)
	if err != nil || carrying[account] == nil {
		return err
	}
	for i, state := range carrying[account] {
		if err := pauseFor(ctx, time.Duration(o.rng.Int64N(int64(2*time.Second)))); err != nil {
			return err
		}
		moved := false
		if account == drivenBy {
			moved, err = o.drive(ctx, entity, shipping.Status(state))
		} else {
			moved, err = o.steer(ctx, "/_sim/entities/"+account+"/"+url.PathEscape(entity)+"/run-to", fmt.Appendf(nil, `{"state":%q}`, state))
		}
		if !moved {
			return err
		}
		if err := then(i); err != nil {
			return err
		}
	}
	o.truth.note(o.id, func(t *told) { t.carried = true })
	return nil
}

// attemptView is what an order tells of an attempt.
type attemptView struct {
	Provider   string                `json:"provider"`
	Reference  string                `json:"reference"`
	TrackingID string                `json:"trackingId"`
	State      shipment.AttemptState `json:"state"`
}

// attempts returns what the order tells of its attempts. The engine is asked until it answers.
func (o *sent) attempts(ctx context.Context) ([]attemptView, error) {
	until := time.Now().Add(chaosAnswer)
	for {
		var v struct {
			Attempts []attemptView `json:"attempts"`
		}
		err := o.api.get(ctx, shipmentPath(o.id, "/decision"), &v)
		if err == nil || time.Now().After(until) {
			return v.Attempts, err
		}
		if err := pauseFor(ctx, 150*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// booking returns the account of the order's live booking, and the carrier's key of it.
func (o *sent) booking(ctx context.Context) (account, entity string, err error) {
	list, err := o.attempts(ctx)
	for _, a := range list {
		if a.State != shipment.Booked && a.State != shipment.Adopted {
			continue
		}
		if a.Provider == "ups" {
			return a.Provider, a.TrackingID, err
		}
		return a.Provider, a.Reference, err
	}
	return "", "", err
}

// steer asks the simulator until it answers: it may be dead. A booking that has ended moves no more: why it has the examination tells.
func (o *sent) steer(ctx context.Context, path string, body []byte) (moved bool, err error) {
	until := time.Now().Add(chaosAnswer)
	for {
		a, err := o.control.do(ctx, http.MethodPost, path, body)
		if err == nil || a.status == http.StatusConflict {
			return err == nil, nil
		}
		if a.status/100 == 4 || time.Now().After(until) {
			return false, fmt.Errorf("order %s: POST %s: %w", o.id, path, err)
		}
		if err := pauseFor(ctx, 150*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// strayAlert is news of a parcel that nobody follows.
const strayAlert = `{"trackingNumber":%q,"localActivityDate":"20260302","localActivityTime":"101500","gmtActivityDate":"20260302","gmtActivityTime":"151500",
"gmtOffset":"-05.00","activityLocation":{"city":"BOSTON","stateProvince":"MA","country":"US"},
"activityStatus":{"type":"I","code":"DP","description":"Departed from Facility"}}`

// foreign has UPS push news of a parcel of somebody else's, and follows that parcel, in any order: what is pushed before somebody
// follows is kept.
func (o *sent) foreign(ctx context.Context) error {
	number := fmt.Sprintf("1ZSTRAY%011d", o.rng.Int64N(1e11))
	o.truth.note(o.id, func(t *told) { t.number = number })
	steps := []func(context.Context, string) error{o.push, o.follow}
	o.rng.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	for _, step := range steps {
		if err := pauseFor(ctx, o.moment()); err != nil {
			return err
		}
		if err := step(ctx, number); err != nil {
			return err
		}
	}
	return nil
}

func (o *sent) push(ctx context.Context, number string) error {
	code, err := o.insist(ctx, o.id, http.MethodPost, push.URL("", "desk", chaosPushDesk), fmt.Appendf(nil, strayAlert, number), "Credential", chaosCredential)
	o.truth.note(o.id, func(t *told) { t.pushed = code })
	return err
}

// follow makes a tracker and changes it, on the surface that speaks as Ship24.
func (o *sent) follow(ctx context.Context, number string) error {
	const trackers = "/public/v1/trackers"
	code, err := o.insist(ctx, o.id, http.MethodPost, trackers, fmt.Appendf(nil, `{"trackingNumber":%q,"clientTrackerId":%q,"courierCode":"ups"}`, number, o.id))
	o.truth.note(o.id, func(t *told) { t.followed = code })
	if err != nil || code/100 != 2 {
		return err
	}
	_, err = o.insist(ctx, o.id, http.MethodPatch, trackers+"/"+url.PathEscape(o.id)+"?searchBy=clientTrackerId", []byte(`{"destinationPostCode":"02118"}`))
	return err
}

const chaosTracker = `{"locationExternalId":%q,"provider":"desk","trackingId":%q,"trackerExternalId":%q,"orderValue":10,
"deliveryContact":{"name":"Ann","phone":"+1 617-555-0123"},
"deliveryAddress":{"street1":"725 Albany Street","city":"Boston","state":"MA","countryCode":"US","postalCode":"02118"}}`

// forget makes a tracker of a parcel of somebody else's, moves it by hand, erases it and removes it.
func (o *sent) forget(ctx context.Context) error {
	number := fmt.Sprintf("1ZSTRAY%011d", o.rng.Int64N(1e11))
	for _, r := range []struct {
		method, path, body string
	}{
		{http.MethodPost, "/trackers", fmt.Sprintf(chaosTracker, chaosStore, number, o.id)},
		{http.MethodPost, "/trackers/" + o.id + "/status", `{"status":"IN_TRANSIT"}`},
		{http.MethodPost, "/trackers/" + o.id + "/erase", ""},
		{http.MethodDelete, "/trackers/" + o.id, ""},
	} {
		if err := pauseFor(ctx, o.moment()); err != nil {
			return err
		}
		code, err := o.insist(ctx, o.id, r.method, r.path, []byte(r.body))
		if err != nil {
			return err
		}
		o.truth.note(o.id, func(t *told) { t.forgot = code }) // of the last one: 404 where it was removed, and the answer lost
	}
	return nil
}
