package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// atOnce is how many numbers are asked about at the same time: UPS answers one number a request and does not publish its
// limits.
const atOnce = 4

// longAgo is how far back a parcel is looked for whose number is not known.
const longAgo = 90 * 24 * time.Hour

// Track asks for each number by itself. A failure that is not about a number ends the call: the others would meet it too.
func (a *Account) Track(ctx context.Context, r carrier.TrackRequest) ([]carrier.TrackUpdate, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	updates := make([]carrier.TrackUpdate, len(r.Parcels))
	var (
		wg    sync.WaitGroup
		once  sync.Once
		fault error
		slots = make(chan struct{}, atOnce)
	)
	for i, p := range r.Parcels {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			u, err := a.trackOne(ctx, p)
			if err != nil {
				once.Do(func() { fault = err; stop() })
				return
			}
			updates[i] = u
		})
	}
	wg.Wait()
	if fault == nil {
		if err := ctx.Err(); err != nil {
			fault = &carrier.Error{Source: carrier.SourceNetwork, Effect: carrier.EffectNone, Retry: carrier.RetrySafe,
				Code: carrier.DeadlineExceeded, Message: "the call ended before every number was asked about", Err: err}
		}
	}
	if fault != nil {
		return nil, fault
	}
	return updates, nil
}

// trackOne asks about one parcel, by its number or, where that is not known, by our reference.
func (a *Account) trackOne(ctx context.Context, p carrier.TrackedParcel) (carrier.TrackUpdate, error) {
	unknown := carrier.TrackUpdate{Number: p.Number, Reference: p.Reference, Unknown: true}
	var answer trackAnswer
	var err error
	switch {
	case p.Number != "":
		_, err = a.ask(ctx, exchange{method: http.MethodGet, path: "/api/track/v1/details/" + url.PathEscape(p.Number),
			query: url.Values{"locale": {"en_US"}, "returnSignature": {"false"}}}, &answer)
	case p.Reference != "":
		now := a.env.Now(ctx)
		answer, err = a.trackReference(ctx, p.Reference, now.Add(-longAgo), now.AddDate(0, 0, maxDaysAhead+1))
	default:
		return unknown, nil
	}
	if err != nil {
		if noSuchNumber(err) {
			return unknown, nil
		}
		return carrier.TrackUpdate{}, err
	}
	pkg, ok := answer.choose(p)
	if !ok {
		return unknown, nil
	}
	u := updateOf(pkg)
	u.Number, u.Reference = p.Number, p.Reference
	if u.Number == "" {
		u.Number = string(pkg.TrackingNumber)
	}
	u.TrackingURL = trackingURL(u.Number)
	for _, e := range u.Events {
		if e.Status == "" {
			a.env.Log().Debug("UPS has a tracking status that no table knows", "status", e.CarrierCode)
		}
	}
	return u, nil
}

// noSuchNumber reports the other ways in which UPS says that it does not know a number: 404, as its schema has it, and
// tracking's own codes (TV…, TW…), such as TV1002 for a number of the wrong shape. They concern one number and must not keep
// the others from being answered.
func noSuchNumber(err error) bool {
	e := carrier.AsError(err)
	return e.HTTPStatus == http.StatusNotFound ||
		e.HTTPStatus < 500 && (strings.HasPrefix(e.CarrierCode, "TV") || strings.HasPrefix(e.CarrierCode, "TW"))
}

func (a *Account) trackReference(ctx context.Context, ref string, from, to time.Time) (trackAnswer, error) {
	var answer trackAnswer
	_, err := a.ask(ctx, exchange{method: http.MethodGet, path: "/api/track/v1/reference/details/" + url.PathEscape(ref), query: url.Values{
		"locale": {"en_US"}, "fromPickUpDate": {from.UTC().Format(dateForm)}, "toPickUpDate": {to.UTC().Format(dateForm)},
		"shipperNum": {a.cfg.ShipperNumber}, "refNumType": {"SmallPackage"},
	}}, &answer)
	if err != nil && noSuchNumber(err) {
		return trackAnswer{}, nil
	}
	return answer, err
}

// choose picks the package that was asked about out of its shipment.
func (t trackAnswer) choose(p carrier.TrackedParcel) (trackedPackage, bool) {
	var all []trackedPackage
	for _, s := range t.TrackResponse.first().Shipment {
		all = append(all, s.Package...)
	}
	for _, x := range all {
		if p.Number == "" && x.bears(p.Reference) || x.numbered(p.Number) {
			return x, true
		}
	}
	// A number of another network (the postal service's) may bring back a package that does not repeat it.
	if p.Number != "" && len(all) == 1 {
		return all[0], true
	}
	return trackedPackage{}, false
}

func (p trackedPackage) numbered(number string) bool {
	if strings.EqualFold(string(p.TrackingNumber), number) {
		return true
	}
	for _, n := range p.AlternateTrackingNumber {
		if strings.EqualFold(string(n.Number), number) {
			return true
		}
	}
	return false
}

// updateOf maps a package: its events oldest first, and what UPS promises.
func updateOf(p trackedPackage) carrier.TrackUpdate {
	var u carrier.TrackUpdate
	for i, act := range slices.Backward(p.Activity) {
		e, ok := eventOf(act)
		if !ok {
			continue
		}
		if e.Status == "" {
			e.Status = p.judged(act.Status.first(), i == 0)
		}
		if i == 0 && e.Status == shipping.OrderDelivered && p.cameBack() {
			e.Status, e.SubStatus = shipping.OrderUndeliverable, returned
		}
		if !slices.ContainsFunc(u.Events, func(o shipping.TrackingEvent) bool { return sameEvent(o, e) }) {
			u.Events = append(u.Events, e)
		}
	}
	slices.SortStableFunc(u.Events, func(a, b shipping.TrackingEvent) int { return a.Time.Compare(b.Time.Time) })
	for _, e := range u.Events {
		switch e.Status {
		case shipping.PickupCompleted:
			if u.ActualPickup.IsZero() {
				u.ActualPickup = e.Time
			}
		case shipping.OrderDelivered:
			u.ActualDelivery = e.Time
		}
	}
	if u.ActualDelivery.IsZero() {
		u.Delivery = p.promise()
	}
	u.SignedBy = string(p.DeliveryInformation.first().ReceivedBy)
	return u
}

// judged decides what a code that no table knows means by what else the package says: the newest activity of type D with a
// date of delivery is one, and an update (type U) to a later date is a delay.
func (p trackedPackage) judged(s status, newest bool) shipping.Status {
	switch {
	case s.Type == "D" && newest && p.date("DEL") != "":
		return shipping.OrderDelivered
	case s.Type == "U" && p.date("RDD") > p.date("SDD") && p.date("SDD") != "":
		return shipping.OrderDelayed
	}
	return ""
}

// cameBack reports that a package whose newest activity says delivered was delivered to its sender.
func (p trackedPackage) cameBack() bool {
	current := p.CurrentStatus.first()
	return threeDigits(current) == returnedToSender || threeDigits(status{StatusCode: p.StatusCode}) == returnedToSender ||
		strings.Contains(strings.ToLower(string(p.Activity[0].Status.first().Description)), "returned to the sender")
}

func (p trackedPackage) date(kind text) text {
	for _, d := range p.DeliveryDate {
		if d.Type == kind {
			return d.Date
		}
	}
	return ""
}

// sameEvent finds the repetitions in UPS's lists.
func sameEvent(a, b shipping.TrackingEvent) bool {
	return a.Time.Equal(b.Time.Time) && a.CarrierCode == b.CarrierCode && a.CarrierWords == b.CarrierWords && a.City == b.City
}

// eventOf maps one activity; ok is false where it has no time, and so no place in a history.
func eventOf(act activity) (e shipping.TrackingEvent, ok bool) {
	s := act.Status.first()
	e.Time, e.CarrierTime, ok = act.when()
	_, e.ZoneKnown, _ = shipping.ParseCarrierTime(e.CarrierTime)
	if !ok {
		return e, false
	}
	o := meaningOfStatus(s)
	e.Status, e.SubStatus = o.status, o.sub
	e.CarrierWords = string(s.Description)
	e.CarrierCode = strings.Trim(string(s.Type+"/"+s.Code+"/"+s.StatusCode), "/")
	if o.reason != "" {
		e.Reason = &shipping.EventReason{Code: o.reason, Title: reasonTitles[o.reason], Note: e.CarrierWords}
	}
	at := act.Location.first().Address.first()
	e.City, e.State, e.PostalCode = string(at.City), string(at.StateProvince), string(at.PostalCode)
	e.CountryCode = at.country()
	return e, true
}

func (p place) country() string {
	if p.CountryCode != "" {
		return string(p.CountryCode)
	}
	if len(p.Country) == 2 {
		return string(p.Country)
	}
	return ""
}

// when returns the moment of an activity and what the clock on the wall showed: by UPS's Greenwich time, else by its local time and
// offset. Without either the clock has no zone, and its time is given as if it were UTC.
func (act activity) when() (at shipping.Instant, clock string, ok bool) {
	local, isLocal := timeOf(act.Date, act.Time, time.UTC)
	offset, hasOffset := offsetOf(act.GMTOffset)
	if gmt, ok := timeOf(act.GMTDate, act.GMTTime, time.UTC); ok && act.GMTTime != "" {
		if !hasOffset && isLocal && act.Time != "" {
			offset, hasOffset = offsetBetween(gmt, local)
		}
		if !hasOffset {
			return shipping.At(gmt), shipping.CarrierTime(gmt, true), true
		}
		return shipping.At(gmt), shipping.CarrierTime(gmt.In(time.FixedZone("", offset)), true), true
	}
	switch {
	case !isLocal:
		return shipping.Instant{}, "", false
	case act.Time == "":
		return shipping.At(local), local.Format(time.DateOnly), true
	case !hasOffset:
		return shipping.At(local), shipping.CarrierTime(local, false), true
	}
	zoned := local.Add(-time.Duration(offset) * time.Second).In(time.FixedZone("", offset))
	return shipping.At(zoned), shipping.CarrierTime(zoned, true), true
}

// offsetBetween is how far, in seconds, the clock on the wall was ahead of Greenwich; ok is false for what is no zone's.
func offsetBetween(gmt, local time.Time) (offset int, ok bool) {
	const quarter = 15 * time.Minute
	d := local.Sub(gmt)
	return int(d.Seconds()), d%quarter == 0 && d.Abs() <= 14*time.Hour
}

// timeOf reads YYYYMMDD and HHMMSS with or without colons, a leading zero or seconds; no time is midnight.
func timeOf(date, clock text, zone *time.Location) (time.Time, bool) {
	digits := strings.ReplaceAll(string(clock), ":", "")
	switch len(digits) {
	case 0:
		digits = "000000"
	case 3, 5:
		digits = "0" + digits
	}
	if len(digits) == 4 {
		digits += "00"
	}
	t, err := time.ParseInLocation(dateForm+"150405", string(date)+digits, zone)
	return t, err == nil
}

// offsetOf reads "-08:00", "-08.00" (Track Alert) or "-0800" as seconds east of Greenwich.
func offsetOf(s text) (int, bool) {
	t, err := time.Parse("-0700", strings.NewReplacer(":", "", ".", "").Replace(string(s)))
	if err != nil {
		return 0, false
	}
	_, offset := t.Zone()
	return offset, true
}

// promise is when UPS means to deliver: the rescheduled day before the scheduled one, with the window or the time by which.
// UPS gives local time; where the zone of the destination cannot be told there is no promise.
func (p trackedPackage) promise() shipping.TimeWindow {
	day := p.date("RDD")
	if day == "" {
		day = p.date("SDD")
	}
	var to place
	for _, a := range p.PackageAddress {
		if a.Type == "DESTINATION" {
			to = a.Address.first()
		}
	}
	zone := zoneOfPlace(to.country(), strings.ToUpper(string(to.StateProvince)))
	if day == "" || zone == nil {
		return shipping.TimeWindow{}
	}
	var w shipping.TimeWindow
	t := p.DeliveryTime.first()
	switch t.Type {
	case "EDW", "CDW", "IDW":
		if at, ok := timeOf(day, t.StartTime, zone); ok && t.StartTime != "" {
			w.StartsAt = shipping.At(at)
		}
	}
	end := t.EndTime
	if end == "" {
		end = endOfDay
	}
	if at, ok := timeOf(day, end, zone); ok {
		w.EndsAt = shipping.At(at)
	}
	if !w.StartsAt.IsZero() && w.EndsAt.Before(w.StartsAt.Time) {
		w.StartsAt = shipping.Instant{}
	}
	return w
}
