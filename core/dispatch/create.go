package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/geo"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// keyLife is how long an idempotency key is remembered.
const keyLife = 24 * time.Hour

// inlineLease is how long a dispatch job belongs to the request that runs it inline. It only matters where several processes
// share a store: a dead process's leases are void at once where one owns it.
const inlineLease = 5 * time.Minute

// Create stores the order and has it dispatched, inline unless it must wait.
func (s *Service) Create(ctx context.Context, c usecase.Caller, r CreateRequest) (Result, error) {
	asked, stop := s.begin()
	defer stop()
	t, err := s.tenant(c.Tenant)
	if err != nil {
		return Result{}, err
	}
	if err := s.ruled(t.ID); err != nil {
		return Result{}, err
	}
	if r.IdempotencyKey != "" {
		if res, used, err := s.replay(ctx, c, r, asked); used || err != nil {
			return res, err
		}
	}
	if f := s.Validate(c, r.Order); len(f) > 0 {
		return Result{}, usecase.Invalid(usecase.ValidationError, f)
	}
	sh, err := s.newShipment(ctx, c, t, r.Order)
	if err != nil {
		return Result{}, err
	}
	inline := !r.Async && sh.Order.DispatchAt.IsZero()
	// Whether it was written must be known, so the caller's leaving does not end the commit.
	ctx, caller := context.WithoutCancel(ctx), ctx
	job, err := s.saveNew(ctx, c, r, sh, inline)
	switch {
	case errors.Is(err, store.ErrKeyUsed):
		res, used, err := s.replay(caller, c, r, asked)
		if !used && err == nil {
			err = s.storeError("read idempotency key", store.ErrKeyUsed)
		}
		return res, err
	case errors.Is(err, store.ErrDuplicate):
		return Result{}, usecase.Failf(usecase.DuplicateID, "Resource with provided id, %s, already exists.", r.Order.ExternalID)
	case err != nil:
		return Result{}, s.storeError("store order", err)
	}
	if !inline {
		return Result{Shipment: sh, Waiting: true}, nil
	}
	// The order is stored: from here on it is carried out whether the caller stays or not.
	if sh, err = job.run(ctx, s, sh, c.Key, asked); err != nil {
		return Result{}, s.begunError("dispatch order", sh, err)
	}
	return s.answer(caller, sh, asked)
}

// answer waits for an attempt in doubt as long as the configuration says, and turns the shipment's state into the caller's answer.
func (s *Service) answer(ctx context.Context, sh *shipment.Shipment, asked asking) (Result, error) {
	if sh.Waiting() && sh.Open(sh.Way()) != nil {
		var err error
		ctx, stop := asked.within(ctx)
		sh, err = s.awaitSettled(ctx, sh, asked.begun)
		if stop(); err != nil {
			return Result{}, err
		}
	}
	if f := sh.Failure; f != nil && !sh.Waiting() && sh.Live(sh.Way()) == nil {
		return Result{}, &usecase.Error{Type: usecase.Type(f.Type), Message: f.Message, Providers: f.Errors, Shipment: sh.ID}
	}
	return Result{Shipment: sh, Waiting: sh.Waiting()}, nil
}

// replay answers a request whose idempotency key was used. A twin of the same moment waits for the first.
func (s *Service) replay(ctx context.Context, c usecase.Caller, r CreateRequest, asked asking) (Result, bool, error) {
	k, err := s.Store.IdempotencyKey(ctx, c.Tenant, r.IdempotencyKey, asked.begun)
	if errors.Is(err, store.ErrNotFound) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, true, s.storeError("read idempotency key", err)
	}
	if !bytes.Equal(k.Hash, r.BodyHash) {
		return Result{}, true, usecase.Failf(usecase.DuplicateResource, "Resource already exists: the Idempotency-Key was used with another body. Use a new key for a new request.")
	}
	sh, err := s.Store.Shipment(ctx, c.Tenant, k.Shipment)
	if err != nil {
		return Result{}, true, s.storeError("read shipment", err)
	}
	if !r.Async {
		if sh, err = s.awaitSettled(ctx, sh, asked.begun); err != nil {
			return Result{}, true, err
		}
	}
	res, err := s.answer(ctx, sh, asked)
	return res, true, err
}

// newShipment makes the shipment of an order that has passed Validate. Nothing is stored.
func (s *Service) newShipment(ctx context.Context, c usecase.Caller, t *config.Tenant, o shipment.Order) (*shipment.Shipment, error) {
	now := s.Clock.Now()
	sh := &shipment.Shipment{
		Schema: shipment.Schema, ID: shipment.ID(s.Source.ID()), Tenant: t.ID, Order: o,
		CreatedBy: c.Key, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.place(ctx, t, sh, now); err != nil {
		return nil, err
	}
	return sh, nil
}

// place fills everything that follows from the order and the configuration: location, presets, coordinates, currency, windows.
// It is done again when an edit or a retry changes what it follows from.
func (s *Service) place(ctx context.Context, t *config.Tenant, sh *shipment.Shipment, now time.Time) error {
	o := &sh.Order
	loc := t.Locations[o.LocationID]
	if loc == nil {
		return usecase.Failf(usecase.InvalidData, "Invalid Data: No such locationExternalId, %s, exists in our system. Please provide a valid locationExternalId.", o.LocationID)
	}
	if name := s.duplicateName(t, loc.Accounts, o.Proposed); name != "" {
		return usecase.Failf(usecase.DuplicateName, "Resource with provided name already exists: proposedProviders names %s twice.", name)
	}
	if len(loc.Accounts) == 0 {
		return usecase.Failf(usecase.NoProviderAssigned, "No Provider has been assigned to the mentioned location, %s.", o.LocationID)
	}
	sh.Warnings = nil
	sh.Accounts = loc.Accounts
	sh.Currency = firstOf(o.Currency, loc.Currency, t.Currency)
	sh.Brand = firstOf(o.BrandID, loc.Brand, t.Brand)
	sh.Return = nil
	if sh.ReturnOf != nil {
		err := s.placeBack(ctx, t, sh, loc)
		if err == nil {
			s.settle(t, sh, now)
		}
		return err
	}
	pickup, err := s.placeLocation(ctx, loc)
	if err != nil {
		return err
	}
	sh.Pickup = pickup
	if ret := t.Locations[loc.ReturnLocation]; ret != nil {
		place, err := s.placeLocation(ctx, ret)
		if err != nil {
			return err
		}
		sh.Return = &place
	}
	at, err := s.placeAddress(ctx, o.DeliveryAddress, "deliveryAddress")
	if err != nil {
		return err
	}
	sh.Delivery = shipment.Geo{Latitude: at.Lat, Longitude: at.Lng, Zone: at.Zone}
	s.settle(t, sh, now)
	return nil
}

// settle fills what follows from a shipment whose ends are placed.
func (s *Service) settle(t *config.Tenant, sh *shipment.Shipment, now time.Time) {
	sh.Distance = int64(math.Round(geo.Distance(
		geo.Point{Lat: *sh.Pickup.Address.Latitude, Lng: *sh.Pickup.Address.Longitude},
		geo.Point{Lat: sh.Delivery.Latitude, Lng: sh.Delivery.Longitude})))
	s.fillPackages(t, sh)
	windows(sh, now)
	s.warnings(sh)
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func (s *Service) placeLocation(ctx context.Context, l *config.Location) (shipment.Place, error) {
	p := shipment.Place{ID: l.ID, Name: l.Name, Address: l.Address, Contact: l.Contact, Instructions: l.Instructions, Zone: l.Zone, Tags: l.Tags}
	if p.Address.Placed() && p.Zone != "" {
		return p, nil
	}
	at, err := s.placeAddress(ctx, l.Address, "location "+l.ID)
	if err != nil {
		return p, err
	}
	p.Address.Latitude, p.Address.Longitude = &at.Lat, &at.Lng
	p.Zone = firstOf(p.Zone, at.Zone)
	return p, nil
}

func (s *Service) placeAddress(ctx context.Context, a shipping.Address, what string) (geo.Place, error) {
	at, err := s.Placer.Place(ctx, geo.Query{
		Street1: a.Street1, Street2: a.Street2, City: a.City, State: a.State, PostalCode: a.PostalCode, CountryCode: a.CountryCode,
		Latitude: a.Latitude, Longitude: a.Longitude,
	})
	if err != nil {
		return at, &usecase.Error{Type: usecase.GeocodingFailed, Message: fmt.Sprintf("Geocoding Service for the given address failed: %s: %s", what, reason(err)), Err: err}
	}
	return at, nil
}

func reason(err error) string {
	if e, ok := errors.AsType[*geo.Error](err); ok {
		return e.Detail
	}
	return "the address could not be placed"
}

// fillPackages takes from presets what the caller did not measure, and gives each package what it must have.
func (s *Service) fillPackages(t *config.Tenant, sh *shipment.Shipment) {
	for i := range sh.Order.Packages {
		p := &sh.Order.Packages[i]
		preset, _ := t.Preset(p.Name)
		if p.Size == nil {
			p.Size = &preset.Size
		}
		if p.Weight == nil {
			p.Weight = &preset.Weight
		}
		if p.TemperatureControl == "" {
			p.TemperatureControl = "none"
		}
		if p.ItemQuantity == 0 {
			p.ItemQuantity = 1
		}
		if p.Barcode == "" {
			p.Barcode = barcode(sh.ID, i)
		}
	}
	if sh.Order.Items == nil {
		sh.Order.Items = []shipping.Item{}
	}
}

// barcode is the shape of the seed's example: 16 characters that Code 128 writes densely, unique by the shipment's id.
func barcode(id shipment.ID, parcel int) string {
	return strings.ToUpper(reference(string(id), "barcode", parcel, ""))[:16]
}

// windows sets the windows in force. A null window means as soon as possible, and so does one that lies wholly in the past.
func windows(sh *shipment.Shipment, now time.Time) {
	o := &sh.Order
	past := func(path string, w shipping.TimeWindow) bool {
		end := w.EndsAt
		if end.IsZero() {
			end = w.StartsAt
		}
		if end.IsZero() || !end.Before(now) {
			return false
		}
		sh.Warnings = append(sh.Warnings, shipment.Warning{Code: "TIME_IN_PAST", Parameter: path,
			Message: "The " + path + " lies in the past; the order is treated as wanted as soon as possible."})
		return true
	}
	sh.PickupTime, sh.DeliveryTime = o.PickupTime, o.DeliveryTime
	if o.PickupTime.IsZero() || past("pickupTime", o.PickupTime) {
		sh.PickupTime = shipping.TimeWindow{StartsAt: shipping.At(now)}
	}
	if o.DeliveryTime.IsZero() || past("deliveryTime", o.DeliveryTime) {
		sh.DeliveryTime = shipping.TimeWindow{EndsAt: shipping.At(now.Add(asSoonAsPossible))}
	}
}

// asSoonAsPossible is how far the seed's answers put the end of a delivery window that was not given; once a carrier has
// promised a time, that stands there.
const asSoonAsPossible = time.Minute

// asap reports which of the windows in force were not asked for, so that no carrier is held to them.
func wanted(sh *shipment.Shipment) (pickup, delivery shipping.TimeWindow) {
	if sh.PickupTime == sh.Order.PickupTime {
		pickup = sh.PickupTime
	}
	if sh.DeliveryTime == sh.Order.DeliveryTime {
		delivery = sh.DeliveryTime
	}
	return pickup, delivery
}

// warnings tells what of the order is kept and not passed on; it takes the place of what an earlier form of the order was told.
func (s *Service) warnings(sh *shipment.Shipment) {
	sh.Warnings = slices.DeleteFunc(sh.Warnings, func(w shipment.Warning) bool { return w.Code == "UNKNOWN_SIGNATURE" })
	warn := func(code, parameter, format string, args ...any) {
		sh.Warnings = append(sh.Warnings, shipment.Warning{Code: code, Parameter: parameter, Message: fmt.Sprintf(format, args...)})
	}
	if sig := deref(sh.Order.Signature); sig != "" && !knownSignature(sig) {
		warn("UNKNOWN_SIGNATURE", "signature", "The signature %q is not known; it is kept and no carrier is asked for it. Known are %s.",
			sig, strings.Join(shipping.Signatures, ", "))
	}
}

func knownSignature(sig string) bool { return slices.Contains(shipping.Signatures, sig) }

// saveNew commits a new order with its key, and its dispatch job, leased to this process where it runs inline.
func (s *Service) saveNew(ctx context.Context, c usecase.Caller, r CreateRequest, sh *shipment.Shipment, inline bool) (*inlineJob, error) {
	tx, own := s.newTx(c, r, sh, inline)
	return own, s.commit(ctx, sh.Tenant, "order", tx)
}

// newTx is the transaction that stores a new shipment.
func (s *Service) newTx(c usecase.Caller, r CreateRequest, sh *shipment.Shipment, inline bool) (*store.Tx, *inlineJob) {
	now := s.Clock.Now()
	lines := []shipment.Change{sh.Move(shipping.RequestReceived, now, c.Key)}
	job := s.job(sh, JobDispatch, now)
	if at := sh.Order.DispatchAt; !at.IsZero() {
		job.Due = at.Time
		lines = append(lines, scheduled(sh, now, c.Key))
	}
	tx := changed(sh, lines...)
	var own inlineJob
	if inline {
		own.put(s, tx, sh)
	} else {
		tx.PutJobs = []store.Job{job}
	}
	tx.Shipments = []*shipment.Shipment{sh}
	if r.IdempotencyKey != "" {
		tx.Keys = []store.IdempotencyKey{{Key: r.IdempotencyKey, Hash: r.BodyHash, Shipment: sh.ID, Expires: now.Add(keyLife)}}
	}
	return tx, &own
}

// scheduled is the line of an order that waits for its time.
func scheduled(sh *shipment.Shipment, now time.Time, user string) shipment.Change {
	return sh.Move(shipping.PendingDispatch, now, user, shipment.WithNote("SCHEDULED( "+sh.Order.DispatchAt.UTC().Format(time.RFC3339)+" )"))
}
