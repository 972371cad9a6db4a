package rules

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// NewInput makes what rules see of an order. It fails on an amount that its currency cannot hold, or a quantity out of all range.
func NewInput(src InputSource) (Input, error) {
	order, err := newOrder(src)
	if err != nil {
		return Input{}, fmt.Errorf("rules input of order %s: %w", src.ExternalID, err)
	}
	location := newLocation(src.Location, src.Now)
	return Input{Order: order, Recipient: src.Recipient, Location: location, Local: newLocal(src.Now, src.Location.Zone, location.Holidays),
		Quotas: src.Quotas, Budgets: src.Budgets, Released: names(src.Released), Waited: names(src.Waited), Zones: names(src.Zones)}, nil
}

func newOrder(src InputSource) (Order, error) {
	o := Order{
		ID: src.ExternalID, Distance: unit.Metres(src.DistanceMetres), Lines: len(src.Items),
		Items: []Item{}, Content: []string{}, Failed: sorted(src.Failed), Attributes: maps.Clone(src.Attributes), Group: src.GroupID,
		Signature: src.Signature, Locale: src.Locale, To: newPlace(src.Delivery, src.Verified), From: newPlace(src.Pickup, ""),
		PlacedAt: instant(src.PlacedAt), Created: src.Created.UTC(), ReadyAt: src.PickupTime.StartsAt.UTC(), PromiseBy: never,
		ASAP: src.PickupTime.IsZero() && src.DropTime.IsZero(), IsReturn: src.IsReturn,
	}
	o.told(src.Attributes)
	o.To.Zones, o.From.Zones = names(src.DeliveryZones), names(src.PickupZones)
	if o.Signature == "" {
		o.Signature = "not_required"
	}
	if src.PlacedAt.IsZero() {
		o.PlacedAt = instant(src.Now)
	}
	if src.Created.IsZero() {
		o.Created = o.PlacedAt
	}
	if src.PickupTime.StartsAt.IsZero() {
		o.ReadyAt = instant(src.Now.Add(src.Location.Prep))
	}
	if end := src.DropTime.EndsAt; !end.IsZero() {
		o.HasPromise, o.PromiseBy = true, end.UTC()
	}
	var err error
	if o.Total, err = money(src.Value, src.Currency); err != nil {
		return o, err
	}
	if o.Tip, err = money(src.Tip, src.Currency); err != nil {
		return o, err
	}
	if err := o.addItems(src.Items, src.Currency); err != nil {
		return o, err
	}
	return o, o.addParcels(src.Parcels)
}

// told reads the attributes that have names of their own in rules: what shops know of an order and the API has no member for.
func (o *Order) told(attributes map[string]string) {
	o.CustomerID, o.Channel, o.ServiceHint = attributes["customer_id"], attributes["channel"], attributes["service_hint"]
	yes := func(name string) bool {
		return slices.Contains([]string{"true", "yes", "1"}, strings.ToLower(attributes[name]))
	}
	o.Gift, o.Paid = yes("gift"), yes("paid")
	for tag := range strings.SplitSeq(attributes["tags"], ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			o.Tags = append(o.Tags, tag)
		}
	}
	o.Tags = names(o.Tags)
}

// money binds an amount; where none was given it is 0 of the currency, so that rules can compare it.
func money(d shipping.Decimal, currency string) (shipping.Money, error) {
	if d.IsZero() {
		return shipping.Money{Currency: currency}, nil
	}
	return shipping.BindMoney(d, currency)
}

func (o *Order) addItems(items []shipping.Item, currency string) error {
	if len(items) > maxItems {
		return fmt.Errorf("the order has %d items, more than %d", len(items), maxItems)
	}
	o.Subtotal = shipping.Money{Currency: currency}
	for _, it := range items {
		price := it.SalePrice
		if price.IsZero() {
			price = it.Price
		}
		each, err := money(price, currency)
		if err != nil {
			return fmt.Errorf("item %s: %w", it.SKU, err)
		}
		line, err := unit.ScaleMoney(each, unit.FromInt(int64(it.Quantity)))
		if err != nil {
			return fmt.Errorf("item %s: %w", it.SKU, err)
		}
		if o.Subtotal, err = o.Subtotal.Add(line); err != nil {
			return fmt.Errorf("subtotal: %w", err)
		}
		var weight unit.Rational
		if it.Weight != nil {
			if weight, err = unit.FromRat(it.Weight.Grams()); err != nil {
				return fmt.Errorf("item %s: weight: %w", it.SKU, err)
			}
		}
		o.Quantity += it.Quantity
		o.Items = append(o.Items, Item{
			SKU: it.SKU, Name: it.Title, Quantity: it.Quantity, Price: each, Weight: unit.Weight{Rational: weight}, Tags: plain(it.Tags),
		})
	}
	return nil
}

func (o *Order) addParcels(parcels []shipping.Parcel) error {
	weight, volume, longest, girth := new(big.Rat), new(big.Rat), new(big.Rat), new(big.Rat)
	quantity, strictest := 0, 0
	for _, p := range parcels {
		quantity += p.ItemQuantity
		strictest = max(strictest, slices.Index(shipping.Temperatures, p.TemperatureControl))
		o.Content = append(o.Content, p.Content...)
		if p.Weight != nil {
			weight.Add(weight, p.Weight.Grams())
		}
		if p.Size == nil {
			continue
		}
		l, w, h := p.Size.Millimetres()
		sides := []*big.Rat{l, w, h}
		slices.SortFunc(sides, func(a, b *big.Rat) int { return a.Cmp(b) })
		around := new(big.Rat).Add(sides[0], sides[1])
		around.Add(around, around)
		longest, girth = greater(longest, sides[2]), greater(girth, around)
		volume.Add(volume, around.Mul(around.Mul(l, w), h))
	}
	o.Content = contents(o.Content)
	o.Parcels = len(parcels)
	o.Temperature = shipping.Temperatures[strictest]
	if o.Lines == 0 {
		o.Quantity = quantity
	}
	for _, q := range []struct {
		name string
		from *big.Rat
		to   *unit.Rational
	}{
		{"weight", weight, &o.Weight.Rational}, {"volume", volume, &o.Volume.Rational},
		{"longest side", longest, &o.LongestSide.Rational}, {"girth", girth, &o.Girth.Rational},
	} {
		var err error
		if *q.to, err = unit.FromRat(q.from); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
	}
	return nil
}

func greater(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return new(big.Rat).Set(b)
	}
	return a
}

func newPlace(a shipping.Address, verified string) Place {
	p := Place{
		Country: a.CountryCode, State: a.State, City: a.City, PostalCode: a.PostalCode, Type: a.Type, Verified: verified,
		HasUnit: strings.TrimSpace(a.ApartmentNumber) != "" || strings.TrimSpace(a.Street2) != "",
	}
	p.code()
	if p.Type == "" {
		p.Type = "unknown"
	}
	if p.Verified == "" {
		p.Verified = "unknown"
	}
	return p
}

// code writes country and state in the one way that rules compare them, whatever way the shop has.
func (p *Place) code() {
	p.Country = formula.Country(p.Country)
	p.State = formula.State(p.Country, p.State)
}

// contentWords are the contents that services commonly name; shops may send others.
var contentWords = []string{"alcohol", "tobacco", "pharmacy", "lithium", "fragile", "perishable"}

// contents are the words of contents in order and without doubles, those of contentWords in small letters.
func contents(words []string) []string {
	plain := make([]string, 0, len(words))
	for _, word := range words {
		word = strings.TrimSpace(word)
		if small := strings.ToLower(word); slices.Contains(contentWords, small) {
			word = small
		}
		plain = append(plain, word)
	}
	return sorted(plain)
}

func newLocation(src LocationSource, now time.Time) Location {
	l := Location{
		ID: src.ID, Tags: sorted(src.Tags), Zone: zone(src.Zone).String(), ClosedToday: src.ClosedToday, NextOpening: instant(src.NextOpening),
		NextBusinessMorning: instant(src.NextBusinessMorning), CutoffMinute: src.CutoffMinute, Holidays: names(src.Holidays),
		Caps: maps.Clone(src.Caps), SubsidyBudget: src.SubsidyBudget, Prep: src.Prep,
	}
	if src.NextOpening.IsZero() {
		l.NextOpening = instant(now)
	}
	if src.NextBusinessMorning.IsZero() {
		l.NextBusinessMorning = nextBusinessMorning(now.In(zone(src.Zone)), l.Holidays)
	}
	if l.CutoffMinute == 0 {
		l.CutoffMinute = 24 * 60
	}
	return l
}

func nextBusinessMorning(local time.Time, holidays []string) time.Time {
	next := time.Date(local.Year(), local.Month(), local.Day()+1, 8, 0, 0, 0, local.Location())
	for next.Weekday() == time.Saturday || next.Weekday() == time.Sunday || slices.Contains(holidays, next.Format(time.DateOnly)) {
		next = time.Date(next.Year(), next.Month(), next.Day()+1, 8, 0, 0, 0, local.Location())
	}
	return instant(next)
}

func newLocal(now time.Time, z *time.Location, holidays []string) Local {
	t := now.In(zone(z))
	return Local{
		IsHoliday: slices.Contains(holidays, t.Format(time.DateOnly)),
		Now:       instant(now), Date: t.Format(time.DateOnly), Time: t.Format("15:04"), Weekday: strings.ToLower(t.Format("Mon")),
		Hour: t.Hour(), MinuteOfDay: t.Hour()*60 + t.Minute(),
	}
}

func zone(z *time.Location) *time.Location {
	if z == nil {
		return time.UTC
	}
	return z
}

// instant is t as records hold it: UTC, whole milliseconds.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond).Round(0) }

// plain is never nil, so that a record reads back as it was.
func plain(s []string) []string { return append([]string{}, s...) }

// names is sorted, and nil where there are none, so that it is left out of the record.
func names(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return sorted(s)
}

// sorted is plain, in order and without doubles.
func sorted(s []string) []string {
	out := plain(s)
	slices.Sort(out)
	return slices.Compact(out)
}
