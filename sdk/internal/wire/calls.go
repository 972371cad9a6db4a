package wire

import (
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func ToManifest(m carrier.Manifest) *pb.Manifest {
	return &pb.Manifest{Name: m.Name, DisplayName: m.DisplayName, Version: m.Version,
		Abilities: list(m.Abilities, func(a carrier.Ability) string { return string(a) }), Services: list(m.Services, toService), Hosts: m.Hosts,
		Idempotency: string(m.Idempotency), Absence: string(m.Absence), GraceNanos: int64(m.Grace),
		LabelFormats: list(m.LabelFormats, func(f shipping.LabelFormat) string { return string(f) }), MaxParcels: int32(m.MaxParcels),
		ConfigSchema: m.ConfigSchema}
}

func FromManifest(m *pb.Manifest) carrier.Manifest {
	return carrier.Manifest{Name: m.GetName(), DisplayName: m.GetDisplayName(), Version: m.GetVersion(),
		Abilities: list(m.GetAbilities(), func(a string) carrier.Ability { return carrier.Ability(a) }), Services: list(m.GetServices(), fromService),
		Hosts: m.GetHosts(), Idempotency: carrier.Idempotency(m.GetIdempotency()), Absence: carrier.Absence(m.GetAbsence()), Grace: time.Duration(m.GetGraceNanos()),
		LabelFormats: list(m.GetLabelFormats(), func(f string) shipping.LabelFormat { return shipping.LabelFormat(f) }), MaxParcels: int(m.GetMaxParcels()),
		ConfigSchema: m.GetConfigSchema()}
}

func toService(s carrier.Service) *pb.Service {
	return &pb.Service{Id: s.ID, Code: s.Code, Name: s.Name, Mode: s.Mode, Supports: s.Supports}
}

func fromService(s *pb.Service) carrier.Service {
	return carrier.Service{ID: s.GetId(), Code: s.GetCode(), Name: s.GetName(), Mode: s.GetMode(), Supports: s.GetSupports()}
}

func toStop(s carrier.Stop) *pb.Stop {
	return &pb.Stop{Name: text(s.Name), Address: toAddress(s.Address), Contact: toContact(s.Contact), Window: toWindow(s.Window),
		Instructions: text(s.Instructions), Zone: text(s.Zone)}
}

func fromStop(s *pb.Stop) carrier.Stop {
	return carrier.Stop{Name: s.GetName(), Address: fromAddress(s.GetAddress()), Contact: fromContact(s.GetContact()), Window: fromWindow(s.GetWindow()),
		Instructions: s.GetInstructions(), Zone: s.GetZone()}
}

func toConsignment(c carrier.Consignment) *pb.Consignment {
	out := &pb.Consignment{Reference: c.Reference, ExternalId: text(c.ExternalID), Pickup: toStop(c.Pickup), Delivery: toStop(c.Delivery),
		Parcels: list(c.Parcels, toParcel), Items: list(c.Items, toItem), Content: texts(c.Content), TemperatureControl: text(c.TemperatureControl),
		OrderValue: toMoney(c.OrderValue), Tip: toMoney(c.Tip), Currency: text(c.Currency), Signature: text(c.Signature), Locale: text(c.Locale),
		DistanceMetres: c.DistanceMetres}
	if c.Return != nil {
		out.Return = toStop(*c.Return)
	}
	return out
}

func fromConsignment(c *pb.Consignment) carrier.Consignment {
	out := carrier.Consignment{Reference: c.GetReference(), ExternalID: c.GetExternalId(), Pickup: fromStop(c.GetPickup()), Delivery: fromStop(c.GetDelivery()),
		Parcels: list(c.GetParcels(), fromParcel), Items: list(c.GetItems(), fromItem), Content: c.GetContent(), TemperatureControl: c.GetTemperatureControl(),
		OrderValue: fromMoney(c.GetOrderValue()), Tip: fromMoney(c.GetTip()), Currency: c.GetCurrency(), Signature: c.GetSignature(), Locale: c.GetLocale(),
		DistanceMetres: c.GetDistanceMetres()}
	if r := c.GetReturn(); r != nil {
		s := fromStop(r)
		out.Return = &s
	}
	return out
}

func ToQuoteRequest(r carrier.QuoteRequest) *pb.QuoteRequest {
	return &pb.QuoteRequest{Consignment: toConsignment(r.Consignment), Services: r.Services,
		Usage: toUsage(r.Usage), WayBack: r.WayBack}
}

func FromQuoteRequest(r *pb.QuoteRequest) carrier.QuoteRequest {
	return carrier.QuoteRequest{Consignment: fromConsignment(r.GetConsignment()), Services: r.GetServices(),
		Usage: fromUsage(r.GetUsage()), WayBack: r.GetWayBack()}
}

func toUsage(u carrier.Usage) *pb.Usage {
	return &pb.Usage{Open: int32(u.Open), Today: int32(u.Today)}
}

func fromUsage(u *pb.Usage) carrier.Usage {
	return carrier.Usage{Open: int(u.GetOpen()), Today: int(u.GetToday())}
}

func ToQuoteAnswer(a carrier.QuoteAnswer) *pb.QuoteAnswer {
	return &pb.QuoteAnswer{Quotes: list(a.Quotes, toQuote), Refusals: list(a.Refusals, toRefusal), Capacity: toUsage(a.Capacity)}
}

func FromQuoteAnswer(a *pb.QuoteAnswer) carrier.QuoteAnswer {
	return carrier.QuoteAnswer{Quotes: list(a.GetQuotes(), fromQuote), Refusals: list(a.GetRefusals(), fromRefusal), Capacity: fromUsage(a.GetCapacity())}
}

func ToBookRequest(r carrier.BookRequest) *pb.BookRequest {
	return &pb.BookRequest{Consignment: toConsignment(r.Consignment), ServiceId: r.ServiceID, Token: r.Token, Quoted: toMoney(r.Quoted),
		LabelFormat: string(r.LabelFormat)}
}

func FromBookRequest(r *pb.BookRequest) carrier.BookRequest {
	return carrier.BookRequest{Consignment: fromConsignment(r.GetConsignment()), ServiceID: r.GetServiceId(), Token: r.GetToken(), Quoted: fromMoney(r.GetQuoted()),
		LabelFormat: shipping.LabelFormat(r.GetLabelFormat())}
}

func ToBooking(b carrier.Booking) *pb.Booking {
	return &pb.Booking{Reference: text(b.Reference), CarrierRef: text(b.CarrierRef), ServiceId: text(b.ServiceID), TrackingId: text(b.TrackingID),
		TrackingUrl: text(b.TrackingURL), Parcels: list(b.Parcels, func(p carrier.BookedParcel) *pb.BookedParcel {
			return &pb.BookedParcel{Number: text(p.Number), Label: toLabel(p.Label)}
		}), Amount: toMoney(b.Amount), Charges: list(b.Charges, toCharge), Pickup: toWindow(b.Pickup), Delivery: toWindow(b.Delivery),
		BookedAt: toInstant(b.BookedAt), Cancelled: b.Cancelled, Warnings: texts(b.Warnings)}
}

func FromBooking(b *pb.Booking) carrier.Booking {
	return carrier.Booking{Reference: b.GetReference(), CarrierRef: b.GetCarrierRef(), ServiceID: b.GetServiceId(), TrackingID: b.GetTrackingId(),
		TrackingURL: b.GetTrackingUrl(), Parcels: list(b.GetParcels(), func(p *pb.BookedParcel) carrier.BookedParcel {
			return carrier.BookedParcel{Number: p.GetNumber(), Label: fromLabel(p.GetLabel())}
		}), Amount: fromMoney(b.GetAmount()), Charges: list(b.GetCharges(), fromCharge), Pickup: fromWindow(b.GetPickup()), Delivery: fromWindow(b.GetDelivery()),
		BookedAt: fromInstant(b.GetBookedAt()), Cancelled: b.GetCancelled(), Warnings: b.GetWarnings()}
}

func ToCancelRequest(r carrier.CancelRequest) *pb.CancelRequest {
	return &pb.CancelRequest{Reference: r.Reference, CarrierRef: r.CarrierRef, TrackingId: r.TrackingID, ServiceId: r.ServiceID,
		Reason: text(r.Reason), Status: string(r.Status)}
}

func FromCancelRequest(r *pb.CancelRequest) carrier.CancelRequest {
	return carrier.CancelRequest{Reference: r.GetReference(), CarrierRef: r.GetCarrierRef(), TrackingID: r.GetTrackingId(), ServiceID: r.GetServiceId(),
		Reason: r.GetReason(), Status: shipping.Status(r.GetStatus())}
}

func ToCancellation(c carrier.Cancellation) *pb.CancelAnswer {
	return &pb.CancelAnswer{Refund: toMoney(c.Refund), Note: text(c.Note)}
}

func FromCancellation(c *pb.CancelAnswer) carrier.Cancellation {
	return carrier.Cancellation{Refund: fromMoney(c.GetRefund()), Note: c.GetNote()}
}

func ToFindRequest(r carrier.FindRequest) *pb.FindRequest {
	return &pb.FindRequest{Reference: r.Reference, FromUnixNanos: toNanos(r.From), ToUnixNanos: toNanos(r.To), LabelFormat: string(r.LabelFormat)}
}

func FromFindRequest(r *pb.FindRequest) carrier.FindRequest {
	return carrier.FindRequest{Reference: r.GetReference(), From: fromNanos(r.GetFromUnixNanos()), To: fromNanos(r.GetToUnixNanos()),
		LabelFormat: shipping.LabelFormat(r.GetLabelFormat())}
}

func ToBookings(bs []carrier.Booking) *pb.FindAnswer {
	return &pb.FindAnswer{Bookings: list(bs, ToBooking)}
}

func FromBookings(a *pb.FindAnswer) []carrier.Booking { return list(a.GetBookings(), FromBooking) }

func ToTrackRequest(r carrier.TrackRequest) *pb.TrackRequest {
	return &pb.TrackRequest{Parcels: list(r.Parcels, func(p carrier.TrackedParcel) *pb.TrackedParcel {
		return &pb.TrackedParcel{Number: text(p.Number), Reference: p.Reference}
	})}
}

func FromTrackRequest(r *pb.TrackRequest) carrier.TrackRequest {
	return carrier.TrackRequest{Parcels: list(r.GetParcels(), func(p *pb.TrackedParcel) carrier.TrackedParcel {
		return carrier.TrackedParcel{Number: p.GetNumber(), Reference: p.GetReference()}
	})}
}

func ToSubscribeRequest(r carrier.SubscribeRequest) *pb.SubscribeRequest {
	return &pb.SubscribeRequest{Numbers: list(r.Numbers, text), Url: text(r.URL)}
}

func FromSubscribeRequest(r *pb.SubscribeRequest) carrier.SubscribeRequest {
	return carrier.SubscribeRequest{Numbers: r.GetNumbers(), URL: r.GetUrl()}
}

func ToSubscription(s carrier.PushSubscription) *pb.SubscribeAnswer {
	return &pb.SubscribeAnswer{Numbers: list(s.Numbers, text), Until: toInstant(s.Until)}
}

func FromSubscription(a *pb.SubscribeAnswer) carrier.PushSubscription {
	return carrier.PushSubscription{Numbers: a.GetNumbers(), Until: fromInstant(a.GetUntil())}
}

func ToUpdates(us []carrier.TrackUpdate) *pb.TrackAnswer {
	return &pb.TrackAnswer{Updates: list(us, toUpdate)}
}

func FromUpdates(a *pb.TrackAnswer) []carrier.TrackUpdate { return list(a.GetUpdates(), fromUpdate) }

func toUpdate(u carrier.TrackUpdate) *pb.TrackUpdate {
	out := &pb.TrackUpdate{Number: text(u.Number), Reference: text(u.Reference), Unknown: u.Unknown, Events: list(u.Events, toEvent),
		Pickup: toWindow(u.Pickup), Delivery: toWindow(u.Delivery), ActualPickup: toInstant(u.ActualPickup), ActualDelivery: toInstant(u.ActualDelivery),
		TrackingUrl: text(u.TrackingURL), SignedBy: text(u.SignedBy), Amount: toMoney(u.Amount), Tip: toMoney(u.Tip), Proofs: list(u.Proofs, func(p carrier.Proof) *pb.Proof {
			return &pb.Proof{Type: text(p.Type), Url: text(p.URL), ContentType: text(p.ContentType)}
		})}
	if d := u.Driver; d != nil {
		out.Driver = &pb.Driver{Name: text(d.Name), Phone: text(d.Phone), Photo: text(d.Photo)}
	}
	if v := u.Vehicle; v != nil {
		out.Vehicle = &pb.Vehicle{Type: text(v.Type), Color: text(v.Color), Number: text(v.Number)}
	}
	if l := u.LastLocation; l != nil {
		out.LastLocation = &pb.Location{Latitude: l.Latitude, Longitude: l.Longitude, UpdatedAt: toInstant(l.UpdatedAt), IsManual: l.IsManual}
	}
	return out
}

func fromUpdate(u *pb.TrackUpdate) carrier.TrackUpdate {
	out := carrier.TrackUpdate{Number: u.GetNumber(), Reference: u.GetReference(), Unknown: u.GetUnknown(), Events: list(u.GetEvents(), fromEvent),
		Pickup: fromWindow(u.GetPickup()), Delivery: fromWindow(u.GetDelivery()), ActualPickup: fromInstant(u.GetActualPickup()),
		ActualDelivery: fromInstant(u.GetActualDelivery()), TrackingURL: u.GetTrackingUrl(), SignedBy: u.GetSignedBy(), Amount: fromMoney(u.GetAmount()),
		Tip: fromMoney(u.GetTip()), Proofs: list(u.GetProofs(), func(p *pb.Proof) carrier.Proof {
			return carrier.Proof{Type: p.GetType(), URL: p.GetUrl(), ContentType: p.GetContentType()}
		})}
	if d := u.GetDriver(); d != nil {
		out.Driver = &shipping.Driver{Name: d.Name, Phone: d.Phone, Photo: d.Photo}
	}
	if v := u.GetVehicle(); v != nil {
		out.Vehicle = &shipping.Vehicle{Type: v.Type, Color: v.Color, Number: v.Number}
	}
	if l := u.GetLastLocation(); l != nil {
		out.LastLocation = &shipping.Location{Latitude: l.Latitude, Longitude: l.Longitude, UpdatedAt: fromInstant(l.UpdatedAt), IsManual: l.IsManual}
	}
	return out
}

func ToPush(p carrier.Push) *pb.PushRequest {
	header := make(map[string]*pb.HeaderValues, len(p.Header))
	for k, v := range p.Header {
		header[text(k)] = &pb.HeaderValues{Values: texts(v)}
	}
	return &pb.PushRequest{Method: p.Method, Path: text(p.Path), Query: text(p.Query), Header: header, Body: p.Body}
}

func FromPush(p *pb.PushRequest) carrier.Push {
	header := make(http.Header, len(p.GetHeader()))
	for k, v := range p.GetHeader() {
		header[k] = v.GetValues()
	}
	return carrier.Push{Method: p.GetMethod(), Path: p.GetPath(), Query: p.GetQuery(), Header: header, Body: p.GetBody()}
}

func ToPushAnswer(a carrier.PushAnswer) *pb.PushAnswer {
	return &pb.PushAnswer{Updates: list(a.Updates, toUpdate), Status: int32(a.Status), Body: a.Body}
}

func FromPushAnswer(a *pb.PushAnswer) carrier.PushAnswer {
	return carrier.PushAnswer{Updates: list(a.GetUpdates(), fromUpdate), Status: int(a.GetStatus()), Body: a.GetBody()}
}

func ToEditRequest(r carrier.EditRequest) *pb.EditRequest {
	return &pb.EditRequest{Consignment: toConsignment(r.Consignment), CarrierRef: r.CarrierRef, ServiceId: r.ServiceID}
}

func FromEditRequest(r *pb.EditRequest) carrier.EditRequest {
	return carrier.EditRequest{Consignment: fromConsignment(r.GetConsignment()), CarrierRef: r.GetCarrierRef(), ServiceID: r.GetServiceId()}
}

func ToAddressRequest(r carrier.AddressRequest) *pb.AddressRequest {
	return &pb.AddressRequest{Address: toAddress(r.Address)}
}

func FromAddressRequest(r *pb.AddressRequest) carrier.AddressRequest {
	return carrier.AddressRequest{Address: fromAddress(r.GetAddress())}
}

func ToAddressAnswer(a carrier.AddressAnswer) *pb.AddressAnswer {
	return &pb.AddressAnswer{Verdict: text(a.Verdict), Type: text(a.Type), Candidates: list(a.Candidates, toAddress)}
}

func FromAddressAnswer(a *pb.AddressAnswer) carrier.AddressAnswer {
	return carrier.AddressAnswer{Verdict: a.GetVerdict(), Type: a.GetType(), Candidates: list(a.GetCandidates(), fromAddress)}
}

func ToPickupRequest(r carrier.PickupRequest) *pb.PickupRequest {
	return &pb.PickupRequest{At: toStop(r.At), Parcels: int32(r.Parcels), Weight: toWeight(&r.Weight)}
}

func FromPickupRequest(r *pb.PickupRequest) carrier.PickupRequest {
	out := carrier.PickupRequest{At: fromStop(r.GetAt()), Parcels: int(r.GetParcels())}
	if w := fromWeight(r.GetWeight()); w != nil {
		out.Weight = *w
	}
	return out
}

func ToPickup(p carrier.Pickup) *pb.PickupAnswer {
	return &pb.PickupAnswer{Confirmation: text(p.Confirmation), Window: toWindow(p.Window), Amount: toMoney(p.Amount)}
}

func FromPickup(p *pb.PickupAnswer) carrier.Pickup {
	return carrier.Pickup{Confirmation: p.GetConfirmation(), Window: fromWindow(p.GetWindow()), Amount: fromMoney(p.GetAmount())}
}

func ToManifestRequest(r carrier.ManifestRequest) *pb.ManifestRequest {
	return &pb.ManifestRequest{CarrierRefs: texts(r.CarrierRefs)}
}

func FromManifestRequest(r *pb.ManifestRequest) carrier.ManifestRequest {
	return carrier.ManifestRequest{CarrierRefs: r.GetCarrierRefs()}
}

func ToManifestAnswer(a carrier.ManifestAnswer) *pb.ManifestAnswer {
	return &pb.ManifestAnswer{Id: text(a.ID), Document: toLabel(a.Document)}
}

func FromManifestAnswer(a *pb.ManifestAnswer) carrier.ManifestAnswer {
	return carrier.ManifestAnswer{ID: a.GetId(), Document: fromLabel(a.GetDocument())}
}

func ToDocumentRequest(r carrier.DocumentRequest) *pb.DocumentRequest {
	return &pb.DocumentRequest{Reference: r.Reference, CarrierRef: r.CarrierRef, Number: text(r.Number), LabelFormat: string(r.LabelFormat)}
}

func FromDocumentRequest(r *pb.DocumentRequest) carrier.DocumentRequest {
	return carrier.DocumentRequest{Reference: r.GetReference(), CarrierRef: r.GetCarrierRef(), Number: r.GetNumber(), LabelFormat: shipping.LabelFormat(r.GetLabelFormat())}
}
