package notify

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/core/tracker"
)

// The shapes that subscriptions may have. A surface whose JSON is its own registers its shape in Settings.Shapes.
const (
	ShapeWaybill           = "waybill"            // ours
	ShapeDeliverySolutions = "delivery_solutions" // the order webhook of Delivery Solutions
	ShapeShip24            = "ship24"             // trackings with their new events
	ShapeTracktor          = "tracktor"           // fulfilments and orders of a shop
)

// topicsOf are the topics that a shape can tell, as subscriptions name them, and the empty list for all. A subscription needs one of
// them, or it would never be told anything. The message on request is sent whatever the topics are.
var topicsOf = map[string][]string{
	ShapeDeliverySolutions: {"shipment.*", TopicCommunication},
	ShapeShip24:            {"tracker.*"},
	ShapeTracktor:          {"tracker.*"},
}

// tellable reports whether a pattern of a subscription takes in something of what the patterns in words do.
func tellable(pattern string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		return wanted([]string{w}, pattern) || wanted([]string{pattern}, w)
	})
}

// Snapshot is the body of a store.Message: what the subject was when it happened, so that a message reads the same whenever it is
// delivered. One of Shipment, Tracker and Data is set.
type Snapshot struct {
	Shipment *shipment.Shipment `json:"shipment,omitempty"`
	Change   *shipment.Change   `json:"change,omitempty"` // of Shipment: the line of history that is told
	Tracker  *tracker.Tracker   `json:"tracker,omitempty"`
	Entered  []tracker.Event    `json:"entered,omitempty"` // of Tracker: the events that have just entered
	Data     json.RawMessage    `json:"data,omitempty"`    // of other topics
	// Back are the returns of the shipment or tracker as they were then, oldest first. Messages of earlier versions have none.
	Back []*shipment.Shipment `json:"back,omitempty"`
}

// Told is a message on its way to one subscription.
type Told struct {
	Tenant       *config.Tenant
	Subscription *store.Subscription
	Message      store.Message
	Snapshot     Snapshot
	// Back are the returns of what the snapshot shows, oldest first, as they were then, but without words of people where they are erased by now.
	Back []*shipment.Shipment
}

// Rendered is the request that tells it, beside what all requests have: Content-Type, User-Agent and, where Signed, the headers of
// Standard Webhooks.
type Rendered struct {
	Header http.Header
	Body   []byte
	Signed bool
}

// Shape words a message in the JSON of a surface. The same message must give the same bytes each time. ok is false where the shape
// has no words for the message; it then counts as told.
type Shape func(t Told) (r Rendered, ok bool, err error)
