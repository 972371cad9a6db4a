// Package wire is the one mapping between the messages of carrier.proto and the Go structs of sdk/carrier and sdk/shipping.
// To… makes the message, From… the struct. A test fills every member with a value of its own and sends it both ways, so a
// member that somebody adds and does not map fails by name.
package wire

import (
	"strings"
	"time"
	"unicode/utf8"

	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func list[A, B any](in []A, f func(A) B) []B {
	if len(in) == 0 {
		return nil
	}
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

// text makes a carrier's words fit for protobuf, which refuses a whole message for one string that is not UTF-8.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func texts(in []string) []string {
	for i, s := range in {
		if !utf8.ValidString(s) {
			out := append([]string(nil), in...)
			for j := i; j < len(out); j++ {
				out[j] = text(out[j])
			}
			return out
		}
	}
	return in
}

func toInstant(i shipping.Instant) int64 {
	if i.IsZero() {
		return 0
	}
	return i.UnixMilli()
}

func fromInstant(ms int64) shipping.Instant {
	if ms == 0 {
		return shipping.Instant{}
	}
	return shipping.Instant{Time: time.UnixMilli(ms).UTC()}
}

func toNanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// fromDecimal reads an amount that the other side wrote. One that is no number counts as not given: the peer is an adapter
// in another language, and a missing weight is noticed where a wrong one is not.
func fromDecimal(s string) shipping.Decimal {
	if s == "" {
		return shipping.Decimal{}
	}
	d, err := shipping.ParseDecimal(s)
	if err != nil {
		return shipping.Decimal{}
	}
	return d
}

func toMoney(m shipping.Money) *pb.Money {
	if m.IsZero() {
		return nil
	}
	return &pb.Money{Minor: m.Minor, Currency: text(m.Currency)}
}

func fromMoney(m *pb.Money) shipping.Money {
	if m == nil {
		return shipping.Money{}
	}
	return shipping.Money{Minor: m.Minor, Currency: m.Currency}
}

func toWindow(w shipping.TimeWindow) *pb.TimeWindow {
	if w.IsZero() {
		return nil
	}
	return &pb.TimeWindow{StartsAt: toInstant(w.StartsAt), EndsAt: toInstant(w.EndsAt)}
}

func fromWindow(w *pb.TimeWindow) shipping.TimeWindow {
	if w == nil {
		return shipping.TimeWindow{}
	}
	return shipping.TimeWindow{StartsAt: fromInstant(w.StartsAt), EndsAt: fromInstant(w.EndsAt)}
}

func toAddress(a shipping.Address) *pb.Address {
	return &pb.Address{Street1: text(a.Street1), Street2: text(a.Street2), ApartmentNumber: text(a.ApartmentNumber), City: text(a.City),
		State: text(a.State), PostalCode: text(a.PostalCode), CountryCode: text(a.CountryCode), Latitude: a.Latitude, Longitude: a.Longitude,
		Type: text(a.Type)}
}

func fromAddress(a *pb.Address) shipping.Address {
	if a == nil {
		return shipping.Address{}
	}
	return shipping.Address{Street1: a.Street1, Street2: a.Street2, ApartmentNumber: a.ApartmentNumber, City: a.City, State: a.State,
		PostalCode: a.PostalCode, CountryCode: a.CountryCode, Latitude: a.Latitude, Longitude: a.Longitude, Type: a.Type}
}

func toContact(c shipping.Contact) *pb.Contact {
	return &pb.Contact{Name: text(c.Name), Phone: text(c.Phone), Email: text(c.Email)}
}

func fromContact(c *pb.Contact) shipping.Contact {
	return shipping.Contact{Name: c.GetName(), Phone: c.GetPhone(), Email: c.GetEmail()}
}

func toSize(s *shipping.Size) *pb.Size {
	if s == nil {
		return nil
	}
	return &pb.Size{Length: s.Length.String(), Width: s.Width.String(), Height: s.Height.String(), Unit: text(s.Unit)}
}

func fromSize(s *pb.Size) *shipping.Size {
	if s == nil {
		return nil
	}
	return &shipping.Size{Length: fromDecimal(s.Length), Width: fromDecimal(s.Width), Height: fromDecimal(s.Height), Unit: s.Unit}
}

func toWeight(w *shipping.Weight) *pb.Weight {
	if w == nil {
		return nil
	}
	return &pb.Weight{Value: w.Value.String(), Unit: text(w.Unit)}
}

func fromWeight(w *pb.Weight) *shipping.Weight {
	if w == nil {
		return nil
	}
	return &shipping.Weight{Value: fromDecimal(w.Value), Unit: w.Unit}
}

func toParcel(p shipping.Parcel) *pb.Parcel {
	return &pb.Parcel{Name: text(p.Name), ItemQuantity: int32(p.ItemQuantity), Size: toSize(p.Size), Weight: toWeight(p.Weight),
		Description: text(p.Description), TemperatureControl: text(p.TemperatureControl), Barcode: text(p.Barcode), Content: texts(p.Content)}
}

func fromParcel(p *pb.Parcel) shipping.Parcel {
	return shipping.Parcel{Name: p.GetName(), ItemQuantity: int(p.GetItemQuantity()), Size: fromSize(p.GetSize()), Weight: fromWeight(p.GetWeight()),
		Description: p.GetDescription(), TemperatureControl: p.GetTemperatureControl(), Barcode: p.GetBarcode(), Content: p.GetContent()}
}

func toItem(i shipping.Item) *pb.Item {
	return &pb.Item{Sku: text(i.SKU), Title: text(i.Title), Description: text(i.Description), Quantity: int32(i.Quantity), Size: toSize(i.Size),
		Weight: toWeight(i.Weight), Price: i.Price.String(), SalePrice: i.SalePrice.String(), Barcode: text(i.Barcode), Tags: texts(i.Tags)}
}

func fromItem(i *pb.Item) shipping.Item {
	return shipping.Item{SKU: i.GetSku(), Title: i.GetTitle(), Description: i.GetDescription(), Quantity: int(i.GetQuantity()), Size: fromSize(i.GetSize()),
		Weight: fromWeight(i.GetWeight()), Price: fromDecimal(i.GetPrice()), SalePrice: fromDecimal(i.GetSalePrice()), Barcode: i.GetBarcode(), Tags: i.GetTags()}
}

func toCharge(c shipping.Charge) *pb.Charge {
	return &pb.Charge{Code: text(c.Code), Name: text(c.Name), Amount: toMoney(c.Amount)}
}

func fromCharge(c *pb.Charge) shipping.Charge {
	return shipping.Charge{Code: c.GetCode(), Name: c.GetName(), Amount: fromMoney(c.GetAmount())}
}

func toQuote(q shipping.Quote) *pb.Quote {
	return &pb.Quote{ServiceId: text(q.ServiceID), ServiceCode: text(q.ServiceCode), ServiceType: text(q.ServiceType), Mode: text(q.Mode),
		Vehicle: text(q.Vehicle), Amount: toMoney(q.Amount), Tax: toMoney(q.Tax), Charges: list(q.Charges, toCharge), Pickup: toWindow(q.Pickup),
		Delivery: toWindow(q.Delivery), TransitDays: int32(q.TransitDays), Guaranteed: q.Guaranteed, DistanceMetres: q.DistanceMetres,
		Expires: toInstant(q.Expires), Token: q.Token, Warnings: texts(q.Warnings)}
}

func fromQuote(q *pb.Quote) shipping.Quote {
	return shipping.Quote{ServiceID: q.GetServiceId(), ServiceCode: q.GetServiceCode(), ServiceType: q.GetServiceType(), Mode: q.GetMode(),
		Vehicle: q.GetVehicle(), Amount: fromMoney(q.GetAmount()), Tax: fromMoney(q.GetTax()), Charges: list(q.GetCharges(), fromCharge),
		Pickup: fromWindow(q.GetPickup()), Delivery: fromWindow(q.GetDelivery()), TransitDays: int(q.GetTransitDays()), Guaranteed: q.GetGuaranteed(),
		DistanceMetres: q.GetDistanceMetres(), Expires: fromInstant(q.GetExpires()), Token: q.GetToken(), Warnings: q.GetWarnings()}
}

func toRefusal(r shipping.Refusal) *pb.Refusal {
	return &pb.Refusal{ServiceId: text(r.ServiceID), Code: text(r.Code), Message: text(r.Message)}
}

func fromRefusal(r *pb.Refusal) shipping.Refusal {
	return shipping.Refusal{ServiceID: r.GetServiceId(), Code: r.GetCode(), Message: r.GetMessage()}
}

func toLabel(l *shipping.Label) *pb.Label {
	if l == nil {
		return nil
	}
	return &pb.Label{Format: text(string(l.Format)), Data: l.Data, Size: int64(len(l.Data))}
}

func fromLabel(l *pb.Label) *shipping.Label {
	if l == nil {
		return nil
	}
	return &shipping.Label{Format: shipping.LabelFormat(l.Format), Data: l.Data}
}

func toEvent(e shipping.TrackingEvent) *pb.TrackingEvent {
	out := &pb.TrackingEvent{Time: toInstant(e.Time), ZoneKnown: e.ZoneKnown, CarrierTime: text(e.CarrierTime), CarrierCode: text(e.CarrierCode), CarrierWords: text(e.CarrierWords),
		Status: text(string(e.Status)), SubStatus: text(e.SubStatus), City: text(e.City), State: text(e.State), PostalCode: text(e.PostalCode),
		CountryCode: text(e.CountryCode)}
	if r := e.Reason; r != nil {
		out.Reason = &pb.EventReason{Code: text(r.Code), Title: text(r.Title), Note: text(r.Note)}
	}
	return out
}

func fromEvent(e *pb.TrackingEvent) shipping.TrackingEvent {
	out := shipping.TrackingEvent{Time: fromInstant(e.GetTime()), ZoneKnown: e.GetZoneKnown(), CarrierTime: e.GetCarrierTime(), CarrierCode: e.GetCarrierCode(), CarrierWords: e.GetCarrierWords(),
		Status: shipping.Status(e.GetStatus()), SubStatus: e.GetSubStatus(), City: e.GetCity(), State: e.GetState(), PostalCode: e.GetPostalCode(),
		CountryCode: e.GetCountryCode()}
	if r := e.GetReason(); r != nil {
		out.Reason = &shipping.EventReason{Code: r.Code, Title: r.Title, Note: r.Note}
	}
	return out
}
