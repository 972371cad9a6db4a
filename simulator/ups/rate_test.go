package ups_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/simulator/ups"
)

// rated is what tests read of a Rating answer.
type rated struct {
	RateResponse struct {
		RatedShipment []ratedRow
	}
}

type ratedRow struct {
	Service                                                                       struct{ Code string }
	BaseServiceCharge, TransportationCharges, ServiceOptionsCharges, TotalCharges charge
	ItemizedCharges                                                               []item
	BillingWeight                                                                 struct{ Weight string }
	NegotiatedRateCharges                                                         *struct{ TotalCharge charge }
	RatedPackage                                                                  []struct {
		ItemizedCharges []item
		TotalCharges    charge
	}
	TimeInTransit *struct {
		ServiceSummary struct {
			SaturdayDelivery string
			EstimatedArrival struct {
				Arrival               struct{ Date, Time string }
				BusinessDaysInTransit string
				RestDays              string
				DayOfWeek             string
			}
		}
	}
}

type charge struct{ MonetaryValue string }

type item struct{ Code, MonetaryValue string }

func cents(t *testing.T, s string) int64 {
	t.Helper()
	whole, part, ok := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole+part, 10, 64)
	if err != nil || !ok || len(part) != 2 {
		t.Fatalf("%q is not money with two decimals", s)
	}
	return n
}

func (r *rig) rate(option, body string) rated {
	r.t.Helper()
	var out rated
	r.call("rate", http.MethodPost, "/api/rating/v2409/"+option, body).into(r.t, &out)
	return out
}

func (r *rated) codes() []string {
	var codes []string
	for _, row := range r.RateResponse.RatedShipment {
		codes = append(codes, row.Service.Code)
	}
	return codes
}

func TestShop(t *testing.T) {
	r := newRig(t, ups.Config{})
	out := r.call("rate", http.MethodPost, "/api/rating/v2409/Shop", rateBody("["+pack+"]", ""))
	golden(t, "rate_shop", out.body)
	got := r.rate("Shop", rateBody("["+pack+"]", ""))
	if want := []string{"14", "01", "13", "59", "02", "12", "03"}; !slices.Equal(got.codes(), want) {
		t.Errorf("services %v, want %v", got.codes(), want)
	}
	var last int64 = 1 << 40
	for _, row := range got.RateResponse.RatedShipment {
		base, transport := cents(t, row.BaseServiceCharge.MonetaryValue), cents(t, row.TransportationCharges.MonetaryValue)
		options, total := cents(t, row.ServiceOptionsCharges.MonetaryValue), cents(t, row.TotalCharges.MonetaryValue)
		items := int64(0)
		for _, i := range row.ItemizedCharges {
			items += cents(t, i.MonetaryValue)
		}
		if base+items != total || transport+options != total {
			t.Errorf("service %s: base %d + items %d and transport %d + options %d, total %d", row.Service.Code, base, items, transport, options, total)
		}
		if n := cents(t, row.NegotiatedRateCharges.TotalCharge.MonetaryValue); n >= total {
			t.Errorf("service %s: negotiated %d is not below %d", row.Service.Code, n, total)
		}
		if total >= last {
			t.Errorf("service %s is not cheaper than the faster one before it", row.Service.Code)
		}
		last = total
	}
}

func TestRateOneService(t *testing.T) {
	r := newRig(t, ups.Config{})
	golden(t, "rate_one", r.call("rate", http.MethodPost, "/api/rating/v2409/Rate", rateBody(pack, `,"Service":{"Code":"03"}`)).body)
	golden(t, "rate_v2205", r.send(http.MethodPost, "/api/rating/v2205/Rate", rateBody(pack, `,"Service":{"Code":"03"}`), map[string]string{"Authorization": "Bearer " + r.token}).body)
	golden(t, "rate_v2403", r.send(http.MethodPost, "/api/rating/v2403/Rate", rateBody(pack, `,"Service":{"Code":"03"}`), map[string]string{"Authorization": "Bearer " + r.token}).body)
}

// A return is rated as what Shipping then charges for it, and only where it is sold.
func TestRateOfAReturn(t *testing.T) {
	r := newRig(t, ups.Config{})
	described := strings.Replace(box, `{"Packaging"`, `{"Description":"Boots","Packaging"`, 1)
	from, back := `,"ShipFrom":`+receiver, `,"ShipmentServiceOptions":{"ReturnService":{"Code":"9"}}`
	there, got := r.rate("Shop", rateBody("["+pack+"]", from)), r.rate("Shop", rateBody("["+pack+"]", from+back))
	if want := []string{"14", "01", "02", "12", "03"}; !slices.Equal(got.codes(), want) {
		t.Errorf("services %v, want %v", got.codes(), want)
	}
	ground := func(x rated) string {
		return x.RateResponse.RatedShipment[len(x.RateResponse.RatedShipment)-1].NegotiatedRateCharges.TotalCharge.MonetaryValue
	}
	if extra := cents(t, ground(got)) - cents(t, ground(there)); extra != 100 {
		t.Errorf("a return costs %d cents more than the way there", extra)
	}
	shipped := r.ship(shipBody(described, "ZPL", from+`,"ReturnService":{"Code":"9"}`))
	if paid := shipped.ShipmentResponse.ShipmentResults.NegotiatedRateCharges.TotalCharge.MonetaryValue; paid != ground(got) {
		t.Errorf("a return is rated at %s and shipped for %s", ground(got), paid)
	}
	for what, body := range map[string]string{
		"111210": rateBody(pack, from+back+`,"Service":{"Code":"13"}`),
		"111211": rateBody(pack, from+strings.Replace(back, `"9"`, `"2"`, 1)+`,"Service":{"Code":"03"}`),
	} {
		if out := r.call("rate", http.MethodPost, "/api/rating/v2409/Rate", body); out.code(t) != what {
			t.Errorf("%s, want %s", out.body, what)
		}
	}
}

// What is one element and what a list depends on the version asked for.
func TestShapesByVersion(t *testing.T) {
	r := newRig(t, ups.Config{})
	for version, want := range map[string][2]byte{"v1": {'{', '{'}, "v2205": {'{', '{'}, "v2403": {'{', '['}, "v2409": {'[', '['}} {
		out := r.send(http.MethodPost, "/api/rating/"+version+"/Rate", rateBody(pack, `,"Service":{"Code":"03"}`), map[string]string{"Authorization": "Bearer " + r.token})
		var got struct {
			RateResponse struct{ RatedShipment json.RawMessage }
		}
		out.into(t, &got)
		row := got.RateResponse.RatedShipment
		if row[0] == '[' {
			var rows []json.RawMessage
			if err := json.Unmarshal(row, &rows); err != nil {
				t.Fatal(err)
			}
			row = rows[0]
		}
		var inner struct{ RatedPackage, RatedShipmentAlert json.RawMessage }
		if err := json.Unmarshal(row, &inner); err != nil {
			t.Fatal(err)
		}
		if got.RateResponse.RatedShipment[0] != want[0] || inner.RatedPackage[0] != want[1] || inner.RatedShipmentAlert[0] != want[1] {
			t.Errorf("%s: RatedShipment %c, RatedPackage %c, alert %c; want %c, %c", version, got.RateResponse.RatedShipment[0], inner.RatedPackage[0], inner.RatedShipmentAlert[0], want[0], want[1])
		}
	}
}

func TestTransitTimes(t *testing.T) {
	r := newRig(t, ups.Config{})
	golden(t, "rate_shop_transit", r.call("rate", http.MethodPost, "/api/rating/v2409/Shoptimeintransit", rateBody(pack, ","+whenReady)).body)
	if got := r.rate("Shop", rateBody(pack, ","+whenReady)); got.RateResponse.RatedShipment[0].TimeInTransit != nil {
		t.Error("times came without being asked for")
	}
	if got := r.rate("Shop?additionalinfo=timeintransit", rateBody(pack, ","+whenReady)); got.RateResponse.RatedShipment[0].TimeInTransit == nil {
		t.Error("no times with additionalinfo")
	}
	if got := r.rate("Ratetimeintransit", rateBody(pack, `,"Service":{"Code":"03"}`)); got.RateResponse.RatedShipment[0].TimeInTransit != nil {
		t.Error("times came without DeliveryTimeInformation")
	}
	got := r.rate("Ratetimeintransit", rateBody(pack, `,"Service":{"Code":"03"},`+strings.Replace(whenReady, "1000", "1900", 1)))
	sum := got.RateResponse.RatedShipment[0].TimeInTransit.ServiceSummary.EstimatedArrival
	// After the cutoff of Monday the parcel leaves on Tuesday; five business days later is the next Tuesday.
	if sum.Arrival.Date != "20260310" || sum.BusinessDaysInTransit != "5" || sum.RestDays != "2" || sum.DayOfWeek != "TUE" {
		t.Errorf("Ground on Monday evening arrives %+v", sum)
	}
}

// With AvailableServicesOption a service that can deliver on Saturday comes twice.
func TestSaturdayTwins(t *testing.T) {
	r := newRig(t, ups.Config{})
	friday := strings.Replace(whenReady, "20260302", "20260306", 1)
	got := r.rate("Shoptimeintransit", rateBody(pack, `,"ShipmentServiceOptions":{"AvailableServicesOption":"1"},`+friday))
	seen := map[string][]string{}
	for _, row := range got.RateResponse.RatedShipment {
		seen[row.Service.Code] = append(seen[row.Service.Code], row.TimeInTransit.ServiceSummary.SaturdayDelivery)
	}
	if !slices.Equal(seen["01"], []string{"1", "0"}) || !slices.Equal(seen["02"], []string{"0"}) {
		t.Errorf("rows by service: %v", seen)
	}
	if got := r.rate("Shoptimeintransit", rateBody(pack, ","+friday)); len(got.codes()) != 7 {
		t.Errorf("twins came without the option: %v", got.codes())
	}
	out := r.call("rate", http.MethodPost, "/api/rating/v2409/Rate", rateBody(pack, `,"Service":{"Code":"03"},"ShipmentServiceOptions":{"SaturdayDeliveryIndicator":""}`))
	if out.code(t) != "111211" {
		t.Errorf("Ground on Saturday: %s", out.body)
	}
}

func TestPriceFollowsTheParcel(t *testing.T) {
	r := newRig(t, ups.Config{})
	one := func(change ...string) ratedRow {
		t.Helper()
		return r.rate("Rate", strings.NewReplacer(change...).Replace(rateBody("["+pack+"]", `,"Service":{"Code":"03"}`))).RateResponse.RatedShipment[0]
	}
	plain := one("-", "-")
	total := func(row ratedRow) int64 { return cents(t, row.TotalCharges.MonetaryValue) }
	for name, tc := range map[string]struct {
		row  ratedRow
		more bool
	}{
		"heavier":        {one(`"5.0"`, `"25"`), true},
		"weight number":  {one(`"Weight":"5.0"`, `"Weight":25`), true},
		"bulky":          {one(`"8"`, `"30"`, `"4"`, `"20"`), true},
		"signature":      {one(`"PackagingType"`, `"PackageServiceOptions":{"DeliveryConfirmation":{"DCISType":"2"}},"PackagingType"`), true},
		"declared value": {one(`"PackagingType"`, `"PackageServiceOptions":{"DeclaredValue":{"CurrencyCode":"USD","MonetaryValue":"500"}},"PackagingType"`), true},
		"not home":       {one(`,"ResidentialAddressIndicator":""`, ``), false},
		"near":           {one(`"CA"`, `"NJ"`, `90012`, `07001`), false},
	} {
		if (total(tc.row) > total(plain)) != tc.more || total(tc.row) == total(plain) {
			t.Errorf("%s costs %d, plain %d, dearer must be %v", name, total(tc.row), total(plain), tc.more)
		}
	}
	// 10 x 8 x 4 is 2.3 lb by size; 40 x 30 x 20 over 139 is 173.
	if got := one(`"10"`, `"40"`, `"8"`, `"30"`, `"4"`, `"20"`).BillingWeight.Weight; got != "173.0" {
		t.Errorf("billed %s lb by size, want 173.0", got)
	}
	metric := one("LBS", "KGS", `"5.0"`, `"10"`)
	if metric.BillingWeight.Weight != "23.0" {
		t.Errorf("10 kg are billed as %s lb, want 23.0", metric.BillingWeight.Weight)
	}
	if got := one("WB0001", "WB0002"); got.NegotiatedRateCharges != nil {
		t.Error("an account without a discount got negotiated rates")
	}
	if got := one(`"NegotiatedRatesIndicator":""`, ``); got.NegotiatedRateCharges != nil {
		t.Error("negotiated rates came without being asked for")
	}
}

func TestRoundingOfSides(t *testing.T) {
	body := strings.NewReplacer(`"10"`, `"20.4"`, `"8"`, `"20.4"`, `"4"`, `"20.4"`).Replace(rateBody(pack, `,"Service":{"Code":"03"}`))
	for up, want := range map[bool]string{false: "58.0", true: "67.0"} {
		r := newRig(t, ups.Config{Quirks: ups.Quirks{RoundSidesUp: up}})
		if got := r.rate("Rate", body).RateResponse.RatedShipment[0].BillingWeight.Weight; got != want {
			t.Errorf("rounding up is %v: billed %s, want %s", up, got, want)
		}
	}
}

func TestAbroad(t *testing.T) {
	r := newRig(t, ups.Config{})
	body := strings.Replace(rateBody(pack, ""), receiver, german, 1)
	got := r.rate("Shop", body)
	if want := []string{"54", "07", "65", "08"}; !slices.Equal(got.codes(), want) {
		t.Errorf("to Germany %v, want %v", got.codes(), want)
	}
	canada := strings.NewReplacer(`"DE"`, `"CA"`, `"10117"`, `"K1A 0B1"`).Replace(body)
	if got := r.rate("Shop", canada); !slices.Contains(got.codes(), "11") {
		t.Errorf("to Canada %v, Standard is missing", got.codes())
	}
}

func TestRateRefusals(t *testing.T) {
	r := newRig(t, ups.Config{})
	for name, tc := range map[string]struct {
		change [2]string
		code   string
	}{
		"service not sold":       {[2]string{`"Code":"03"`, `"Code":"99"`}, "111100"},
		"service not there":      {[2]string{receiver, german}, "111210"},
		"three days to Hawaii":   {[2]string{`"Los Angeles","StateProvinceCode":"CA","PostalCode":"90012"`, `"Honolulu","StateProvinceCode":"HI","PostalCode":"96813"`}, ""},
		"postal code":            {[2]string{`90012`, `10012`}, "111285"},
		"no such postal code":    {[2]string{`90012`, `00012`}, "111285"},
		"postal code of letters": {[2]string{`90012`, `9001A`}, "111285"},
		"account":                {[2]string{`WB0001`, `XX9999`}, "112111"},
		"no account":             {[2]string{`"ShipperNumber":"WB0001",`, ``}, "112111"},
		"packaging":              {[2]string{`"PackagingType"`, `"Packaging"`}, "111212"},
		"no weight":              {[2]string{`"Weight":"5.0"`, `"Weight":""`}, "110601"},
		"weight of words":        {[2]string{`"Weight":"5.0"`, `"Weight":"five"`}, "110601"},
		"zero weight":            {[2]string{`"Weight":"5.0"`, `"Weight":"0"`}, "111030"},
		"over weight":            {[2]string{`"Weight":"5.0"`, `"Weight":"151"`}, "111035"},
		"one side":               {[2]string{`"Length":"10","Width":"8",`, `"Length":"10",`}, "110602"},
		"zero side":              {[2]string{`"Length":"10"`, `"Length":"0"`}, "110609"},
		"too long":               {[2]string{`"Length":"10"`, `"Length":"109"`}, "111055"},
		"too large":              {[2]string{`"Length":"10","Width":"8"`, `"Length":"100","Width":"40"`}, "111050"},
		"no shipper address":     {[2]string{shipper, `{"ShipperNumber":"WB0001"}`}, "10002"},
		"no packages":            {[2]string{pack, `[]`}, "110601"},
	} {
		t.Run(name, func(t *testing.T) {
			before := rateBody(pack, `,"Service":{"Code":"03"}`)
			body := strings.Replace(before, tc.change[0], tc.change[1], 1)
			if body == before {
				t.Fatal("the change changes nothing")
			}
			out := r.call("rate", http.MethodPost, "/api/rating/v2409/Rate", body)
			switch {
			case tc.code == "" && out.status == 200:
				// Ground goes there; the truck of three days does not.
				out = r.call("rate", http.MethodPost, "/api/rating/v2409/Rate", strings.Replace(body, `"Code":"03"`, `"Code":"12"`, 1))
				if out.code(t) != "111210" {
					t.Errorf("3 Day Select: %d %s", out.status, out.body)
				}
			case out.status != 400 || out.code(t) != tc.code:
				t.Errorf("%d %s, want 400 %s", out.status, out.body, tc.code)
			}
		})
	}
}
