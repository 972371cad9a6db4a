package main

import (
	"net/url"
	"strings"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Config is one UPS account.
type Config struct {
	BaseURL string `json:"base_url" title:"Base URL" default:"https://onlinetools.ups.com" doc:"UPS's production host; https://wwwcie.ups.com is its test host, or the address of a simulator."`

	ClientID      string         `json:"client_id" title:"Client id" doc:"Of the app at developer.ups.com."`
	ClientSecret  carrier.Secret `json:"client_secret" title:"Client secret" doc:"Of the app at developer.ups.com."`
	ShipperNumber string         `json:"shipper_number" title:"Shipper number" doc:"The six characters of the UPS account that pays." example:"A1B2C3"`

	NegotiatedRates bool   `json:"negotiated_rates" title:"Negotiated rates" default:"true" doc:"Ask for the account's own rates; published rates apply where there are none."`
	PickupType      string `json:"pickup_type" title:"Pickup type" enum:"01,03,06,19,20" default:"01" doc:"01 daily pickup, 03 customer counter, 06 one-time pickup, 19 letter center, 20 air service center."`
	Packaging       string `json:"packaging" title:"Packaging" enum:"01,02,03,04,21,24,25,30,2a,2b,2c" default:"02" doc:"01 letter, 02 the merchant's own, 03 tube, 04 pak, 21 express box, 2a/2b/2c small/medium/large express box, 24 25 kg box, 25 10 kg box, 30 pallet."`
	Units           string `json:"units" title:"Units" enum:"auto,imperial,metric" default:"auto" doc:"What UPS accepts depends on the shipper's country; auto is imperial in the United States and metric elsewhere."`
	LabelFormat     string `json:"label_format" title:"Label format" enum:"GIF,ZPL,EPL" default:"GIF" doc:"Used where a booking names none."`

	SaturdayDelivery  bool `json:"saturday_delivery" title:"Saturday delivery" doc:"Also ask for Saturday delivery, and buy it where UPS offers it, at UPS's surcharge."`
	ValidateAddresses bool `json:"validate_addresses" title:"Validate addresses" doc:"Let UPS refuse a booking whose city, state and postal code do not agree."`

	PushCredential carrier.Secret `json:"push_credential,omitempty" title:"Push credential" doc:"What UPS sends with Track Alert pushes; without it every push is refused."`

	TrackAlert string `json:"track_alert" title:"Track Alert" enum:"off,v1,v2" default:"off" doc:"Have UPS push what happens to parcels, number by number, for 14 days at a time: v1 sends the push URL and the push credential with each request, v2 leaves both to UPS's developer portal."`

	Shipper *Shipper `json:"shipper" title:"Shipper" doc:"The account's own address, printed as the sender's. Without it the pickup location's is used."`
}

// Shipper is the address that UPS knows the account by.
type Shipper struct {
	Name        string `json:"name" title:"Company" example:"Example Inc."`
	Attention   string `json:"attention,omitempty" title:"Attention"`
	Phone       string `json:"phone,omitempty" title:"Phone" example:"+12125550100"`
	Email       string `json:"email,omitempty" title:"E-mail"`
	Street1     string `json:"street1" title:"Street"`
	Street2     string `json:"street2,omitempty" title:"Street, second line"`
	City        string `json:"city" title:"City"`
	State       string `json:"state,omitempty" title:"State" example:"NY"`
	PostalCode  string `json:"postal_code,omitempty" title:"Postal code"`
	CountryCode string `json:"country_code" title:"Country" default:"US" doc:"Two letters, ISO 3166."`
}

// shipperNumberLength is UPS's (Shipping, Shipper.ShipperNumber).
const shipperNumberLength = 6

// check reports every fault that the tags cannot express.
func (c Config) check() error {
	var f shipping.Faults
	if u, err := url.Parse(c.BaseURL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		f.Add("base_url", "must be a URL such as https://onlinetools.ups.com")
	}
	if strings.TrimSpace(c.ClientID) == "" {
		f.Add("client_id", "is required")
	}
	if c.ClientSecret.Reveal() == "" {
		f.Add("client_secret", "is required")
	}
	if len(c.ShipperNumber) != shipperNumberLength || strings.ContainsFunc(c.ShipperNumber, notAlphanumeric) {
		f.Add("shipper_number", "must be six letters and digits")
	}
	if c.TrackAlert != "" && c.TrackAlert != alertOff && c.PushCredential.Reveal() == "" {
		f.Add("push_credential", "is required with track_alert: without it every push is refused")
	}
	if s := c.Shipper; s != nil {
		if len(s.CountryCode) != 2 {
			f.Add("shipper.country_code", "must be two letters")
		}
		if _, ok := addressLines(s.stop().Address); !ok {
			f.Add("shipper.street1", "and street2 must fit into three lines of 35 characters")
		}
	}
	return carrier.ConfigError(f)
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// stop returns the shipper as a place.
func (s *Shipper) stop() carrier.Stop {
	return carrier.Stop{
		Name:    s.Name,
		Contact: shipping.Contact{Name: s.Attention, Phone: s.Phone, Email: s.Email},
		Address: shipping.Address{Street1: s.Street1, Street2: s.Street2, City: s.City, State: s.State, PostalCode: s.PostalCode, CountryCode: s.CountryCode},
	}
}

// shipperOr returns the account's address, or where none is configured the merchant's end of the way.
func (a *Account) shipperOr(merchant carrier.Stop) carrier.Stop {
	if a.cfg.Shipper != nil {
		return a.cfg.Shipper.stop()
	}
	return merchant
}
