package ups

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// text is a scalar of a request: the carrier writes nearly all of them as strings and takes numbers as well.
type text string

// UnmarshalJSONFrom takes a string, a number or a boolean as its text, and null as nothing.
func (t *text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case 'n':
		*t = ""
	case '{', '[':
		return &json.SemanticError{JSONKind: tok.Kind()}
	default:
		*t = text(strings.TrimSpace(tok.String()))
	}
	return nil
}

// indicator is a flag whose presence means yes: the value, an empty string too, is not looked at.
type indicator bool

// UnmarshalJSONFrom is true for anything but null.
func (i *indicator) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*i = dec.PeekKind() != 'n'
	return dec.SkipValue()
}

// list is a repeating member of a request, of which one may also come bare.
type list[T any] []T

// UnmarshalJSONFrom takes an array, one bare element, or null.
func (l *list[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '[':
		var many []T
		if err := json.UnmarshalDecode(dec, &many); err != nil {
			return err
		}
		*l = many
		return nil
	case 'n':
		*l = nil
		return dec.SkipValue()
	}
	var one T
	if err := json.UnmarshalDecode(dec, &one); err != nil {
		return err
	}
	*l = list[T]{one}
	return nil
}

// many is a repeating member of an answer. Old versions of the API write a single element without its array.
type many[T any] struct {
	items []T
	bare  bool
}

// IsZero leaves an empty list out of the answer.
func (m many[T]) IsZero() bool { return len(m.items) == 0 }

// MarshalJSONTo writes an array, or the one element alone.
func (m many[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	if m.bare && len(m.items) == 1 {
		return json.MarshalEncode(enc, &m.items[0])
	}
	return json.MarshalEncode(enc, m.items)
}

// version is the number of an API version: 2409 of "v2409".
type version int

// Below arraysFrom every repeating member with one element is bare; RatedShipment stays so until ratedArraysFrom.
const (
	arraysFrom      version = 2403
	ratedArraysFrom version = 2409
)

// bare tells whether this version writes single elements without their array.
func (v version) bare() bool { return v < arraysFrom }

func parseVersion(s string) version {
	n, err := strconv.Atoi(strings.TrimPrefix(s, "v"))
	if err != nil {
		return 0 // v1 and what the route lets pass are numbers
	}
	return version(n)
}

// The parts that requests of Rating and Shipping have in common.

type codeIn struct{ Code text }

type requestIn struct {
	RequestOption        text
	SubVersion           text
	TransactionReference struct{ CustomerContext text }
}

type address struct {
	AddressLine list[text]
	City        text
	State       text `json:"StateProvinceCode"`
	PostalCode  text
	CountryCode text
	Residential indicator `json:"ResidentialAddressIndicator"`
	POBox       indicator `json:"POBoxIndicator"`
}

type party struct {
	Name          text
	AttentionName text
	ShipperNumber text
	Phone         *struct{ Number text }
	Address       *address
}

type dimensionsIn struct {
	UnitOfMeasurement     codeIn
	Length, Width, Height text
}

type weightIn struct {
	UnitOfMeasurement codeIn
	Weight            text
}

type moneyIn struct{ CurrencyCode, MonetaryValue text }

type packageIn struct {
	Description           text
	PackagingType         *codeIn // Rating's name
	Packaging             *codeIn // Shipping's name of the same
	Dimensions            *dimensionsIn
	PackageWeight         *weightIn
	ReferenceNumber       list[referenceIn]
	AdditionalHandling    indicator `json:"AdditionalHandlingIndicator"`
	PackageServiceOptions struct {
		DeliveryConfirmation *struct{ DCISType text }
		DeclaredValue        *moneyIn
	}
}

type referenceIn struct{ Code, Value text }

type chargeIn struct {
	Type        text
	BillShipper *struct{ AccountNumber text }
}

type shipmentIn struct {
	Description           text
	Shipper               *party
	ShipTo                *party
	ShipFrom              *party
	PaymentInformation    *struct{ ShipmentCharge list[chargeIn] }
	Service               *codeIn
	Package               list[packageIn]
	ReferenceNumber       list[referenceIn]
	ReturnService         *codeIn
	ShipmentRatingOptions struct {
		Negotiated indicator `json:"NegotiatedRatesIndicator"`
	}
	ShipmentServiceOptions struct {
		SaturdayDelivery  indicator `json:"SaturdayDeliveryIndicator"`
		AvailableServices text      `json:"AvailableServicesOption"`
		ReturnService     *codeIn   // Rating's
	}
	DeliveryTimeInformation *struct {
		PackageBillType text
		Pickup          struct{ Date, Time text }
	}
}

// origin is where the parcels start: at the sender where one is named, else at the shipper.
func (s *shipmentIn) origin() *address {
	if s.ShipFrom != nil && s.ShipFrom.Address != nil {
		return s.ShipFrom.Address
	}
	return s.Shipper.Address
}

// The parts that answers have in common.

// money is {"CurrencyCode", "MonetaryValue"}. An answer holds a hundred of them, so they are written ready-made rather
// than member by member: that takes a quarter off the cost of a Shop.
type money = jsontext.Value

const currency = "USD"

// usd writes cents as the carrier does: a string with two decimals.
func usd(cents int64) money {
	b := make([]byte, 0, 56)
	b = append(b, `{"CurrencyCode":"`+currency+`","MonetaryValue":"`...)
	return append(appendAmount(b, cents), `"}`...)
}

func appendAmount(b []byte, cents int64) []byte {
	b = strconv.AppendInt(b, cents/100, 10)
	return append(b, '.', byte('0'+cents/10%10), byte('0'+cents%10))
}

// coded leaves Description as it is given: the carrier's descriptions are often empty strings, not absent.
type coded struct{ Code, Description string }

type codeOnly struct{ Code string }

type responsePart struct {
	ResponseStatus       coded
	Alert                many[coded] `json:",omitzero"`
	TransactionReference any         // a string when the caller sent no context
}

type customerContext struct{ CustomerContext string }

func success(v version, in requestIn, alerts ...coded) responsePart {
	// Recorded: v2205 writes a lone Alert as an array, while its other lone elements are bare.
	r := responsePart{ResponseStatus: coded{"1", "Success"}, Alert: many[coded]{alerts, v < 2205}, TransactionReference: ""}
	if c := in.TransactionReference.CustomerContext; c != "" {
		r.TransactionReference = customerContext{string(c)}
	}
	return r
}

// itemized is {"Code", "CurrencyCode", "MonetaryValue", "SubType"?}, ready-made like money.
type itemized = jsontext.Value

func items(in []item) []itemized {
	if len(in) == 0 {
		return nil
	}
	out := make([]itemized, len(in))
	for i, c := range in {
		b := make([]byte, 0, 96)
		b = append(append(b, `{"Code":"`...), c.code...)
		b = append(b, `","CurrencyCode":"`+currency+`","MonetaryValue":"`...)
		b = append(appendAmount(b, c.cents), '"')
		if c.kind != "" {
			b = append(append(append(b, `,"SubType":"`...), c.kind...), '"')
		}
		out[i] = append(b, '}')
	}
	return out
}

type weightOut struct {
	UnitOfMeasurement coded
	Weight            string
}

func pounds(lb int64) weightOut {
	return weightOut{coded{"LBS", "Pounds"}, strconv.FormatInt(lb, 10) + ".0"}
}
