package notify

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

//go:embed words/*.yaml
var wordFiles embed.FS

// templates are the built-in words, by locale and status.
type templates map[string]map[string]config.AlertTemplate

func builtIn() (templates, error) {
	out := templates{}
	files, err := wordFiles.ReadDir("words")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		raw, err := wordFiles.ReadFile(path.Join("words", f.Name()))
		if err != nil {
			return nil, err
		}
		var list map[string]config.AlertTemplate
		if err := yaml.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("built-in words %s: %w", f.Name(), err)
		}
		out[strings.TrimSuffix(f.Name(), ".yaml")] = list
	}
	return out, nil
}

// of returns the words about what happened to a buyer's order in the best language that there is: the order's, its main language, the
// tenant's, English; own words before built-in ones. A return has words of its own, and what has none is not told.
func (t templates) of(a config.Alerts, b buyer) (config.AlertTemplate, bool) {
	key, locale := string(b.status), b.locale
	if b.wayBack {
		key = config.ReturnTemplate + key
	}
	var tried []string
	for _, l := range []string{locale, a.Locale, "en"} {
		l = strings.ReplaceAll(l, "_", "-")
		main, _, _ := strings.Cut(l, "-")
		tried = append(tried, l, strings.ToLower(main))
	}
	for _, l := range tried {
		for _, from := range []map[string]map[string]config.AlertTemplate{a.Templates, t} {
			if words, ok := from[l][key]; ok {
				return words, true
			}
		}
	}
	return config.AlertTemplate{}, false
}

// alertWords is what templates may use.
type alertWords struct {
	Shop, Order, Name, Status, Provider   string
	TrackingNumber, TrackingURL, Estimate string
}

// fill fills a template in.
func fill(text string, funcs template.FuncMap, with any) (string, error) {
	t, err := template.New("").Option("missingkey=error").Funcs(funcs).Parse(text)
	if err != nil {
		return "", fmt.Errorf("a template cannot be read: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, with); err != nil {
		return "", fmt.Errorf("a template cannot be filled in: %w", err)
	}
	return b.String(), nil
}

// quoting are the functions of a gateway's body.
var quoting = template.FuncMap{
	"json": func(s string) (string, error) {
		b, err := json.Marshal(s)
		return string(b), err
	},
	"query": url.QueryEscape,
}

// oneLine keeps line breaks out of a header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
}

// buyer is who is told about a shipment or tracker, and what.
type buyer struct {
	contact shipping.Contact
	locale  string
	status  shipping.Status
	wayBack bool // it is a return
	words   alertWords
	event   dsEvent
}

// buyerOf finds the buyer in a message; ok is false where there is none to be told: the news is late, or of no status.
func (s *Service) buyerOf(t Told) (b buyer, ok bool) {
	switch snap := t.Snapshot; {
	case snap.Shipment != nil && snap.Change != nil && !snap.Change.Late:
		return s.buyerOfShipment(t, snap.Shipment, *snap.Change), true
	case snap.Tracker != nil && snap.Tracker.Order != nil && len(snap.Entered) > 0:
		last := snap.Entered[len(snap.Entered)-1]
		if last.Late || last.Status == "" {
			return b, false
		}
		return s.buyerOfTracker(t, last.Status), true
	}
	return b, false
}

func (s *Service) buyerOfShipment(t Told, sh *shipment.Shipment, c shipment.Change) buyer {
	d := dsOrderOf(sh, &c, s.shipmentPage(sh))
	b := orderBuyer(t, &sh.Order, sh.Buyer(), c.Status, sh.Progress, sh.Pickup.Zone)
	b.wayBack = sh.ReturnOf != nil
	b.event.Note, b.event.StatusUser, b.event.ReceivedAt = c.Note, c.User, clock.Millis(c.At)
	b.event.OrderID, b.event.StoreExternalID = string(sh.ID), sh.Order.LocationID
	b.event.Provider, b.event.TrackingNumber, b.event.Amount = d.Provider, d.TrackingNumber, d.Amount
	b.event.PickupInstructions = d.PickupInstructions
	b.lead(d.ReferenceLinks.CustomerWebflowURL, d.ProviderTrackingURL)
	if d.Provider != nil {
		b.words.Provider = *d.Provider
	}
	if d.TrackingNumber != nil {
		b.words.TrackingNumber = *d.TrackingNumber
	}
	return b
}

func (s *Service) buyerOfTracker(t Told, status shipping.Status) buyer {
	tr := t.Snapshot.Tracker
	last := t.Snapshot.Entered[len(t.Snapshot.Entered)-1]
	b := orderBuyer(t, tr.Order, tr.Order.DeliveryContact, status, tr.Progress, tr.Zone)
	b.words.Provider, b.words.TrackingNumber = tr.Provider, tr.Number
	b.event.Note, b.event.StatusUser, b.event.ReceivedAt = last.CarrierWords, last.User, clock.Millis(last.Received)
	b.event.OrderID, b.event.StoreExternalID = string(tr.ID), tr.Order.LocationID
	b.event.Provider, b.event.TrackingNumber = orNull(tr.Provider), orNull(tr.Number)
	b.lead(s.trackerPage(tr), orNull(tr.TrackingURL))
	return b
}

// lead sets where the message leads: to the tenant's page where it has one, else to the carrier's.
func (b *buyer) lead(page, carriers *string) {
	b.event.CustomerWebflowURL, b.event.ProviderTrackingURL, b.event.TrackingURL = page, carriers, either(page, carriers)
	if b.event.TrackingURL != nil {
		b.words.TrackingURL = *b.event.TrackingURL
	}
}

// orderBuyer is what shipments and trackers have in common.
func orderBuyer(t Told, o *shipment.Order, contact shipping.Contact, status shipping.Status, p shipment.Progress, zone string) buyer {
	b := buyer{contact: contact, status: status}
	if o.Locale != nil {
		b.locale = *o.Locale
	}
	shop := t.Tenant.Name
	if shop == "" {
		shop = t.Tenant.ID
	}
	b.words = alertWords{Shop: shop, Order: o.ExternalID, Name: contact.Name, Status: string(status), Estimate: inZone(p.EstimatedDelivery, zone)}
	b.event = dsEvent{Event: "event." + strings.ToLower(string(status)), Status: status, OrderExternalID: o.ExternalID, GroupID: o.GroupID, TenantID: t.Tenant.ID,
		OrderAttributes: o.Attributes, Attachments: orEmpty(p.Proofs), Driver: p.Driver, Vehicle: p.Vehicle, LastLocation: p.LastLocation,
		EstimatedPickupTime: p.EstimatedPickup.StartsAt, EstimatedDeliveryTime: p.EstimatedDelivery.EndsAt, DeliveryContact: o.DeliveryContact}
	if b.event.OrderAttributes == nil {
		b.event.OrderAttributes = map[string]any{}
	}
	if o.DeliveryInstructions != nil {
		b.event.DeliveryInstructions = *o.DeliveryInstructions
	}
	return b
}

// alertTopics are the statuses of a medium as topics.
func alertTopics(statuses []string) []string {
	var out []string
	for _, s := range statuses {
		out = append(out, topicOf("shipment", shipping.Status(s)), topicOf("tracker", shipping.Status(s)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
