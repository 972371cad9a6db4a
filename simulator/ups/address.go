package ups

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/simulator"
)

type addressKey struct {
	ConsigneeName       text
	AttentionName       text
	AddressLine         list[text]
	PoliticalDivision2  text // city
	PoliticalDivision1  text // state
	PostcodePrimaryLow  text
	PostcodeExtendedLow text
	Region              text
	CountryCode         text
}

type addressKeyOut struct {
	AddressLine         many[string] `json:",omitzero"`
	PoliticalDivision2  string       `json:",omitzero"`
	PoliticalDivision1  string       `json:",omitzero"`
	PostcodePrimaryLow  string       `json:",omitzero"`
	PostcodeExtendedLow string       `json:",omitzero"`
	Region              string       `json:",omitzero"`
	CountryCode         string
}

type candidateOut struct {
	AddressClassification *coded `json:",omitzero"`
	AddressKeyFormat      addressKeyOut
}

// xavResponse has exactly one of the three indicators, as an empty string.
type xavResponse struct {
	Response                  responsePart
	ValidAddressIndicator     *string            `json:",omitzero"`
	AmbiguousAddressIndicator *string            `json:",omitzero"`
	NoCandidatesIndicator     *string            `json:",omitzero"`
	AddressClassification     *coded             `json:",omitzero"`
	Candidate                 many[candidateOut] `json:",omitzero"`
}

// validateAddress knows postal codes and states but no streets. A street line that holds a digit, with a state that
// fits the postal code, is valid; one whose postal code lies in another state is ambiguous, with a candidate for
// each; anything else has no candidates.
func (d *Dialect) validateAddress(x *simulator.Exchange) simulator.Act {
	var in struct {
		XAVRequest *struct {
			Request          requestIn
			AddressKeyFormat *addressKey
		}
	}
	if failed := decode(x, &in); failed != nil {
		return failed
	}
	if in.XAVRequest == nil || in.XAVRequest.AddressKeyFormat == nil {
		return refuse("9264028", "Invalid or missing request option.").answer(x)
	}
	key := in.XAVRequest.AddressKeyFormat
	if key.CountryCode != "US" && key.CountryCode != "PR" {
		// UPS validates streets of the USA and Puerto Rico only; the code of its refusal is not published.
		return refuse("9264030", "The state is not supported in the Customer Integration Environment.").answer(x)
	}
	limit := 15
	if n, err := strconv.Atoi(x.Request.URL.Query().Get("maximumcandidatelistsize")); err == nil && n >= 0 && n <= 50 {
		limit = n
	}
	v1 := x.Vars["version"] == "v1"
	var out struct{ XAVResponse xavResponse }
	r := &out.XAVResponse
	r.Response = success(ratedArraysFrom, in.XAVRequest.Request)
	classify := x.Vars["option"] != "1"
	candidates := key.candidates(classify, v1)
	yes := new(string)
	switch {
	case len(candidates) == 0:
		r.NoCandidatesIndicator = yes
		if classify {
			r.AddressClassification = &coded{"0", "Unknown"}
		}
	case len(candidates) > 1:
		r.AmbiguousAddressIndicator = yes
	default:
		r.ValidAddressIndicator = yes
		r.AddressClassification = candidates[0].AddressClassification
	}
	r.Candidate = many[candidateOut]{candidates[:min(len(candidates), limit)], v1}
	if x.Vars["option"] == "2" {
		r.Candidate.items = nil // classification only
	}
	return simulator.Answer(answerJSON(x, out))
}

func (k *addressKey) candidates(classify, v1 bool) []candidateOut {
	zip, ok := zip3(string(k.PostcodePrimaryLow))
	if !ok || stateOf[zip] == "" || len(k.AddressLine) == 0 || digits(string(k.AddressLine[0])) == 0 {
		return nil
	}
	given := strings.ToUpper(string(k.PoliticalDivision1))
	if k.CountryCode == "PR" {
		given = "PR"
	}
	candidate := func(state, postal, extended string) candidateOut {
		c := candidateOut{AddressKeyFormat: addressKeyOut{
			PoliticalDivision2: strings.ToUpper(string(k.PoliticalDivision2)), PoliticalDivision1: state,
			PostcodePrimaryLow: postal, PostcodeExtendedLow: extended, CountryCode: string(k.CountryCode),
		}}
		for _, line := range k.AddressLine {
			if line != "" {
				c.AddressKeyFormat.AddressLine.items = append(c.AddressKeyFormat.AddressLine.items, strings.ToUpper(string(line)))
			}
		}
		c.AddressKeyFormat.AddressLine.bare = v1
		c.AddressKeyFormat.Region = strings.Join(strings.Fields(c.AddressKeyFormat.PoliticalDivision2+" "+state+" "+postal+"-"+extended), " ")
		if classify {
			c.AddressClassification = k.class()
		}
		return c
	}
	postal := string(k.PostcodePrimaryLow[:5])
	found := []candidateOut{candidate(stateOf[zip], postal, k.extended())}
	if s, known := states[given]; known && given != stateOf[zip] {
		first := s.zips[0][0]
		other := strconv.Itoa(1000 + first)[1:] + "01"
		found = append(found, candidate(given, other, k.extended()))
	}
	return found
}

// extended is the given "plus four", or one that depends on the street alone.
func (k *addressKey) extended() string {
	if k.PostcodeExtendedLow != "" {
		return string(k.PostcodeExtendedLow)
	}
	return strconv.Itoa(1000 + int(k.hash()%9000))
}

func (k *addressKey) hash() uint32 {
	h := fnv.New32a()
	h.Write([]byte(strings.ToUpper(string(k.AddressLine[0]))))
	return h.Sum32()
}

// class guesses from the words of the address; where they say nothing, three of five streets are residential.
func (k *addressKey) class() *coded {
	line := ""
	for _, l := range k.AddressLine {
		line += " " + strings.ToUpper(string(l))
	}
	line = strings.NewReplacer(".", " ", ",", " ", "#", " # ").Replace(line) + " "
	for _, word := range [...]string{" STE ", " SUITE ", " FL ", " FLOOR ", " BLDG ", " DOCK ", " WAREHOUSE "} {
		if strings.Contains(line, word) {
			return &coded{"1", "Commercial"}
		}
	}
	for _, word := range [...]string{" APT ", " UNIT ", " LOT ", " # "} {
		if strings.Contains(line, word) {
			return &coded{"2", "Residential"}
		}
	}
	if k.hash()%5 < 2 {
		return &coded{"1", "Commercial"}
	}
	return &coded{"2", "Residential"}
}
