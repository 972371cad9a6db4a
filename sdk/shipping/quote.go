package shipping

// Quote is what a carrier asks for one service, and what it promises.
type Quote struct {
	ServiceID   string `json:"serviceId"`             // the manifest's slug: "next_day_air"
	ServiceCode string `json:"serviceCode,omitempty"` // the carrier's own code: "01"
	ServiceType string `json:"serviceType"`           // for people: "Next Day Air", "Delivery"
	Mode        string `json:"mode,omitempty"`        // ground, air, courier, …
	Vehicle     string `json:"vehicle,omitempty"`     // foot, bike, scooter, car, van, truck; to rules any other is unknown

	Amount  Money    `json:"amount"` // what the carrier asks, all charges and taxes included
	Tax     Money    `json:"tax,omitzero"`
	Charges []Charge `json:"charges,omitempty"`

	Pickup      TimeWindow `json:"pickup,omitzero"`   // estimated
	Delivery    TimeWindow `json:"delivery,omitzero"` // estimated
	TransitDays int        `json:"transitDays,omitempty"`
	Guaranteed  bool       `json:"guaranteed,omitempty"`
	// DistanceMetres is 0 where the carrier does not say.
	DistanceMetres int64 `json:"distanceMetres,omitempty"`

	// Expires is zero where the quote does not expire. Token is opaque and comes back at Book.
	Expires Instant `json:"expires,omitzero"`
	Token   []byte  `json:"token,omitempty"`

	Warnings []string `json:"warnings,omitempty"`
}

// Charge is one line of what a quote or booking is made of.
type Charge struct {
	Code   string `json:"code"`
	Name   string `json:"name,omitempty"`
	Amount Money  `json:"amount"`
}

// Refusal is a service that a carrier will not do for this consignment, and why, in a code and the carrier's words. An order that is refused
// with OUT_OF_ZONE, TOO_FAR, TOO_HEAVY, TOO_LARGE, NOT_SUPPORTED or DISTANCE_UNKNOWN alone is not tried again later: waiting changes none
// of these.
type Refusal struct {
	ServiceID string `json:"serviceId,omitempty"` // "" for all services
	Code      string `json:"code"`                // OUT_OF_ZONE, TOO_HEAVY, …
	Message   string `json:"message"`
}

// LabelFormat is the kind of file that a label is.
type LabelFormat string

// The label formats, with their content types.
const (
	GIF LabelFormat = "GIF"
	PNG LabelFormat = "PNG"
	ZPL LabelFormat = "ZPL"
	EPL LabelFormat = "EPL"
	PDF LabelFormat = "PDF"
)

// ContentType returns the MIME type to serve a label of this format with.
func (f LabelFormat) ContentType() string {
	switch f {
	case GIF:
		return "image/gif"
	case PNG:
		return "image/png"
	case PDF:
		return "application/pdf"
	case ZPL, EPL:
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// Label is the file to stick on one parcel.
type Label struct {
	Format LabelFormat `json:"format"`
	Data   []byte      `json:"data,omitempty"`
}

// Signatures lists what an order may ask for; others are kept, with a warning.
var Signatures = []string{"not_required", "required", "direct", "adult"}
