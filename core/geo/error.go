package geo

// Reason says why an address cannot be placed. The values are stable.
type Reason string

const (
	ReasonCoordinates   Reason = "coordinates_invalid"  // one of two, out of range, or 0/0
	ReasonCountry       Reason = "country_invalid"      // no two-letter country code
	ReasonPostalMissing Reason = "postal_code_missing"  // and nothing else to go by
	ReasonPostalFormat  Reason = "postal_code_format"   // does not look like one of its country
	ReasonPostalUnknown Reason = "postal_code_unknown"  // looks like one, but there is none such
	ReasonNoGeocoder    Reason = "no_geocoder"          // only a geocoder could tell, and none is configured
	ReasonNotFound      Reason = "address_not_found"    // the geocoder does not know it
	ReasonUnavailable   Reason = "geocoder_unavailable" // the geocoder did not answer as it should
)

// Error is why an address was not placed. Its text names postal code and country at most, never a street:
// causes have the geocoder's URL taken out.
type Error struct {
	Reason Reason
	// Detail says what is wrong and what to do, in words for who sent the address, or for the operator when the reason
	// is ReasonUnavailable.
	Detail string
	// Transient says that the same address may be placed later without any change.
	Transient bool
	Err       error // the cause, if there is one
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "place address: " + e.Detail + ": " + e.Err.Error()
	}
	return "place address: " + e.Detail
}

func (e *Error) Unwrap() error { return e.Err }
