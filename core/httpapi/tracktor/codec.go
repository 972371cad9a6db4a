package tracktor

import (
	"cmp"
	"time"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/httpapi/shape"
	"github.com/waybill-dev/waybill/core/shop"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// orderBody has the attributes of an order as Tracktor publishes them.
type orderBody struct {
	OrderID           int64             `json:"order_id"`
	OrderName         string            `json:"order_name"`
	OrderEmail        string            `json:"order_email"`
	OrderPhone        string            `json:"order_phone"`
	OrderSourceName   string            `json:"order_source_name"`
	OrderCreatedAt    string            `json:"order_created_at"`
	CustomerFirstName string            `json:"customer_first_name"`
	CustomerLastName  string            `json:"customer_last_name"`
	CustomerFullName  string            `json:"customer_full_name"`
	TotalPrice        shipping.Decimal  `json:"total_price"`
	LineItemCount     int               `json:"line_item_count"`
	Statuses          []string          `json:"statuses"`
	ExceptionStatuses []string          `json:"exception_statuses"`
	DaysSinceOrdered  int               `json:"days_since_ordered"`
	Automatic         bool              `json:"automatic_carrier_updates"`
	Fulfillments      []fulfillmentBody `json:"fulfillments"`
}

// fulfillmentBody has the attributes of a fulfilment as Tracktor publishes them.
type fulfillmentBody struct {
	ShopURL           string       `json:"shop_url"`
	OrderID           int64        `json:"order_id"`
	OrderName         string       `json:"order_name"`
	ShopifyCarrier    string       `json:"shopify_carrier"`
	Carrier           carrierBody  `json:"carrier"`
	TrackingNumber    string       `json:"tracking_number"`
	TrackingNumbers   []string     `json:"tracking_numbers"` // ours: a fulfilment may have several parcels
	FulfillmentID     int64        `json:"fulfillment_id"`
	FulfillmentStatus *string      `json:"fulfillment_status"`
	ShipmentStatus    string       `json:"shipment_status"`
	ExceptionStatus   *string      `json:"exception_status"`
	IsAutomatic       bool         `json:"is_automatic"`
	LineItems         []shop.Item  `json:"line_items"`
	LatestStatus      latestBody   `json:"latest_status"`
	Status            []statusBody `json:"status"`
}

// Of what follows Tracktor names slug and name of a carrier; the rest is ours.
type (
	carrierBody struct {
		Slug        string  `json:"slug"`
		Name        string  `json:"name"`
		Website     *string `json:"website"`
		TrackingURL *string `json:"tracking_url"`
	}
	latestBody struct {
		Status      string  `json:"status"`
		Label       string  `json:"label"`
		Message     *string `json:"message"`
		Location    *string `json:"location"`
		OccurredAt  string  `json:"occurred_at"`
		CarrierTime *string `json:"carrier_time"`
		IsException bool    `json:"is_exception"`
	}
	statusBody struct {
		Key         string  `json:"key"`
		Label       string  `json:"label"`
		Position    int     `json:"position"`
		Completed   bool    `json:"completed"`
		CompletedAt *string `json:"completed_at"`
	}
	optionBody struct {
		Key      string `json:"key"`
		Label    string `json:"label"`
		Position int    `json:"position"`
		IsCustom bool   `json:"is_custom"`
	}
	// updateBody sets where an order is.
	updateBody struct {
		Status        string `json:"status"`
		FulfillmentID int64  `json:"fulfillment_id"`
		IsAutomatic   *bool  `json:"is_automatic"`
	}
	// webhookRequest asks for a webhook.
	webhookRequest struct {
		Topic   string `json:"topic"`
		Address string `json:"address"`
	}
	webhookBody struct {
		ID          string `json:"id"`
		Topic       string `json:"topic"`
		Address     string `json:"address"`
		CreatedAt   string `json:"created_at"`
		BearerToken string `json:"bearer_token,omitempty"` // at its creation only
	}
	deletedBody struct {
		Success bool `json:"success"`
	}
	// webhookExtra is what a subscription keeps of a webhook.
	webhookExtra struct {
		Topic string `json:"topic"`
	}
	errorBody struct {
		Error errorInside `json:"error"`
	}
	errorInside struct {
		Code      string      `json:"code"`
		Message   string      `json:"message"`
		Details   []errorItem `json:"details"` // each fault of a body
		RequestID string      `json:"request_id"`
	}
	errorItem struct {
		Parameter string `json:"parameter"`
		Message   string `json:"message"`
	}
)

func showOrder(v shop.OrderView) orderBody {
	b := orderBody{OrderID: v.ID, OrderName: v.Name, OrderEmail: v.Email, OrderPhone: v.Phone, OrderSourceName: v.Source, OrderCreatedAt: v.Placed,
		CustomerFirstName: v.FirstName, CustomerLastName: v.LastName, CustomerFullName: customerName(v.FirstName, v.LastName), TotalPrice: v.Total, LineItemCount: v.LineItems,
		Statuses: []string{}, ExceptionStatuses: []string{}, DaysSinceOrdered: v.Days, Automatic: v.Automatic, Fulfillments: []fulfillmentBody{}}
	if b.TotalPrice.IsZero() {
		b.TotalPrice = shipping.MustDecimal("0")
	}
	for _, f := range v.Fulfilments {
		b.Fulfillments = append(b.Fulfillments, showFulfillment(f))
		b.Statuses = append(b.Statuses, f.Status)
		if f.Exception != "" {
			b.ExceptionStatuses = append(b.ExceptionStatuses, f.Exception)
		}
	}
	return b
}

func showFulfillment(v shop.FulfilmentView) fulfillmentBody {
	b := fulfillmentBody{ShopURL: v.ShopURL, OrderID: v.OrderID, OrderName: v.OrderName, ShopifyCarrier: v.Company,
		Carrier:        carrierBody{Slug: v.Carrier.Slug, Name: v.Carrier.Name, Website: shape.Text(v.Carrier.Website), TrackingURL: shape.Text(v.Carrier.TrackingURL)},
		TrackingNumber: v.Number, TrackingNumbers: v.Numbers, FulfillmentID: v.ID, FulfillmentStatus: shape.Text(v.Fulfilled), ShipmentStatus: v.Status,
		ExceptionStatus: shape.Text(v.Exception), IsAutomatic: v.Automatic, LineItems: v.Items,
		LatestStatus: latestBody{Status: v.Latest.Status, Label: v.Latest.Label, Message: shape.Text(v.Latest.Message), Location: shape.Text(v.Latest.Location),
			OccurredAt: stamp(v.Latest.At), CarrierTime: shape.Text(v.Latest.CarrierTime), IsException: v.Latest.IsException}}
	if b.LineItems == nil {
		b.LineItems = []shop.Item{}
	}
	if b.TrackingNumbers == nil {
		b.TrackingNumbers = []string{}
	}
	for _, s := range v.Steps {
		step := statusBody{Key: s.Key, Label: s.Label, Position: s.Position, Completed: s.Completed}
		if !s.At.IsZero() {
			at := stamp(s.At)
			step.CompletedAt = &at
		}
		b.Status = append(b.Status, step)
	}
	return b
}

func showOptions(list []config.TracktorStatus, custom func(key string) bool) []optionBody {
	out := []optionBody{}
	for _, s := range list {
		out = append(out, optionBody{Key: s.Key, Label: s.Label, Position: s.Position, IsCustom: custom(s.Key)})
	}
	return out
}

func showWebhook(sub *store.Subscription, topic string) webhookBody {
	return webhookBody{ID: sub.ID, Topic: topic, Address: sub.URL, CreatedAt: stamp(sub.CreatedAt)}
}

func showError(e httpapi.ErrorBody) any {
	b := errorBody{Error: errorInside{Code: e.Type, Message: e.Message, Details: []errorItem{}, RequestID: e.RequestID}}
	for _, item := range e.Errors {
		if item.Parameter != "" {
			b.Error.Details = append(b.Error.Details, errorItem{Parameter: item.Parameter, Message: item.Message})
		}
	}
	return b
}

// stamp is RFC 3339 in UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// customerName is a name of both parts, whichever there are.
func customerName(first, last string) string {
	if first == "" || last == "" {
		return cmp.Or(first, last)
	}
	return first + " " + last
}
