package ups_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/png"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/ups"
)

const day = 24 * time.Hour

// ledger lists the records of a reference as "kind amount".
func (r *rig) ledger(reference string) []string {
	var lines []string
	for _, rec := range r.sim.World().Ledger().Records(simulator.LedgerQuery{Carrier: ups.Name, Reference: reference}) {
		lines = append(lines, fmt.Sprintf("%s %d", rec.Kind, rec.Amount))
	}
	return lines
}

func TestShip(t *testing.T) {
	r := newRig(t, ups.Config{})
	out := r.call("ship", http.MethodPost, "/api/shipments/v2409/ship", shipBody("["+box+"]", "ZPL", ""))
	golden(t, "ship_zpl", out.body)
	var b booked
	out.into(t, &b)
	if !strings.HasPrefix(b.id(), "1ZWB000103") || b.number(0) != b.id() {
		t.Errorf("shipment %s, parcel %s", b.id(), b.number(0))
	}
	res := b.ShipmentResponse.ShipmentResults
	want := []string{"booking 0", fmt.Sprintf("charge %d", cents(t, res.NegotiatedRateCharges.TotalCharge.MonetaryValue))}
	if diff := cmp.Diff(want, r.ledger("order-1")); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	// What Rating says is what Ship charges.
	quoted := r.rate("Rate", rateBody("["+pack+"]", `,"Service":{"Code":"03"}`)).RateResponse.RatedShipment[0]
	if quoted.NegotiatedRateCharges.TotalCharge.MonetaryValue != res.NegotiatedRateCharges.TotalCharge.MonetaryValue ||
		quoted.TotalCharges.MonetaryValue != res.ShipmentCharges.TotalCharges.MonetaryValue {
		t.Errorf("rated %+v, shipped %+v", quoted, res)
	}
}

// The carrier knows no idempotency: the same request twice is two shipments.
func TestTheSameReferenceTwice(t *testing.T) {
	r := newRig(t, ups.Config{})
	first, second := r.ship(shipBody(box, "ZPL", "")), r.ship(shipBody(box, "ZPL", ""))
	if first.id() == second.id() {
		t.Fatal("both shipments have one number")
	}
	if got := r.sim.World().Ledger().Totals()[ups.Name]; got.Bookings != 2 || got.LiveBookings != 2 {
		t.Errorf("totals %+v, want two live bookings", got)
	}
	out := r.recover(`"ReferenceValues":{"ReferenceNumber":{"Value":"order-1"},"ShipperNumber":"WB0001"}`)
	if out.code(t) != "300001" {
		t.Errorf("recovery of a doubled reference: %s", out.body)
	}
	var track tracked
	r.call("track", http.MethodGet, "/api/track/v1/reference/details/order-1", "").into(t, &track)
	if len(track.TrackResponse.Shipment) != 2 {
		t.Errorf("tracking by reference finds %d, want 2", len(track.TrackResponse.Shipment))
	}
}

func TestSeveralParcels(t *testing.T) {
	r := newRig(t, ups.Config{})
	other := strings.Replace(box, "order-1", "order-1b", 1)
	body := shipBody("["+box+","+other+"]", "ZPL", "")
	out := r.call("ship", http.MethodPost, "/api/shipments/v2409/ship", body)
	golden(t, "ship_two", out.body)
	var b booked
	out.into(t, &b)
	if b.number(0) == b.number(1) || b.id() != b.number(0) {
		t.Errorf("shipment %s, parcels %s and %s", b.id(), b.number(0), b.number(1))
	}
	// The second parcel and its reference lead to the same shipment.
	var track tracked
	r.call("track", http.MethodGet, "/api/track/v1/details/"+b.number(1), "").into(t, &track)
	if p := track.TrackResponse.Shipment[0].Package; len(p) != 1 || p[0].TrackingNumber != b.number(1) || p[0].PackageCount != 2 {
		t.Errorf("tracking the second parcel: %+v", p)
	}
	track = tracked{}
	r.call("track", http.MethodGet, "/api/track/v1/shipment/details/"+b.id(), "").into(t, &track)
	if p := track.TrackResponse.Shipment[0].Package; len(p) != 2 {
		t.Errorf("tracking the shipment: %d parcels, want 2", len(p))
	}
	var rec recovered
	r.recover(`"ReferenceValues":{"ReferenceNumber":{"Value":"order-1b"},"ShipperNumber":"WB0001"}`).into(t, &rec)
	if rec.LabelRecoveryResponse.ShipmentIdentificationNumber != b.id() || len(rec.LabelRecoveryResponse.LabelResults) != 2 {
		t.Errorf("recovery by the second reference: %+v", rec)
	}
	// Old versions write one parcel without its array, and two with it.
	for body, want := range map[string]string{body: `"PackageResults":[`, shipBody(box, "ZPL", ""): `"PackageResults":{`} {
		out := r.send(http.MethodPost, "/api/shipments/v2205/ship", body, map[string]string{"Authorization": "Bearer " + r.token})
		if !bytes.Contains(out.body, []byte(want)) {
			t.Errorf("v2205 has no %s: %.200s", want, out.body)
		}
	}
}

func TestLabels(t *testing.T) {
	r := newRig(t, ups.Config{})
	for format, begins := range map[string]string{"GIF": "GIF8", "PNG": "\x89PNG", "ZPL": "^XA", "EPL": "\nN\n"} {
		b := r.ship(shipBody(box, format, ""))
		label := b.ShipmentResponse.ShipmentResults.PackageResults[0].ShippingLabel
		raw, err := base64.StdEncoding.DecodeString(label.GraphicImage)
		if err != nil || !strings.HasPrefix(string(raw), begins) || label.ImageFormat.Code != format {
			t.Fatalf("%s label is %s %.10q, %v", format, label.ImageFormat.Code, raw, err)
		}
		page, err := base64.StdEncoding.DecodeString(label.HTMLImage)
		if picture := format == "GIF" || format == "PNG"; err != nil || bytes.Contains(page, []byte("<img")) != picture {
			t.Errorf("%s label comes with the page %q, %v", format, page, err)
		}
		if !bytes.Contains(raw, []byte(b.id())) && (format == "ZPL" || format == "EPL") {
			t.Errorf("%s label does not carry %s", format, b.id())
		}
		if format != "GIF" && format != "PNG" {
			continue
		}
		img, _, err := image.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		bmp, err := gozxing.NewBinaryBitmapFromImage(img)
		if err != nil {
			t.Fatal(err)
		}
		read, err := oned.NewCode128Reader().Decode(bmp, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
		if err != nil || read.GetText() != b.id() {
			t.Errorf("%s label of %s reads %v, %v", format, b.id(), read, err)
		}
	}
	golden(t, "ship_gif", r.call("ship", http.MethodPost, "/api/shipments/v2409/ship", shipBody(box, "GIF", "")).body)
}

func TestReturns(t *testing.T) {
	r := newRig(t, ups.Config{})
	described := strings.Replace(box, `{"Packaging"`, `{"Description":"Boots","Packaging"`, 1)
	back := func(code string) string {
		return shipBody(described, "ZPL", `,"ShipFrom":`+receiver+`,"ReturnService":{"Code":"`+code+`"}`)
	}
	golden(t, "ship_return", r.call("ship", http.MethodPost, "/api/shipments/v2409/ship", back("9")).body)
	out := r.call("ship", http.MethodPost, "/api/shipments/v2409/ship", back("8"))
	if !bytes.Contains(out.body, []byte(`"LabelURL"`)) || bytes.Contains(out.body, []byte("GraphicImage")) {
		t.Errorf("an electronic return label is a link: %s", out.body)
	}
	for name, tc := range map[string]struct{ body, code string }{
		"code":           {back("7"), "121210"},
		"service":        {strings.Replace(back("9"), `"Code":"03"`, `"Code":"13"`, 1), "121210"},
		"no sender":      {shipBody(described, "ZPL", `,"ReturnService":{"Code":"9"}`), "120803"},
		"no description": {shipBody(box, "ZPL", `,"ShipFrom":`+receiver+`,"ReturnService":{"Code":"9"}`), "120512"},
	} {
		if out := r.call("ship", http.MethodPost, "/api/shipments/v2409/ship", tc.body); out.code(t) != tc.code {
			t.Errorf("%s: %s, want %s", name, out.body, tc.code)
		}
	}
}

func TestShipRefusals(t *testing.T) {
	r := newRig(t, ups.Config{})
	for name, tc := range map[string]struct {
		change [2]string
		code   string
	}{
		"address line":      {[2]string{`"200 N Spring St","Apt 5"`, ``}, "120202"},
		"no receiver":       {[2]string{`"ShipTo":` + receiver, `"ShipTo":{}`}, "120202"},
		"state":             {[2]string{`"StateProvinceCode":"CA",`, ``}, "120206"},
		"no postal code":    {[2]string{`"PostalCode":"90012",`, ``}, "120207"},
		"country":           {[2]string{`"PostalCode":"90012","CountryCode":"US"`, `"PostalCode":"90012"`}, "120208"},
		"phone":             {[2]string{`2135550142`, `12345`}, "120209"},
		"receiver's state":  {[2]string{`90012`, `10012`}, "120802"},
		"shipper's state":   {[2]string{`10118`, `90118`}, "120801"},
		"sender's state":    {[2]string{`"Service":{`, `"ShipFrom":` + strings.Replace(shipper, "10118", "90118", 1) + `,"Service":{`}, "120803"},
		"shipper number":    {[2]string{`"ShipperNumber":"WB0001"`, `"ShipperNumber":"1"`}, "120100"},
		"no shipper":        {[2]string{`"Shipper":` + shipper, `"Shipper":{}`}, "120100"},
		"foreign account":   {[2]string{`"ShipperNumber":"WB0001"`, `"ShipperNumber":"XX9999"`}, "120122"},
		"payment":           {[2]string{`"PaymentInformation"`, `"PaymentDetails"`}, "120400"},
		"service":           {[2]string{`"Service":{"Code":"03"}`, `"Service":{}`}, "120500"},
		"service not there": {[2]string{`"Code":"03"`, `"Code":"07"`}, "121210"},
		"Saturday":          {[2]string{`"Service":{`, `"ShipmentServiceOptions":{"SaturdayDeliveryIndicator":""},"Service":{`}, "121211"},
		"packaging":         {[2]string{`"Packaging"`, `"PackagingType"`}, "120600"},
		"no packages":       {[2]string{box, `[]`}, "120600"},
		"no weight":         {[2]string{`"Weight":"5.0"`, `"Weight":""`}, "120601"},
		"zero weight":       {[2]string{`"Weight":"5.0"`, `"Weight":"0"`}, "121030"},
		"over weight":       {[2]string{`"Weight":"5.0"`, `"Weight":"150.1"`}, "121035"},
		"one side":          {[2]string{`"Length":"10",`, ``}, "120602"},
		"zero side":         {[2]string{`"Length":"10"`, `"Length":"0"`}, "120609"},
		"too long":          {[2]string{`"Length":"10"`, `"Length":"109"`}, "121055"},
		"too large":         {[2]string{`"Length":"10","Width":"8"`, `"Length":"100","Width":"40"`}, "121050"},
		"no label":          {[2]string{`"LabelSpecification"`, `"Labels"`}, "120700"},
		"label format":      {[2]string{`"Code":"ZPL"`, `"Code":"SPL"`}, "120701"},
		"PDF":               {[2]string{`"Code":"ZPL"`, `"Code":"PDF"`}, "120701"},
		"label width":       {[2]string{`"Height":"6","Width":"4"`, `"Height":"6","Width":"5"`}, "120704"},
	} {
		t.Run(name, func(t *testing.T) {
			before := shipBody(box, "ZPL", "")
			body := strings.Replace(before, tc.change[0], tc.change[1], 1)
			if body == before {
				t.Fatal("the change changes nothing")
			}
			out := r.call("ship", http.MethodPost, "/api/shipments/v2409/ship", body)
			if out.status != 400 || out.code(t) != tc.code {
				t.Errorf("%d %s, want 400 %s", out.status, out.body, tc.code)
			}
		})
	}
	if got := r.sim.World().Ledger().Totals()[ups.Name].Bookings; got != 0 {
		t.Errorf("refused requests made %d bookings", got)
	}
	abroad := strings.NewReplacer(receiver, german, `"Code":"03"`, `"Code":"07"`).Replace(shipBody(box, "ZPL", ""))
	if out := r.call("ship", http.MethodPost, "/api/shipments/v2409/ship", abroad); out.code(t) != "120512" {
		t.Errorf("abroad without a description: %s", out.body)
	}
}

func TestHandlingAlert(t *testing.T) {
	r := newRig(t, ups.Config{})
	out := r.call("ship", http.MethodPost, "/api/shipments/v2409/ship", strings.Replace(shipBody(box, "ZPL", ""), `"5.0"`, `"60"`, 1))
	if !bytes.Contains(out.body, []byte(`"Alert":[{"Code":"119001"`)) {
		t.Errorf("60 lb bring no alert: %s", out.body)
	}
}

func TestVoid(t *testing.T) {
	r := newRig(t, ups.Config{})
	b := r.ship(shipBody(box, "ZPL", ""))
	golden(t, "void", r.void(b.id(), "").body)
	charge := cents(t, b.ShipmentResponse.ShipmentResults.NegotiatedRateCharges.TotalCharge.MonetaryValue)
	want := []string{"booking 0", fmt.Sprintf("charge %d", charge), "void 0", fmt.Sprintf("refund %d", charge)}
	if diff := cmp.Diff(want, r.ledger("order-1")); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	if out := r.void(b.id(), ""); out.status != 400 || out.code(t) != "190117" {
		t.Errorf("second void: %d %s", out.status, out.body)
	}
	if diff := cmp.Diff(want, r.ledger("order-1")); diff != "" {
		t.Errorf("ledger after the second void (-want +got):\n%s", diff)
	}
	var track tracked
	r.call("track", http.MethodGet, "/api/track/v1/details/"+b.id(), "").into(t, &track)
	if p := track.TrackResponse.Shipment[0].Package[0]; p.Activity[0].Status.Type != "MV" || p.CurrentStatus.Code != "007" {
		t.Errorf("voided parcel tracks as %+v", p)
	}
	if out := r.recover(`"TrackingNumber":"` + b.id() + `"`); out.code(t) != "300033" {
		t.Errorf("label of a voided shipment: %s", out.body)
	}
}

func TestVoidWindows(t *testing.T) {
	t.Run("after the pickup scan", func(t *testing.T) {
		r := newRig(t, ups.Config{})
		b := r.ship(shipBody(box, "ZPL", ""))
		r.advance(12 * time.Hour)
		r.token = r.newToken()
		if out := r.void(b.id(), ""); out.code(t) != "190103" {
			t.Errorf("%s", out.body)
		}
	})
	t.Run("at the end of the window", func(t *testing.T) {
		r := newRig(t, ups.Config{Pace: ups.PaceManual})
		b, c := r.ship(shipBody(box, "ZPL", "")), r.ship(shipBody(box, "ZPL", ""))
		r.advance(28 * day)
		r.token = r.newToken()
		if out := r.void(b.id(), ""); out.status != 200 {
			t.Errorf("on the last day: %s", out.body)
		}
		r.advance(time.Second)
		if out := r.void(c.id(), ""); out.code(t) != "190101" {
			t.Errorf("after it: %s", out.body)
		}
	})
}

func TestVoidRefusals(t *testing.T) {
	r := newRig(t, ups.Config{Clients: []ups.Client{ups.DevClient, {ID: "other", Secret: "s", Accounts: []ups.Account{{Number: "OTHER1"}}}}})
	b := r.ship(shipBody("["+box+","+box+"]", "ZPL", ""))
	many := `?trackingnumber=` + url.QueryEscape(`["`+strings.Join(strings.Split(strings.Repeat("1ZWB00010300000000,", 21), ","), `","`)+`"]`)
	for name, tc := range map[string]struct{ id, query, code string }{
		"unknown":          {"1ZWB00010300000000", "", "190102"},
		"no number":        {"12345", "", "190100"},
		"second parcel":    {b.number(1), "", "190102"},
		"placeholder":      {b.id(), "?trackingnumber=string", "190102"},
		"malformed parcel": {b.id(), "?trackingnumber=1Z", "190109"},
		"foreign parcel":   {b.id(), "?trackingnumber=1ZWB00010300000000", "190110"},
		"only foreign":     {b.id(), `?trackingnumber=` + url.QueryEscape(`["1ZWB00010300000000","1ZWB00010300000001"]`), "190121"},
		"more than twenty": {b.id(), many, "190122"},
	} {
		if out := r.void(tc.id, tc.query); out.status != 400 || out.code(t) != tc.code {
			t.Errorf("%s: %d %s, want %s", name, out.status, out.body, tc.code)
		}
	}
	foreign := r.askToken("other", "s", "grant_type=client_credentials")
	var token struct {
		Value string `json:"access_token"`
	}
	foreign.into(t, &token)
	own := r.token
	r.token = token.Value
	if out := r.void(b.id(), ""); out.code(t) != "190102" {
		t.Errorf("another client's shipment: %s", out.body)
	}
	r.token = own
	abroad := strings.NewReplacer(receiver, german, `"Code":"03"`, `"Code":"07"`).Replace(shipBody("["+box+","+box+"]", "ZPL", `,"Description":"Boots"`))
	c := r.ship(abroad)
	if out := r.void(c.id(), "?trackingnumber="+c.number(1)); out.code(t) != "190113" {
		t.Errorf("one parcel of a shipment abroad: %s", out.body)
	}
	described := strings.Replace(box, `{"Packaging"`, `{"Description":"Boots","Packaging"`, 1)
	d := r.ship(shipBody("["+described+","+described+"]", "ZPL", `,"ShipFrom":`+receiver+`,"ReturnService":{"Code":"9"}`))
	if out := r.void(d.id(), "?trackingnumber="+d.number(1)); out.code(t) != "190112" {
		t.Errorf("one parcel of a return: %s", out.body)
	}
}

func TestVoidByParcel(t *testing.T) {
	r := newRig(t, ups.Config{})
	b := r.ship(shipBody("["+box+","+box+","+box+"]", "ZPL", ""))
	golden(t, "void_parcel", r.void(b.id(), "?trackingnumber="+b.number(1)).body)
	if got := r.sim.World().Ledger().Totals()[ups.Name]; got.LiveBookings != 1 || got.Refunded["USD"] == 0 {
		t.Errorf("after a part: %+v, want a live booking and a refund", got)
	}
	var track tracked
	r.call("track", http.MethodGet, "/api/track/v1/shipment/details/"+b.id(), "").into(t, &track)
	kinds := ""
	for _, p := range track.TrackResponse.Shipment[0].Package {
		kinds += p.Activity[0].Status.Type + " "
	}
	if kinds != "M MV M " {
		t.Errorf("parcels track as %q, want the second voided", kinds)
	}
	rest := url.QueryEscape(`["` + b.number(0) + `","` + b.number(1) + `","` + b.number(2) + `"]`)
	golden(t, "void_parcels", r.void(b.id(), "?trackingnumber="+rest).body)
	if got := r.sim.World().Ledger().Totals()[ups.Name]; got.LiveBookings != 0 || got.Outstanding["USD"] != 0 {
		t.Errorf("after all: %+v, want nothing live and nothing outstanding", got)
	}
}

// TestLedgerFollowsTheStates leads shipments at random, by hand and by requests, and compares ledger and state after each step.
func TestLedgerFollowsTheStates(t *testing.T) {
	r, n := newRig(t, ups.Config{Pace: ups.PaceManual}), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		reference := fmt.Sprintf("walk-%d", n)
		parcel := strings.Replace(box, "order-1", reference, 1)
		b := r.ship(shipBody("["+parcel+","+parcel+","+parcel+"]", "ZPL", ""))
		charge := cents(t, b.ShipmentResponse.ShipmentResults.NegotiatedRateCharges.TotalCharge.MonetaryValue)
		gone := map[int]bool{}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			v, _ := r.sim.World().Entity(ups.Name, b.id())
			was := v.State
			switch {
			case rapid.IntRange(0, 2).Draw(rt, "a request") == 0:
				if n := rapid.IntRange(0, 3).Draw(rt, "parcel, 3 for all"); n == 3 {
					r.void(b.id(), "")
				} else if r.void(b.id(), "?trackingnumber="+b.number(n)).status == http.StatusOK {
					gone[n] = true
				}
			case rapid.Bool().Draw(rt, "run to the void") && was == "LABEL_CREATED":
				if _, err := r.sim.World().RunTo(ups.Name, b.id(), "VOIDED"); err != nil {
					rt.Fatal(err)
				}
			case len(v.Next) > 0:
				if _, err := r.sim.World().Step(ups.Name, b.id(), rapid.SampledFrom(v.Next).Draw(rt, "step").To, ""); err != nil {
					rt.Fatal(err)
				}
			}
			v, _ = r.sim.World().Entity(ups.Name, b.id())
			sums := simulator.Sum(r.sim.World().Ledger().Records(simulator.LedgerQuery{Reference: reference}))
			wantLive, left := 1, sums.Outstanding["USD"]
			if v.State == "VOIDED" {
				wantLive = 0
			}
			if sums.Bookings != 1 || sums.LiveBookings != wantLive || sums.Charged["USD"] != charge ||
				(left == 0) != (v.State == "VOIDED") || (left == charge) != (v.State != "VOIDED" && len(gone) == 0) {
				rt.Fatalf("%s after %s, parcels %v void: %+v", v.State, was, gone, sums)
			}
		}
	})
}

// recovered is what tests read of a Label Recovery answer.
type recovered struct {
	LabelRecoveryResponse struct {
		ShipmentIdentificationNumber string
		LabelResults                 []struct {
			TrackingNumber string
			LabelImage     struct {
				LabelImageFormat struct{ Code string }
				GraphicImage     string
			}
		}
	}
}

func (r *rig) recover(what string) reply {
	return r.call("label", http.MethodPost, "/api/labels/v1/recovery", `{"LabelRecoveryRequest":{"LabelSpecification":{"LabelImageFormat":{"Code":"ZPL"}},`+what+`}}`)
}

func TestLabelRecovery(t *testing.T) {
	r := newRig(t, ups.Config{})
	b := r.ship(shipBody("["+box+","+box+"]", "ZPL", ""))
	golden(t, "label", r.recover(`"TrackingNumber":"`+b.number(1)+`"`).body)
	var byRef recovered
	r.recover(`"ReferenceValues":{"ReferenceNumber":{"Value":"order-1"},"ShipperNumber":"WB0001"}`).into(t, &byRef)
	if got := byRef.LabelRecoveryResponse; got.ShipmentIdentificationNumber != b.id() || len(got.LabelResults) != 2 ||
		got.LabelResults[1].LabelImage.GraphicImage != b.ShipmentResponse.ShipmentResults.PackageResults[1].ShippingLabel.GraphicImage {
		t.Errorf("by reference: %+v; want both labels as they were booked", got)
	}
	var pdf recovered
	r.call("label", http.MethodPost, "/api/labels/v1/recovery",
		`{"LabelRecoveryRequest":{"LabelSpecification":{"LabelImageFormat":{"Code":"PDF"}},"TrackingNumber":"`+b.id()+`"}}`).into(t, &pdf)
	if got := pdf.LabelRecoveryResponse.LabelResults[0].LabelImage; !strings.HasPrefix(got.GraphicImage, "JVBERi") {
		t.Errorf("PDF begins %.12s", got.GraphicImage)
	}
	for name, tc := range map[string]struct{ what, code string }{
		"nothing":         {`"Request":{}`, "300005"},
		"no shipper":      {`"ReferenceValues":{"ReferenceNumber":{"Value":"order-1"}}`, "300005"},
		"other shipper":   {`"ReferenceValues":{"ReferenceNumber":{"Value":"order-1"},"ShipperNumber":"WB0002"}`, "300007"},
		"other reference": {`"ReferenceValues":{"ReferenceNumber":{"Value":"order-2"},"ShipperNumber":"WB0001"}`, "300007"},
		"unknown":         {`"TrackingNumber":"1ZWB00010300000000"`, "300007"},
		"malformed":       {`"TrackingNumber":"12"`, "300014"},
		"format":          {`"TrackingNumber":"` + b.id() + `","LabelSpecification":{"LabelImageFormat":{"Code":"SPL"}}`, "120701"},
	} {
		if out := r.recover(tc.what); out.status != 400 || out.code(t) != tc.code {
			t.Errorf("%s: %d %s, want %s", name, out.status, out.body, tc.code)
		}
	}
	if out := r.call("label", http.MethodPost, "/api/labels/v1/recovery", `{}`); out.code(t) != "10002" {
		t.Errorf("empty: %s", out.body)
	}
	r.advance(181 * day)
	r.token = r.newToken()
	if out := r.recover(`"TrackingNumber":"` + b.id() + `"`); out.code(t) != "300006" {
		t.Errorf("expired: %s", out.body)
	}
}

// Many callers at once: every shipment gets a number of its own, and the books balance.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t, ups.Config{Pace: ups.PaceManual})
	const callers, each = 8, 10
	auth := map[string]string{"Authorization": "Bearer " + r.token}
	failed := make(chan string, callers*each)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				body := strings.Replace(shipBody("["+box+","+box+"]", "ZPL", ""), "order-1", fmt.Sprintf("order-%d", (c+i)%5), 1)
				var b booked
				out := r.send(http.MethodPost, "/api/shipments/v2409/ship", body, auth)
				if err := json.Unmarshal(out.body, &b); err != nil || out.status != 200 {
					failed <- fmt.Sprintf("ship: %d %s", out.status, out.body)
					return
				}
				if out := r.send(http.MethodGet, "/api/track/v1/details/"+b.number(1), "", auth); !bytes.Contains(out.body, []byte(b.number(1))) {
					failed <- fmt.Sprintf("track: %d %s", out.status, out.body)
				}
				if out := r.send(http.MethodDelete, "/api/shipments/v2409/void/cancel/"+b.id(), "", auth); out.status != 200 {
					failed <- fmt.Sprintf("void: %d %s", out.status, out.body)
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for f := range failed {
		t.Error(f)
	}
	got := r.sim.World().Ledger().Totals()[ups.Name]
	if got.Bookings != callers*each || got.LiveBookings != 0 || got.Outstanding["USD"] != 0 {
		t.Errorf("totals %+v, want %d bookings, none live, nothing outstanding", got, callers*each)
	}
}

func TestDescribe(t *testing.T) {
	d, err := ups.New(ups.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, ups.Config{Pace: ups.PaceManual})
	b := r.ship(shipBody("["+box+","+box+"]", "ZPL", ""))
	if out := r.void(b.id(), "?trackingnumber="+b.number(1)); out.status != 200 {
		t.Fatalf("void: %s", out.body)
	}
	var raw []byte
	r.sim.World().Do(func(tx *simulator.Tx) { raw, err = json.Marshal(d.Describe(tx.Find(ups.Name, b.id()))) })
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "describe", raw)
	if got := d.Describe(&simulator.Entity{}); got != nil {
		t.Errorf("an entity of another kind is described as %v", got)
	}
}
