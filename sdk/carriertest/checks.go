package carriertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/gif"
	"image/png"
	"reflect"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/plugin"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Checks are all promises of the contract that can be checked from outside.
var Checks = slices.Concat([]Check{
	{"manifest_complete", "The manifest names the adapter, its version, services, idempotency and absence, and describes its configuration.", "", checkManifest},
	{"manifest_stable", "The manifest is the same after each start.", "", checkManifestStable},
	{"abilities_answer", "Every advertised ability answers; none is UNSUPPORTED. A return is booked, and cancelled where that can be done; schedule_pickup and close_manifest are not asked, because they cannot be undone.", "", with(checkAbilities)},
	{"config_errors_name_the_member", "A configuration with an unknown member, or without a required one, is CONFIG_INVALID and names the member.", "", checkConfigErrors},
	{"open_without_network", "Open does no network and may be repeated.", "", checkOpen},
	{"credentials_check", "Check succeeds with working credentials.", carrier.CanCheck, with(checkCheck)},
	{"quote_amounts", "A quote has an amount that is not negative in a known currency, a service of the manifest, and charges in the same currency. Free is an amount too.", carrier.CanQuote, with(checkQuote)},
	{"quote_only_asked_services", "A quote for one service answers for no other.", carrier.CanQuote, with(checkQuoteService)},
	{"quote_way_back", "The quote of a way back is what BookReturn then costs, where it says what it costs.", carrier.CanReturn, with(checkQuoteWayBack)},
	{"quote_concurrent", "64 calls at once are answered as one is.", carrier.CanQuote, with(checkConcurrent)},
	{"book_complete", "A booking has a key, a number for each parcel and, where the carrier has labels, labels that are files of their format.", carrier.CanBook, with(checkBook)},
	{"book_twice", "Booking twice under one reference does what the manifest's idempotency says.", carrier.CanBook, with(checkBookTwice)},
	{"find_unknown", "Finding nothing is an empty answer and no error.", carrier.CanFind, with(checkFindUnknown)},
	{"find_booked", "Find answers what was booked under the reference.", carrier.CanFind, with(checkFindBooked)},
	{"cancel_twice", "Cancelling a cancelled booking succeeds.", carrier.CanCancel, with(checkCancelTwice)},
	{"track_unknown", "Track answers for every number it was asked, and sets Unknown for one that the carrier does not know.", carrier.CanTrack, with(checkTrackUnknown)},
	{"no_secret_leaks", "No secret of the configuration stands in exchanges, errors or logs.", "", checkSecrets},
}, faultChecks, processChecks)

var (
	slug    = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	service = regexp.MustCompile(`^[a-z0-9][a-z0-9_]*$`) // carriers sell 2nd_day_air
	version = regexp.MustCompile(`^\d+\.\d+\.\d+`)
)

func checkManifest(ctx context.Context, s Subject) error {
	m, err := s.manifest(ctx)
	if err != nil {
		return err
	}
	var faults []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	wrong(!slug.MatchString(m.Name), "name %q is not [a-z][a-z0-9_]*", m.Name)
	wrong(m.DisplayName == "", "there is no display name")
	wrong(!version.MatchString(m.Version), "version %q is not semantic", m.Version)
	wrong(len(m.Abilities) == 0, "there is no ability")
	wrong(m.Has(carrier.CanBook) && len(m.Services) == 0, "it can book but has no services")
	wrong(m.Has(carrier.CanBook) && !slices.Contains([]carrier.Idempotency{carrier.Native, carrier.ByReference, carrier.NoIdempotency}, m.Idempotency),
		"idempotency %q is not native, by_reference or none", m.Idempotency)
	wrong(m.Has(carrier.CanFind) && m.Absence != carrier.Proven && m.Absence != carrier.Unproven, "absence %q is not proven or unproven", m.Absence)
	seen := map[string]bool{}
	for _, x := range m.Services {
		wrong(!service.MatchString(x.ID), "service id %q is not [a-z0-9][a-z0-9_]*", x.ID)
		wrong(seen[x.ID], "service id %q stands twice", x.ID)
		wrong(x.Name == "", "service %q has no name", x.ID)
		seen[x.ID] = true
	}
	var schema struct {
		Type string `json:"type"`
	}
	wrong(json.Unmarshal(m.ConfigSchema, &schema) != nil || schema.Type != "object", "the configuration's schema is not that of an object")
	return errors.Join(faults...)
}

func checkManifestStable(ctx context.Context, s Subject) error {
	first, err := s.manifest(ctx)
	if err != nil {
		return err
	}
	second, err := s.manifest(ctx)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(first, second) {
		return fmt.Errorf("first start: %+v\nsecond start: %+v", first, second)
	}
	return nil
}

// checkAbilities asks each ability something harmless.
func checkAbilities(ctx context.Context, s Subject, a *plugin.Account) error {
	c := s.consignment()
	now := s.now()
	ask := map[carrier.Ability]func() error{
		carrier.CanCheck:  func() error { return a.Check(ctx) },
		carrier.CanQuote:  func() error { _, err := a.Quote(ctx, carrier.QuoteRequest{Consignment: c}); return err },
		carrier.CanCancel: func() error { _, err := a.Cancel(ctx, carrier.CancelRequest{Reference: c.Reference}); return err },
		carrier.CanFind: func() error {
			_, err := a.Find(ctx, carrier.FindRequest{Reference: c.Reference, From: now.Add(-time.Hour), To: now})
			return err
		},
		carrier.CanTrack: func() error {
			_, err := a.Track(ctx, carrier.TrackRequest{Parcels: []carrier.TrackedParcel{{Number: "0"}}})
			return err
		},
		carrier.CanReceivePush: func() error { _, err := a.ReceivePush(ctx, carrier.Push{Method: "POST"}); return err },
		carrier.CanSubscribePush: func() error {
			_, err := a.SubscribePush(ctx, carrier.SubscribeRequest{Numbers: []string{"0"}, URL: "https://engine.example/carriers/a/push/secret"})
			return err
		},
		carrier.CanEdit: func() error { _, err := a.Edit(ctx, carrier.EditRequest{Consignment: c}); return err },
		carrier.CanValidateAddress: func() error {
			_, err := a.ValidateAddress(ctx, carrier.AddressRequest{Address: c.Delivery.Address})
			return err
		},
		carrier.CanProvideDocument: func() error { _, err := a.Document(ctx, carrier.DocumentRequest{Reference: c.Reference}); return err },
		carrier.CanReturn:          func() error { return s.bookReturn(ctx, a) },
	}
	var faults []error
	for ability, f := range ask {
		if !a.Process().Manifest().Has(ability) {
			continue
		}
		e := carrier.AsError(f())
		if e != nil && slices.Contains([]carrier.Code{carrier.Unsupported, carrier.Internal, carrier.AdapterPanic, carrier.AdapterDied}, e.Code) {
			faults = append(faults, fmt.Errorf("%s is advertised and answers %w", ability, e))
		}
	}
	return errors.Join(faults...)
}

// bookReturn books the way back with the service that was quoted first, and cancels it again.
func (s Subject) bookReturn(ctx context.Context, a *plugin.Account) error {
	_, _, err := s.wayBack(ctx, a)
	return err
}

// wayBack is bookReturn, and answers what was quoted and booked.
func (s Subject) wayBack(ctx context.Context, a *plugin.Account) (carrier.BookRequest, carrier.Booking, error) {
	r, err := s.quoteFor(ctx, a, true)
	if err != nil {
		return r, carrier.Booking{}, err
	}
	b, err := a.BookReturn(ctx, r)
	if err != nil || !a.Process().Manifest().Has(carrier.CanCancel) {
		return r, b, err
	}
	_, err = a.Cancel(ctx, carrier.CancelRequest{Reference: r.Reference, CarrierRef: b.CarrierRef, TrackingID: b.TrackingID, ServiceID: r.ServiceID, Reason: "test"})
	return r, b, err
}

func checkQuoteWayBack(ctx context.Context, s Subject, a *plugin.Account) error {
	if !a.Process().Manifest().Has(carrier.CanQuote) {
		return skip{"the adapter cannot quote"}
	}
	r, b, err := s.wayBack(ctx, a)
	if err != nil {
		return err
	}
	if b.Amount.Currency != "" && b.Amount != r.Quoted {
		return fmt.Errorf("%s was quoted at %s, and booked for %s", r.ServiceID, r.Quoted, b.Amount)
	}
	return nil
}

func checkConfigErrors(ctx context.Context, s Subject) error {
	p, err := s.Start(ctx, hclog.NewNullLogger())
	if err != nil {
		return err
	}
	defer stop(p)
	var schema struct {
		Required []string `json:"required"`
	}
	if err := json.Unmarshal(p.Manifest().ConfigSchema, &schema); err != nil {
		return fmt.Errorf("the configuration's schema: %w", err)
	}
	refused := func(member string, value any) error {
		config, err := s.withConfig(member, value)
		if err != nil {
			return err
		}
		_, err = p.Open(ctx, plugin.OpenRequest{AccountID: "faulty", Config: config})
		if e := carrier.AsError(err); e == nil || e.Code != carrier.ConfigInvalid || e.Source != carrier.SourceConfig || e.Field != member {
			return fmt.Errorf("configuration with %s = %v: got %v; want CONFIG_INVALID, source config, field %q", member, value, err, member)
		}
		return nil
	}
	faults := []error{refused("not_a_member_of_this", 1)}
	for _, member := range schema.Required {
		faults = append(faults, refused(member, nil))
	}
	return errors.Join(faults...)
}

func checkOpen(ctx context.Context, s Subject) error {
	if s.Fake.Requests == nil {
		return skip{"the fake carrier does not count requests"}
	}
	p, err := s.Start(ctx, hclog.NewNullLogger())
	if err != nil {
		return err
	}
	defer stop(p)
	before := s.Fake.Requests()
	for range 2 {
		if _, err := p.Open(ctx, plugin.OpenRequest{AccountID: "test", Config: s.Config}); err != nil {
			return fmt.Errorf("open: %w", err)
		}
	}
	if n := s.Fake.Requests() - before; n != 0 {
		return fmt.Errorf("opening the account twice made %d requests to the carrier", n)
	}
	return nil
}

func checkCheck(ctx context.Context, _ Subject, a *plugin.Account) error { return a.Check(ctx) }

func checkQuote(ctx context.Context, s Subject, a *plugin.Account) error {
	answer, err := a.Quote(ctx, carrier.QuoteRequest{Consignment: s.consignment()})
	if err != nil {
		return err
	}
	if len(answer.Quotes) == 0 {
		return fmt.Errorf("no quote for the sample consignment; refusals: %v", answer.Refusals)
	}
	var faults []error
	for _, q := range answer.Quotes {
		if _, ok := a.Process().Manifest().Service(q.ServiceID); !ok {
			faults = append(faults, fmt.Errorf("service %q is not in the manifest", q.ServiceID))
		}
		if _, ok := shipping.CurrencyDigits(q.Amount.Currency); !ok || q.Amount.Minor < 0 {
			faults = append(faults, fmt.Errorf("service %s: amount %d %q is not an amount of zero or more in a known currency", q.ServiceID, q.Amount.Minor, q.Amount.Currency))
		}
		for _, c := range q.Charges {
			if c.Amount.Currency != q.Amount.Currency {
				faults = append(faults, fmt.Errorf("service %s: charge %s is in %q, the quote in %q", q.ServiceID, c.Code, c.Amount.Currency, q.Amount.Currency))
			}
		}
		if !q.Expires.IsZero() && q.Expires.Before(s.now()) {
			faults = append(faults, fmt.Errorf("service %s: the quote expired at %s, before it was given", q.ServiceID, q.Expires.UTC()))
		}
	}
	return errors.Join(faults...)
}

func checkQuoteService(ctx context.Context, s Subject, a *plugin.Account) error {
	r, err := s.quote(ctx, a)
	if err != nil {
		return err
	}
	answer, err := a.Quote(ctx, carrier.QuoteRequest{Consignment: s.consignment(), Services: []string{r.ServiceID}})
	if err != nil {
		return err
	}
	if len(answer.Quotes) != 1 || answer.Quotes[0].ServiceID != r.ServiceID {
		return fmt.Errorf("asked for %s, got %d quotes: %v", r.ServiceID, len(answer.Quotes), answer.Quotes)
	}
	return nil
}

func checkConcurrent(ctx context.Context, s Subject, a *plugin.Account) error {
	var wg sync.WaitGroup
	faults := make([]error, 64)
	for i := range faults {
		wg.Go(func() { _, faults[i] = s.quote(ctx, a) })
	}
	wg.Wait()
	return errors.Join(faults...)
}

func checkBook(ctx context.Context, s Subject, a *plugin.Account) error {
	r, b, err := s.book(ctx, a)
	if err != nil {
		return err
	}
	var faults []error
	if b.CarrierRef == "" {
		faults = append(faults, errors.New("the booking has no carrier reference to cancel it by"))
	}
	if len(b.Parcels) != len(r.Parcels) {
		faults = append(faults, fmt.Errorf("%d parcels were booked and %d asked for", len(b.Parcels), len(r.Parcels)))
	}
	if b.Amount.Minor < 0 || (b.Amount.Currency == "" && b.Amount.Minor != 0) {
		faults = append(faults, fmt.Errorf("amount %d %q", b.Amount.Minor, b.Amount.Currency))
	}
	m := a.Process().Manifest()
	for i, p := range b.Parcels {
		switch {
		case p.Label != nil:
			faults = append(faults, isFile(*p.Label))
		case len(m.LabelFormats) > 0 && !m.Has(carrier.CanProvideDocument):
			faults = append(faults, fmt.Errorf("parcel %d has no label, and there is no ability to fetch it", i))
		}
	}
	return errors.Join(faults...)
}

// isFile reports whether a label's bytes are a file of its format.
func isFile(l shipping.Label) error {
	var err error
	trimmed := bytes.TrimSpace(l.Data)
	framed := func(start, end string) {
		if !bytes.HasPrefix(trimmed, []byte(start)) || !bytes.HasSuffix(trimmed, []byte(end)) {
			err = fmt.Errorf("it does not begin with %q and end with %q", start, end)
		}
	}
	switch l.Format {
	case shipping.GIF:
		_, err = gif.Decode(bytes.NewReader(l.Data))
	case shipping.PNG:
		_, err = png.Decode(bytes.NewReader(l.Data))
	case shipping.PDF:
		framed("%PDF-", "%%EOF")
	case shipping.ZPL:
		framed("^XA", "^XZ")
	case shipping.EPL:
		if !bytes.HasPrefix(trimmed, []byte("N")) || !bytes.Contains(trimmed, []byte("\nP")) {
			err = errors.New(`it does not begin with "N" and print with "P"`)
		}
	default:
		err = errors.New("the format is not one of GIF, PNG, ZPL, EPL, PDF")
	}
	if err != nil {
		return fmt.Errorf("label of %d bytes is no %s file: %w", len(l.Data), l.Format, err)
	}
	return nil
}

func checkBookTwice(ctx context.Context, s Subject, a *plugin.Account) error {
	idempotency := a.Process().Manifest().Idempotency
	if idempotency == carrier.NoIdempotency {
		return skip{"the manifest promises nothing for a second booking"}
	}
	r, first, err := s.book(ctx, a)
	if err != nil {
		return err
	}
	second, err := a.Book(ctx, r)
	switch e := carrier.AsError(err); {
	case e == nil && second.CarrierRef != first.CarrierRef:
		return fmt.Errorf("the second booking is %q, the first %q: the carrier booked twice", second.CarrierRef, first.CarrierRef)
	case e != nil && idempotency == carrier.Native:
		return fmt.Errorf("idempotency is native, and the second booking failed: %w", e)
	case e != nil && e.Effect != carrier.EffectNone:
		return fmt.Errorf("the refusal of the second booking has effect %s: %w", e.Effect, e)
	}
	if s.Fake.Bookings != nil {
		if n := s.Fake.Bookings(r.Reference); n != 1 {
			return fmt.Errorf("the carrier has %d bookings under the reference, want 1", n)
		}
	}
	return nil
}

func checkFindUnknown(ctx context.Context, s Subject, a *plugin.Account) error {
	found, err := a.Find(ctx, carrier.FindRequest{Reference: NewReference(), From: s.now().Add(-time.Hour), To: s.now()})
	if err != nil || len(found) != 0 {
		return fmt.Errorf("got %d bookings and error %v", len(found), err)
	}
	return nil
}

func checkFindBooked(ctx context.Context, s Subject, a *plugin.Account) error {
	if !a.Process().Manifest().Has(carrier.CanBook) {
		return skip{"the adapter cannot book"}
	}
	r, b, err := s.book(ctx, a)
	if err != nil {
		return err
	}
	return s.found(ctx, a, r, b.CarrierRef)
}

// found checks that exactly one booking is found; ref "" takes any.
func (s Subject) found(ctx context.Context, a *plugin.Account, r carrier.BookRequest, ref string) error {
	found, err := a.Find(ctx, carrier.FindRequest{Reference: r.Reference, From: s.now().Add(-time.Hour), To: s.now().Add(time.Hour), LabelFormat: r.LabelFormat})
	switch {
	case err != nil:
		return fmt.Errorf("find: %w", err)
	case len(found) != 1:
		return fmt.Errorf("%d bookings were found, want 1", len(found))
	case found[0].CarrierRef == "" || (ref != "" && found[0].CarrierRef != ref):
		return fmt.Errorf("found carrier reference %q, want %q", found[0].CarrierRef, ref)
	}
	return nil
}

func checkCancelTwice(ctx context.Context, s Subject, a *plugin.Account) error {
	if !a.Process().Manifest().Has(carrier.CanBook) {
		return skip{"the adapter cannot book"}
	}
	r, b, err := s.book(ctx, a)
	if err != nil {
		return err
	}
	cancel := carrier.CancelRequest{Reference: r.Reference, CarrierRef: b.CarrierRef, TrackingID: b.TrackingID, ServiceID: r.ServiceID, Reason: "test"}
	for _, which := range []string{"first", "second"} {
		if _, err := a.Cancel(ctx, cancel); err != nil {
			return fmt.Errorf("%s cancel: %w", which, err)
		}
	}
	return nil
}

func checkTrackUnknown(ctx context.Context, _ Subject, a *plugin.Account) error {
	numbers := []string{"1Z0000000000000001", "1Z0000000000000002"}
	var r carrier.TrackRequest
	for _, n := range numbers {
		r.Parcels = append(r.Parcels, carrier.TrackedParcel{Number: n})
	}
	updates, err := a.Track(ctx, r)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		i := slices.IndexFunc(updates, func(u carrier.TrackUpdate) bool { return u.Number == n })
		if i < 0 || !updates[i].Unknown {
			return fmt.Errorf("asked for %v, which nobody has sent, got %+v", numbers, updates)
		}
	}
	return nil
}
