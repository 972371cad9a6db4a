package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// ValidateAddress asks UPS to validate and classify an address. UPS does this for the United States and Puerto Rico only.
func (a *Account) ValidateAddress(ctx context.Context, r carrier.AddressRequest) (carrier.AddressAnswer, error) {
	if !domesticUS(r.Address.CountryCode) {
		return carrier.AddressAnswer{}, &carrier.Error{Source: carrier.SourceCaller, Effect: carrier.EffectNone, Retry: carrier.RetryNever,
			Code: carrier.Unsupported, Field: "address.countryCode", Message: "UPS validates addresses of the United States and Puerto Rico only"}
	}
	req := &addressRequest{}
	k := &req.XAVRequest.AddressKeyFormat
	k.AddressLine, _ = addressLines(r.Address)
	k.City, k.State, k.CountryCode = line(r.Address.City, maxCity), line(r.Address.State, maxCity), r.Address.CountryCode
	k.PostalCode, k.PostalCodeExtra, _ = strings.Cut(strings.TrimSpace(r.Address.PostalCode), "-")
	x := exchange{
		// Option 3 validates and classifies.
		method: http.MethodPost, path: "/api/addressvalidation/v2/3", query: url.Values{"maximumcandidatelistsize": {"15"}}, body: req,
	}
	var answer addressAnswer
	resp, err := a.ask(ctx, x, &answer)
	if err != nil {
		return carrier.AddressAnswer{}, err
	}
	v := answer.XAVResponse.first()
	out := carrier.AddressAnswer{Type: classes[v.AddressClassification.first().Code]}
	if out.Type == "" {
		out.Type = "unknown"
	}
	switch {
	case bool(v.ValidAddressIndicator):
		out.Verdict = "valid"
	case bool(v.AmbiguousAddressIndicator):
		out.Verdict = "ambiguous"
	case bool(v.NoCandidatesIndicator):
		out.Verdict = "unknown"
	default:
		return carrier.AddressAnswer{}, x.missing(resp, "verdict")
	}
	for _, c := range v.Candidate {
		out.Candidates = append(out.Candidates, c.address())
	}
	return out, nil
}

// classes are UPS's address classifications; 0 is "UnClassified" in its schema and "Unknown" on the wire.
var classes = map[text]string{"1": "business", "2": "residential", "0": "unknown"}

type addressRequest struct {
	XAVRequest struct {
		AddressKeyFormat struct {
			AddressLine     []string `json:"AddressLine,omitempty"`
			City            string   `json:"PoliticalDivision2,omitempty"`
			State           string   `json:"PoliticalDivision1,omitempty"`
			PostalCode      string   `json:"PostcodePrimaryLow,omitempty"`
			PostalCodeExtra string   `json:"PostcodeExtendedLow,omitempty"`
			CountryCode     string   `json:"CountryCode"`
		} `json:"AddressKeyFormat"`
	} `json:"XAVRequest"`
}

// addressAnswer has exactly one of the three indicators, each an empty string. A single candidate, and a single line of one,
// may stand without their list.
type addressAnswer struct {
	XAVResponse many[struct {
		ValidAddressIndicator     mark            `json:"ValidAddressIndicator"`
		AmbiguousAddressIndicator mark            `json:"AmbiguousAddressIndicator"`
		NoCandidatesIndicator     mark            `json:"NoCandidatesIndicator"`
		AddressClassification     many[coded]     `json:"AddressClassification"`
		Candidate                 many[candidate] `json:"Candidate"`
	}] `json:"XAVResponse"`
}

type candidate struct {
	AddressClassification many[coded] `json:"AddressClassification"`
	AddressKeyFormat      many[struct {
		AddressLine     many[text] `json:"AddressLine"`
		City            text       `json:"PoliticalDivision2"`
		State           text       `json:"PoliticalDivision1"`
		PostalCode      text       `json:"PostcodePrimaryLow"`
		PostalCodeExtra text       `json:"PostcodeExtendedLow"`
		CountryCode     text       `json:"CountryCode"`
	}] `json:"AddressKeyFormat"`
}

func (c candidate) address() shipping.Address {
	k := c.AddressKeyFormat.first()
	a := shipping.Address{City: string(k.City), State: string(k.State), PostalCode: string(k.PostalCode), CountryCode: string(k.CountryCode)}
	if k.PostalCodeExtra != "" {
		a.PostalCode += "-" + string(k.PostalCodeExtra)
	}
	for i, l := range k.AddressLine {
		switch i {
		case 0:
			a.Street1 = string(l)
		case 1:
			a.Street2 = string(l)
		default:
			a.Street2 += ", " + string(l)
		}
	}
	if t := classes[c.AddressClassification.first().Code]; t != "unknown" {
		a.Type = t
	}
	return a
}
