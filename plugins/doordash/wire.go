package main

import (
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// order is the body of a quote and of a delivery made without one. Money is in cents, lengths in
// inches, weights in pounds, volumes in cubic feet.
type order struct {
	ExternalDeliveryID string `json:"external_delivery_id,omitempty"`
	Locale             string `json:"locale,omitempty"`
	FulfillmentMethod  string `json:"order_fulfillment_method,omitempty"`

	PickupAddress      string `json:"pickup_address,omitempty"`
	PickupBusinessName string `json:"pickup_business_name,omitempty"`
	PickupPhone        string `json:"pickup_phone_number,omitempty"`
	PickupInstructions string `json:"pickup_instructions,omitempty"`
	PickupReferenceTag string `json:"pickup_reference_tag,omitempty"`
	PickupBusinessID   string `json:"pickup_external_business_id,omitempty"`
	PickupStoreID      string `json:"pickup_external_store_id,omitempty"`

	DropoffAddress      string             `json:"dropoff_address,omitempty"`
	DropoffComponents   *addressComponents `json:"dropoff_address_components,omitempty"`
	DropoffLocation     *location          `json:"dropoff_location,omitempty"`
	DropoffBusinessName string             `json:"dropoff_business_name,omitempty"`
	DropoffPhone        string             `json:"dropoff_phone_number,omitempty"`
	DropoffInstructions string             `json:"dropoff_instructions,omitempty"`
	DropoffGivenName    string             `json:"dropoff_contact_given_name,omitempty"`
	DropoffFamilyName   string             `json:"dropoff_contact_family_name,omitempty"`
	DropoffNotify       *bool              `json:"dropoff_contact_send_notifications,omitempty"`
	DropoffOptions      *dropoffOptions    `json:"dropoff_options,omitempty"`
	Contactless         *bool              `json:"contactless_dropoff,omitempty"`

	OrderValue    *int64         `json:"order_value,omitempty"`
	Tip           int64          `json:"tip,omitzero"`
	Items         []item         `json:"items,omitempty"`
	Contains      *orderContains `json:"order_contains,omitempty"`
	PickupTime    string         `json:"pickup_time,omitempty"`
	DropoffTime   string         `json:"dropoff_time,omitempty"`
	Undeliverable string         `json:"action_if_undeliverable,omitempty"`
	Vehicles      []string       `json:"dasher_allowed_vehicles,omitempty"`
}

type addressComponents struct {
	Street     string `json:"street_address"`
	SubPremise string `json:"sub_premise,omitempty"`
	City       string `json:"city"`
	State      string `json:"state,omitempty"`
	Zip        string `json:"zip_code,omitempty"`
	Country    string `json:"country"`
}

type location struct {
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
}

type dropoffOptions struct {
	Signature string `json:"signature,omitempty"`
	ID        string `json:"id_verification,omitempty"`
}

type orderContains struct {
	Alcohol  bool `json:"alcohol,omitzero"`
	Pharmacy bool `json:"pharmacy_items,omitzero"`
	Tobacco  bool `json:"tobacco,omitzero"`
	Hemp     bool `json:"hemp,omitzero"`
	OTC      bool `json:"otc,omitzero"`
}

type item struct {
	Name        string  `json:"name"`
	Quantity    int     `json:"quantity"`
	Description string  `json:"description,omitempty"`
	ExternalID  string  `json:"external_id,omitempty"`
	Barcode     string  `json:"barcode,omitempty"`
	Price       int64   `json:"price,omitzero"`
	Weight      float64 `json:"weight,omitzero"`
	Length      float64 `json:"length,omitzero"`
	Width       float64 `json:"width,omitzero"`
	Height      float64 `json:"height,omitzero"`
	Volume      float64 `json:"volume,omitzero"`
}

// change is the body of a PATCH. Instructions are sent even when empty, which clears them.
type change struct {
	PickupPhone         string          `json:"pickup_phone_number,omitempty"`
	PickupInstructions  string          `json:"pickup_instructions"`
	DropoffPhone        string          `json:"dropoff_phone_number,omitempty"`
	DropoffInstructions string          `json:"dropoff_instructions"`
	DropoffGivenName    string          `json:"dropoff_contact_given_name,omitempty"`
	DropoffFamilyName   string          `json:"dropoff_contact_family_name"`
	DropoffOptions      *dropoffOptions `json:"dropoff_options"`
}

// acceptance is the body of accepting a quote. The quote holds everything else already.
type acceptance struct {
	Tip          int64  `json:"tip,omitzero"`
	DropoffPhone string `json:"dropoff_phone_number,omitempty"`
}

// delivery is what DoorDash answers with everywhere: the quote or delivery as it stands. Absent values are null or left out.
type delivery struct {
	ExternalDeliveryID string `json:"external_delivery_id"`
	Status             string `json:"delivery_status"`
	CancellationReason string `json:"cancellation_reason"`
	SupportReference   string `json:"support_reference"`
	TrackingURL        string `json:"tracking_url"`

	Fee           int64          `json:"fee"`
	Tax           int64          `json:"tax"`
	FeeComponents []feeComponent `json:"fee_components"`

	OrderValue         *int64 `json:"order_value"`
	DropoffAddress     string `json:"dropoff_address"`
	DropoffPhone       string `json:"dropoff_phone_number"`
	PickupReferenceTag string `json:"pickup_reference_tag"`

	UpdatedAt        string `json:"updated_at"`
	PickupEstimated  string `json:"pickup_time_estimated"`
	PickupActual     string `json:"pickup_time_actual"`
	DropoffEstimated string `json:"dropoff_time_estimated"`
	DropoffActual    string `json:"dropoff_time_actual"`
	ReturnActual     string `json:"return_time_actual"`
	told
}

// told is what answers and webhooks tell alike of a delivery.
type told struct {
	Currency       string `json:"currency"`
	Tip            *int64 `json:"tip"`
	PickupImage    string `json:"pickup_verification_image_url"`
	DropoffImage   string `json:"dropoff_verification_image_url"`
	SignatureImage string `json:"dropoff_signature_image_url"`
	dasher
}

// dasher is the courier, once one has accepted.
type dasher struct {
	DasherName         string    `json:"dasher_name"`
	DasherDropoffPhone string    `json:"dasher_dropoff_phone_number"`
	DasherPickupPhone  string    `json:"dasher_pickup_phone_number"`
	DasherLocation     *location `json:"dasher_location"`
	DasherVehicleMake  string    `json:"dasher_vehicle_make"`
	DasherVehicleModel string    `json:"dasher_vehicle_model"`
	DasherVehicleYear  string    `json:"dasher_vehicle_year"`
}

type feeComponent struct {
	Type   string `json:"type"`
	Amount int64  `json:"amount"`
}

// parseTime reads DoorDash's times, ISO 8601 with zone. Text that is no time counts as absent: a wrong estimate must not lose
// a delivery.
func parseTime(s string) shipping.Instant {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2099 {
		return shipping.Instant{}
	}
	return shipping.At(t)
}

// moment is a point estimate as a window.
func moment(s string) shipping.TimeWindow {
	t := parseTime(s)
	return shipping.TimeWindow{StartsAt: t, EndsAt: t}
}
