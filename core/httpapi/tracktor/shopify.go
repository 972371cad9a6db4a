package tracktor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/shop"
	"github.com/waybill-dev/waybill/core/tracker/number"
	"github.com/waybill-dev/waybill/core/usecase"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// What is kept of one fulfilment at most; Shopify's own limits are lower.
const (
	maxText    = 500 // characters of one text
	maxNumbers = 50
	maxItems   = 1000
	maxID      = 200 // bytes of a message's id
)

// shopKey is who a shop's webhooks are in logs and histories: they come without a key.
const shopKey = "shopify"

// shopify takes one webhook of the shop.
func (s *surface) shopify(q *httpapi.Request) (httpapi.Answer, error) {
	t, err := s.tenant(q)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if err := signed(t, q); err != nil {
		return httpapi.Answer{}, err
	}
	topic := q.HTTP.Header.Get("X-Shopify-Topic")
	var d shop.Delivery
	var f shipping.Faults
	switch topic {
	case "orders/create", "orders/updated":
		var b shopifyOrder
		if f, err = httpapi.Decode(q.Body, &b); err != nil {
			return httpapi.Answer{}, err
		}
		d = b.delivery(&f)
	case "fulfillments/create", "fulfillments/update":
		var b shopifyFulfillment
		if f, err = httpapi.Decode(q.Body, &b); err != nil {
			return httpapi.Answer{}, err
		}
		d.Fulfilments = []shop.Fulfilment{b.fulfilment(&f, "")}
	default:
		s.Log.Info("a shop's webhook of another topic was acknowledged and ignored", "tenant", t.ID, "topic", clip(topic))
		return httpapi.Answer{Body: takenBody{Result: "ignored"}}, nil
	}
	if err := invalid(f); err != nil {
		return httpapi.Answer{}, err
	}
	d.ID = messageID(q.HTTP.Header.Get("X-Shopify-Webhook-Id"))
	fresh, err := s.Shop.Take(q.Context(), usecase.Caller{Tenant: t.ID, Key: shopKey}, d)
	if err != nil {
		return httpapi.Answer{}, err
	}
	if !fresh {
		return httpapi.Answer{Body: takenBody{Result: "known"}}, nil
	}
	return httpapi.Answer{Body: takenBody{Result: "taken"}}, nil
}

// takenBody says to the shop what became of its message: taken, known (it came before), or ignored. Shopify looks at the status alone.
type takenBody struct {
	Result string `json:"result"`
}

// signed refuses what the shop has not signed. The signature covers the body as it came, so it is held against that before anything
// of it is read.
func signed(t *config.Tenant, q *httpapi.Request) error {
	secret := t.Tracktor.WebhookSecret.Reveal()
	if secret == "" {
		return usecase.Failf(usecase.Unauthorized, "Unauthorized: nothing is taken from this shop as long as no tracktor.webhook_secret is configured for it.")
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(q.Body)
	given, err := base64.StdEncoding.DecodeString(q.HTTP.Header.Get("X-Shopify-Hmac-Sha256"))
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return usecase.Failf(usecase.Unauthorized, "Unauthorized: X-Shopify-Hmac-Sha256 is not that of this body with the secret that is configured for the shop.")
	}
	return nil
}

// messageID bounds what names a message.
func messageID(s string) string {
	if len(s) <= maxID {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// shopifyOrder is what is read of a Shopify order. Shopify writes null for what there is not.
type shopifyOrder struct {
	ID                int64                `json:"id"`
	Name              string               `json:"name"`
	Email             string               `json:"email"`
	Phone             string               `json:"phone"`
	SourceName        string               `json:"source_name"`
	CreatedAt         string               `json:"created_at"`
	UpdatedAt         string               `json:"updated_at"`
	TotalPrice        price                `json:"total_price"`
	FulfillmentStatus string               `json:"fulfillment_status"`
	Customer          *shopifyCustomer     `json:"customer"`
	LineItems         []jsontext.Value     `json:"line_items"`
	Fulfillments      []shopifyFulfillment `json:"fulfillments"`
}

type shopifyCustomer struct {
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// shopifyFulfillment is what is read of a Shopify fulfillment.
type shopifyFulfillment struct {
	ID              int64         `json:"id"`
	OrderID         int64         `json:"order_id"`
	Name            string        `json:"name"`
	Status          string        `json:"status"` // pending, open, success, cancelled, error, failure
	CreatedAt       string        `json:"created_at"`
	UpdatedAt       string        `json:"updated_at"`
	TrackingCompany string        `json:"tracking_company"`
	TrackingNumber  string        `json:"tracking_number"`
	TrackingNumbers []string      `json:"tracking_numbers"`
	TrackingURL     string        `json:"tracking_url"`
	LineItems       []shopifyItem `json:"line_items"`
}

type shopifyItem struct {
	ID               int64  `json:"id"`
	ProductID        *int64 `json:"product_id"`
	VariantID        *int64 `json:"variant_id"`
	Name             string `json:"name"`
	Quantity         int64  `json:"quantity"`
	RequiresShipping bool   `json:"requires_shipping"`
}

// price is an amount in major units, which Shopify writes as text.
type price struct{ shipping.Decimal }

// UnmarshalJSON reads text, a number or null.
func (p *price) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" || s == "" {
		*p = price{}
		return nil
	}
	d, err := shipping.ParseDecimal(s)
	if err != nil {
		return errors.New("must be an amount such as 409.94")
	}
	p.Decimal = d
	return nil
}

// delivery is what an order's message says, its fulfilments included.
func (b *shopifyOrder) delivery(f *shipping.Faults) shop.Delivery {
	o := &shop.Order{ID: b.ID, Name: clip(b.Name), Email: clip(b.Email), Phone: clip(b.Phone), Source: clip(b.SourceName), Placed: clip(b.CreatedAt),
		Total: b.TotalPrice.Decimal, LineItems: len(b.LineItems), Fulfilled: clip(b.FulfillmentStatus)}
	positive(f, "id", b.ID)
	o.CreatedAt = instant(f, "created_at", b.CreatedAt, false)
	o.UpdatedAt = instant(f, "updated_at", b.UpdatedAt, true)
	if c := b.Customer; c != nil {
		o.FirstName, o.LastName = clip(c.FirstName), clip(c.LastName)
	}
	d := shop.Delivery{Order: o}
	for i := range b.Fulfillments {
		x := &b.Fulfillments[i]
		if x.OrderID == 0 {
			x.OrderID = b.ID
		}
		d.Fulfilments = append(d.Fulfilments, x.fulfilment(f, fmt.Sprintf("fulfillments[%d].", i)))
	}
	return d
}

func (b *shopifyFulfillment) fulfilment(f *shipping.Faults, path string) shop.Fulfilment {
	positive(f, path+"id", b.ID)
	positive(f, path+"order_id", b.OrderID)
	out := shop.Fulfilment{ID: b.ID, OrderID: b.OrderID, Name: clip(b.Name), Company: strings.TrimSpace(clip(b.TrackingCompany)), TrackingURL: link(b.TrackingURL),
		Cancelled: slices.Contains([]string{"cancelled", "error", "failure"}, b.Status),
		CreatedAt: instant(f, path+"created_at", b.CreatedAt, false), UpdatedAt: instant(f, path+"updated_at", b.UpdatedAt, true)}
	for _, n := range append([]string{b.TrackingNumber}, b.TrackingNumbers...) {
		n = strings.TrimSpace(n)
		if usable(n) && !slices.Contains(out.Numbers, n) && len(out.Numbers) < maxNumbers {
			out.Numbers = append(out.Numbers, n)
		}
	}
	for _, x := range b.LineItems[:min(len(b.LineItems), maxItems)] {
		out.Items = append(out.Items, shop.Item{ID: x.ID, ProductID: x.ProductID, VariantID: x.VariantID, Name: clip(x.Name), Quantity: x.Quantity,
			RequiresShipping: x.RequiresShipping})
	}
	return out
}

// usable reports whether a number can be one: people type other things into the field too.
func usable(n string) bool {
	return n != "" && len(n) <= number.MaxLength && !strings.ContainsFunc(n, unicode.IsControl)
}

func positive(f *shipping.Faults, path string, id int64) {
	if id <= 0 {
		f.Add(path, "must be a whole number above 0")
	}
}

// instant reads a time of Shopify's: RFC 3339 with the shop's offset.
func instant(f *shipping.Faults, path, s string, required bool) time.Time {
	if s == "" && !required {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1971 || t.Year() > 2100 {
		f.Add(path, "must be a time such as 2026-03-07T15:30:00-05:00")
		return time.Time{}
	}
	return t.UTC()
}

// link keeps what leads to a web page; anything else is no link for whoever shows it.
func link(s string) string {
	if len(s) > 2048 || !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return ""
	}
	return s
}

// clip cuts what is longer than anybody means.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	if r := []rune(s); len(r) > maxText {
		return string(r[:maxText])
	}
	return s
}
