package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/sdk/carrier"
)

// said is one error in an answer of UPS.
type said struct {
	Code    text `json:"code"`
	Message text `json:"message"`
}

// errorAnswer is every form in which UPS has been seen to say no: the documented envelope (lower-case response), the bare
// list of Time in Transit's schema, and the Fault of the older gateway.
type errorAnswer struct {
	Response many[struct {
		Errors many[said] `json:"errors"`
	}] `json:"response"`
	Errors many[said] `json:"errors"`
	Fault  many[struct {
		Code   text `json:"faultcode"`
		Words  text `json:"faultstring"`
		Detail many[struct {
			Errors many[struct {
				Detail many[struct {
					Primary many[coded] `json:"PrimaryErrorCode"`
				}] `json:"ErrorDetail"`
			}] `json:"Errors"`
		}] `json:"detail"`
	}] `json:"Fault"`
}

// errorsIn returns what UPS says is wrong, from the body or, where that says nothing, from the headers.
func errorsIn(resp *carrier.Response) []said {
	var b errorAnswer
	if err := decode(resp.Body, &b); err == nil {
		if found := b.list(); len(found) > 0 {
			return found
		}
	}
	if code, message := headerError(resp.Header); code != "" {
		return []said{{Code: text(code), Message: text(message)}}
	}
	return nil
}

func (b errorAnswer) list() []said {
	var out []said
	for _, r := range b.Response {
		out = append(out, r.Errors...)
	}
	out = append(out, b.Errors...)
	for _, f := range b.Fault {
		for _, d := range f.Detail {
			for _, e := range d.Errors {
				for _, x := range e.Detail {
					p := x.Primary.first()
					out = append(out, said{Code: p.Code, Message: p.Description})
				}
			}
		}
		if len(out) == 0 && f.Words != "" {
			out = append(out, said{Code: f.Code, Message: f.Words})
		}
	}
	return out
}

// headerError reads the headers that repeat an error, under both of their names.
func headerError(h http.Header) (code, message string) {
	for _, n := range [][2]string{{"Apierrorcode", "Apierrormsg"}, {"Errorcode", "Errordescription"}} {
		if c := h.Get(n[0]); c != "" {
			return c, h.Get(n[1])
		}
	}
	return "", ""
}

// meaning is what a code of UPS means to the engine. before is set where the gateway or the check of the request says no, so
// that nothing was done whatever the HTTP status.
type meaning struct {
	code    carrier.Code
	source  carrier.Source
	field   string
	message string
	before  bool
}

const backoff = 5 * time.Second // after a 429: UPS names no time

// refusal turns an answer that is not a success into an error. A refusal of Ship or Void that carries UPS's own error has
// done nothing below 500; without one, only the statuses by which a gateway turns a request away prove that. A 5xx proves
// it only by a code that is given before anything is done.
func refusal(x exchange, resp *carrier.Response) *carrier.Error {
	e := resp.Fault()
	if e == nil { // an error in a 2xx
		e = &carrier.Error{Source: carrier.SourceCarrier, Retry: carrier.RetryNever, Code: carrier.CarrierRejected, HTTPStatus: resp.Status,
			Message: "UPS refuses the request"}
	}
	found := errorsIn(resp)
	var m meaning
	if len(found) > 0 {
		e.CarrierCode = string(found[0].Code)
		words := make([]string, len(found))
		for i, s := range found {
			words[i] = string(s.Message)
		}
		e.CarrierMessage = strings.Join(words, "; ")
		m = meaningOf(e.CarrierCode)
	}
	m.apply(e)
	e.Effect = carrier.EffectNone
	switch {
	case !x.acts || m.before:
	case resp.Status >= 500, len(found) == 0 && !turnedAway(resp.Status):
		e.Effect, e.Retry = carrier.EffectUnknown, carrier.RetryNever
	}
	if e.Code == carrier.CarrierRateLimited {
		e.Retry, e.RetryAfter = carrier.RetryAfter, max(e.RetryAfter, backoff)
	}
	return e
}

func (m meaning) apply(e *carrier.Error) {
	if m.code == "" {
		return
	}
	e.Code, e.Source, e.Field = m.code, m.source, m.field
	if m.message != "" {
		e.Message = m.message
	}
	switch m.code {
	case carrier.CarrierUnavailable:
		if e.Retry != carrier.RetryAfter {
			e.Retry = carrier.RetrySafe
		}
	default:
		e.Retry = carrier.RetryNever
	}
}

// turnedAway reports whether a status alone proves that the request went no further than the gateway.
func turnedAway(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests:
		return true
	}
	return false
}

func meaningOf(code string) meaning {
	if m, ok := meanings[code]; ok {
		return m
	}
	// UPS numbers the faults of the request by the part that they are in.
	if len(code) == 6 && strings.HasPrefix(code, "12") {
		return meaning{code: carrier.CarrierRejected, source: carrier.SourceCarrier, message: "UPS refuses the shipment", before: true}
	}
	return meaning{}
}

var meanings = func() map[string]meaning {
	m := map[string]meaning{}
	add := func(x meaning, codes ...string) {
		for _, c := range codes {
			m[c] = x
		}
	}
	config := func(code carrier.Code, field, message string) meaning {
		return meaning{code, carrier.SourceConfig, field, message, true}
	}
	field := func(path, message string) meaning {
		return meaning{carrier.InvalidField, carrier.SourceCaller, path, message, true}
	}
	no := func(code carrier.Code, message string) meaning {
		return meaning{code, carrier.SourceCarrier, "", message, true}
	}

	add(config(carrier.CredentialsRejected, "client_secret", "UPS rejects the client id and secret, or the app lacks this API"),
		"250002", "250003", "251004", "UJ0001", "10400", "10401")
	add(no(carrier.CarrierRateLimited, "UPS limits the rate of requests"), "10429")
	add(meaning{code: carrier.CarrierUnavailable, source: carrier.SourceCarrier, message: "UPS is not available for the moment"}, "10004")
	add(meaning{carrier.CarrierRejected, carrier.SourceAdapter, "", "UPS cannot read the request", true}, "10001", "10002", "10003", "10006", "10013", "9264028")
	add(config(carrier.ConfigInvalid, "shipper_number", "UPS does not accept the shipper number for these credentials"), "112111", "120100", "120122")

	add(no(carrier.ServiceUnavailable, "UPS does not offer the service between these places"), "111210", "120124", "121100", "121210")
	add(no(carrier.ServiceUnavailable, "UPS does not offer an option of the shipment between these places"), "111211", "121211")
	add(no(carrier.ServiceUnavailable, "UPS does not carry this kind of package between these places"), "111212")
	add(no(carrier.ServiceUnavailable, "UPS does not offer the service to a residential address there"), "111215", "121215")
	add(no(carrier.ServiceUnavailable, "UPS does not validate addresses of this state here"), "9264030")

	add(field("delivery.address.postalCode", "UPS does not know the postal code in this state"), "111285", "120207")
	add(field("delivery.address.street1", "UPS does not accept the delivery street"), "120202")
	add(field("delivery.address.state", "UPS does not accept the delivery state"), "120206")
	add(field("delivery.address.countryCode", "UPS does not accept the delivery country"), "120208")
	add(field("delivery.contact.phone", "UPS does not accept the phone number at delivery"), "120209")
	add(field("delivery.address", "UPS does not accept the delivery address"), "120802", "120805")
	add(field("pickup.address", "UPS does not accept the pickup address"), "120803", "120806")
	add(config(carrier.ConfigInvalid, "shipper", "UPS does not accept the shipper's address"), "120801", "120804")
	add(field("serviceId", "UPS does not accept the service"), "120500")
	add(field("parcels", "UPS wants a description of the goods"), "120512")
	add(field("parcels", "UPS does not accept the weight of a parcel"), "120601", "121030")
	add(field("parcels", "UPS does not accept the size of a parcel"), "120602", "120609")
	add(field("parcels", tooLarge), "121050", "121055", "121056")
	add(field("labelFormat", "UPS does not accept the label format"), "120700", "120701", "120702", "120703", "120704", "120705")

	add(no(carrier.CancelRefused, "UPS no longer voids the shipment: the time for it has expired"), "190101")
	add(no(carrier.BookingNotFound, "UPS knows no such shipment within the time in which it can be voided"), "190100", "190102", "190109")
	add(no(carrier.CancelRefused, "UPS no longer voids the shipment: it was picked up"), "190103")
	add(no(carrier.CancelRefused, "UPS does not void this return"), "190104", "190112")
	add(no(carrier.CancelRefused, "UPS does not void this shipment by parcel"), "190110", "190113", "190121", "190122")

	add(no(carrier.BookingNotFound, "UPS knows no label for this reference or number"), noSuchLabel...)
	add(field("number", "UPS does not accept the tracking number"), "300005", "300014", "TV1002")
	add(no(carrier.BookingNotFound, "the shipment of this label was voided"), labelVoided)
	add(no(carrier.CarrierRejected, "UPS finds several shipments, or too many parcels, for one label"), "300001", "300003", "300035")
	add(no(carrier.CarrierRejected, "UPS does not give out this label again"), "300002", "300004", "300006")
	add(meaning{carrier.CarrierUnavailable, carrier.SourceCarrier, "", "UPS has not made the label yet", true}, "300034")
	return m
}()

const (
	tooLarge      = "a parcel is larger than UPS carries"
	alreadyVoided = "190117" // not "period expired", as some lists say
	labelVoided   = "300033"
)

// noSuchLabel are label recovery's codes for "not found" and "no label".
var noSuchLabel = []string{"300007", "300032"}
