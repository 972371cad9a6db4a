package dispatch

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// wayBack makes the shipment that a return is, or says everything that is wrong with what was asked. Nothing is stored. taken is how
// many names were taken already.
func (s *Service) wayBack(ctx context.Context, c usecase.Caller, t *config.Tenant, o *Returned, r ReturnRequest, taken int) (*shipment.Shipment, error) {
	if o.Refusal != "" {
		return nil, &usecase.Error{Type: usecase.InvalidOperation, Message: o.Refusal}
	}
	from := t.Locations[o.Order.LocationID]
	to := destination(t, from)
	if from == nil {
		from = to
	}
	r = o.packed(t, r)
	lines, f := o.lines(r.Items)
	validateReturn(&f, t, o, r)
	if len(f) > 0 {
		return nil, usecase.Invalid(usecase.ValidationError, f)
	}
	now := s.Clock.Now()
	address, contact := o.Order.DeliveryAddress, o.Order.DeliveryContact
	if r.Address != nil {
		address = *r.Address
	}
	if r.Contact != nil {
		contact = *r.Contact
	}
	back := &shipment.Shipment{
		Schema: shipment.Schema, ID: shipment.ID(s.Source.ID()), Tenant: t.ID,
		Pickup: shipment.Place{Name: contact.Name, Address: address, Contact: contact},
		ReturnOf: &shipment.ReturnOf{OriginID: o.Order.ExternalID, Location: to.ID, Type: returnType(r), Reason: r.Reason, Note: r.Note,
			Lines: lines, Exchange: r.Exchange},
		CreatedBy: c.Key, CreatedAt: now, UpdatedAt: now,
	}
	if o.Shipment != nil {
		back.ReturnOf.Shipment = o.Shipment.ID
	} else {
		back.ReturnOf.Tracker = string(o.Tracker.ID)
	}
	back.Order = o.orderBack(r, lines)
	back.Order.LocationID = from.ID
	back.Order.ExternalID = returnID(o.Order.ExternalID, len(o.Returns)+1+taken)
	if back.Order.Currency == "" {
		back.Order.Currency = firstOf(from.Currency, t.Currency)
	}
	if err := s.place(ctx, t, back, now); err != nil {
		return nil, err
	}
	return back, nil
}

// destination is where returns of what was picked up at a location go, nil where nobody has said.
func destination(t *config.Tenant, from *config.Location) *config.Location {
	if from != nil && from.ReturnLocation != "" {
		return t.Locations[from.ReturnLocation]
	}
	if to := t.Locations[t.Returns.Location]; to != nil {
		return to
	}
	return from
}

func returnType(r ReturnRequest) shipment.ReturnType {
	if r.Type == "" && len(r.Exchange) > 0 {
		return shipment.ForGoods
	}
	return shipment.ReturnType(firstOf(string(r.Type), string(shipment.ForMoney)))
}

// returnID names the n-th return of an order.
func returnID(origin string, n int) string {
	suffix := "-R" + strconv.Itoa(n)
	name := []rune(origin)
	return string(name[:min(len(name), shipping.MaxText-len(suffix))]) + suffix
}

// lines resolves the items of a request against what is left.
func (o *Returned) lines(items []ReturnItem) (lines []shipment.ReturnLine, f shipping.Faults) {
	if len(items) == 0 {
		for i, n := range o.Left {
			if n > 0 {
				lines = append(lines, shipment.ReturnLine{Line: i + 1, Quantity: n})
			}
		}
		return lines, nil
	}
	if len(items) > shipping.MaxItems {
		f.Add("itemList", "must have at most %d entries", shipping.MaxItems)
		return nil, f
	}
	seen := map[int]int{}
	for i, it := range items {
		path := fmt.Sprintf("itemList[%d]", i)
		at, fault := o.find(it)
		if fault != "" {
			f.Add(path, "%s", fault)
			continue
		}
		if first, twice := seen[at]; twice {
			f.Add(path, "stands already in itemList[%d]; an item stands once, with its quantity", first)
			continue
		}
		seen[at] = i
		switch left := o.Left[at]; {
		case it.Quantity < 1:
			f.Add(path+".quantity", "must be 1 or more")
		case left == 0:
			f.Add(path, "has been returned or is on its way back already")
		case it.Quantity > left:
			f.Add(path+".quantity", "must be at most %d: of %d, the others have been returned or are on their way back", left, o.Order.Items[at].Quantity)
		default:
			lines = append(lines, shipment.ReturnLine{Line: at + 1, Quantity: it.Quantity})
		}
	}
	slices.SortFunc(lines, func(a, b shipment.ReturnLine) int { return a.Line - b.Line })
	return lines, f
}

// find returns the place of an item in the order, from 0.
func (o *Returned) find(it ReturnItem) (at int, fault string) {
	switch {
	case it.SKU == "" && it.Line == 0:
		return 0, "must name an item of the order: by sku, or by line, from 1"
	case it.Line != 0 && (it.Line < 1 || it.Line > len(o.Order.Items)):
		return 0, fmt.Sprintf("names line %d, and the order has %d", it.Line, len(o.Order.Items))
	case it.Line != 0 && it.SKU != "" && o.Order.Items[it.Line-1].SKU != it.SKU:
		return 0, "names a line and a sku of two items"
	case it.Line != 0:
		return it.Line - 1, ""
	}
	if at = slices.IndexFunc(o.Order.Items, func(x shipping.Item) bool { return x.SKU == it.SKU }); at < 0 {
		return 0, "is no item of the order"
	}
	return at, ""
}

// packed is a request with the tenant's package for returns where neither it nor the order says what it is packed in.
func (o *Returned) packed(t *config.Tenant, r ReturnRequest) ReturnRequest {
	if len(r.Packages) == 0 && len(o.Order.Packages) == 0 && t.Returns.Package != "" {
		r.Packages, r.Plural = []shipping.Parcel{{Name: t.Returns.Package}}, false
	}
	return r
}

// validateReturn adds what is wrong with all but the items that come back.
func validateReturn(f *shipping.Faults, t *config.Tenant, o *Returned, r ReturnRequest) {
	if _, ok := t.Returns.Reason(r.Reason); !ok {
		f.Add("reason", "must be one of %s", strings.Join(t.Returns.ReasonIDs(), ", "))
	}
	f.Text("note", r.Note, shipping.MaxNote)
	kind := returnType(r)
	switch {
	case kind != shipment.ForMoney && kind != shipment.ForGoods:
		f.Add("type", "must be %s or %s", shipment.ForMoney, shipment.ForGoods)
	case kind == shipment.ForGoods && !t.Returns.Exchanges:
		f.Add("type", "must be %s: the merchant takes no exchanges", shipment.ForMoney)
	case kind == shipment.ForGoods && len(r.Exchange) == 0:
		f.Add("exchangeItems", "is required where type is %s", shipment.ForGoods)
	case kind == shipment.ForMoney && len(r.Exchange) > 0:
		f.Add("exchangeItems", "is only taken where type is %s", shipment.ForGoods)
	}
	if len(r.Exchange) > shipping.MaxItems {
		f.Add("exchangeItems", "must have at most %d entries", shipping.MaxItems)
	}
	currency := firstOf(o.Currency, t.Currency)
	for i, it := range r.Exchange {
		path := fmt.Sprintf("exchangeItems[%d]", i)
		it.Validate(f, path, currency)
		if it.SKU == "" && it.Title == "" {
			f.Add(path, "must name what is wanted: by sku or title")
		}
	}
	from, contact := &o.Order.DeliveryAddress, &o.Order.DeliveryContact
	if r.Address != nil {
		from = r.Address
	}
	if r.Contact != nil {
		contact = r.Contact
	}
	// What a tracker was told of its order may be less than a carrier needs.
	from.Validate(f, "pickupAddress")
	contact.Validate(f, "pickupContact")
	if p := contact.Phone; strings.TrimSpace(p) != "" && usecase.E164(p, from.CountryCode) == "" {
		f.Add("pickupContact.phone", "is not a possible phone number")
	}
	if r.Instructions != nil {
		f.Text("pickupInstructions", *r.Instructions, shipping.MaxNote)
	}
	if packed := (shipment.Order{Packages: r.Packages, Plural: r.Plural}); len(r.Packages) > 0 || len(o.Order.Packages) == 0 {
		validatePackages(f, t, packed)
	}
	validateProposed(f, r.Proposed)
}

// orderBack is the order that the way back is: the items that come back, worth what was paid for them.
func (o *Returned) orderBack(r ReturnRequest, lines []shipment.ReturnLine) shipment.Order {
	out := shipment.Order{
		GroupID: o.Order.GroupID, BrandID: o.Order.BrandID, Locale: o.Order.Locale, Currency: o.Currency, CreatedDate: o.Order.CreatedDate,
		PickupInstructions: r.Instructions, Attributes: cloneOrder(o.Order).Attributes, Proposed: r.Proposed, Plural: r.Plural,
		Packages: slices.Clone(r.Packages),
	}
	all := len(lines) == len(o.Order.Items)
	for _, l := range lines {
		it := o.Order.Items[l.Line-1]
		all = all && it.Quantity == l.Quantity
		it.Quantity = l.Quantity
		out.Items = append(out.Items, it)
	}
	if out.Value = worth(out.Items); all {
		out.Value = o.Order.Value
	}
	if len(out.Packages) == 0 {
		out.Packages, out.Plural = slices.Clone(o.Order.Packages), o.Order.Plural
		if !all && len(out.Packages) > 1 {
			out.Packages, out.Plural = []shipping.Parcel{largest(out.Packages)}, false
		}
		for i := range out.Packages {
			out.Packages[i].Barcode = "" // that of the way there
		}
	}
	return out
}

// worth is what was paid for items, zero where nobody knows.
func worth(items []shipping.Item) shipping.Decimal {
	sum := new(big.Rat)
	for _, it := range items {
		price := it.SalePrice
		if price.IsZero() {
			price = it.Price
		}
		sum.Add(sum, new(big.Rat).Mul(price.Rat(), big.NewRat(int64(it.Quantity), 1)))
	}
	digits, _ := sum.FloatPrec()
	d, err := shipping.ParseDecimal(sum.FloatString(digits))
	if err != nil || sum.Sign() == 0 {
		return shipping.Decimal{}
	}
	return d
}

// largest is the parcel with the greatest volume; the first where several have it, or none has a size.
func largest(parcels []shipping.Parcel) shipping.Parcel {
	best, most := parcels[0], new(big.Rat)
	for _, p := range parcels {
		if p.Size == nil {
			continue
		}
		v := new(big.Rat).Mul(p.Size.Length.Rat(), p.Size.Width.Rat())
		if v.Mul(v, p.Size.Height.Rat()).Cmp(most) > 0 {
			best, most = p, v
		}
	}
	return best
}

// labelFormat is what the rules say, else the account. The label of a return is printed by a buyer, who has no label printer: there it
// is one that any printer takes, where the adapter has such.
func labelFormat(sh *shipment.Shipment, set rules.Settings, a *asked) shipping.LabelFormat {
	f := shipping.LabelFormat(firstOf(string(set.LabelFormat), string(a.config.LabelFormat)))
	if sh.ReturnOf == nil || set.LabelFormat != "" || slices.Contains(printable, f) {
		return f
	}
	for _, p := range printable {
		if slices.Contains(a.manifest.LabelFormats, p) {
			return p
		}
	}
	return f
}

var printable = []shipping.LabelFormat{shipping.PDF, shipping.PNG, shipping.GIF}

// waysBack narrows the services that an account is asked for to those that the carrier takes returns by; ok is false where none is
// left. An adapter that books returns like any order takes them by all of its services, and so does one that says of none.
func waysBack(m carrier.Manifest, narrowed []string) (services []string, ok bool) {
	if !m.Has(carrier.CanReturn) || !slices.ContainsFunc(m.Services, returns) {
		return narrowed, true
	}
	for _, sv := range m.Services {
		if returns(sv) && (len(narrowed) == 0 || slices.Contains(narrowed, sv.ID)) {
			services = append(services, sv.ID)
		}
	}
	return services, len(services) > 0
}

func returns(sv carrier.Service) bool { return slices.Contains(sv.Supports, carrier.SupportsReturn) }
