package main

import (
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/sdk/carrier"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

func TestManyForms(t *testing.T) {
	for in, want := range map[string]int{
		`{"v":[{"Code":"1"},{"Code":"2"}]}`: 2, `{"v":{"Code":"1"}}`: 1, `{"v":""}`: 0, `{"v":null}`: 0, `{}`: 0, `{"v":[]}`: 0,
		`{"v":["",{"Code":"1"},null,[]]}`: 1, `{"v":7}`: 0,
	} {
		var out struct {
			V many[coded] `json:"v"`
		}
		if err := decode([]byte(in), &out); err != nil || len(out.V) != want || want > 0 && out.V[0].Code != "1" {
			t.Errorf("%s: %+v, %v", in, out, err)
		}
	}
	for in, want := range map[string][]text{
		`{"v":["a","b"]}`: {"a", "b"}, `{"v":"a"}`: {"a"}, `{"v":[1]}`: {"1"}, `{"v":{"x":1}}`: nil,
	} {
		var out struct {
			V many[text] `json:"v"`
		}
		if err := decode([]byte(in), &out); err != nil || !slices.Equal(out.V, want) {
			t.Errorf("%s: %+v, %v", in, out, err)
		}
	}
}

func TestTextAndMark(t *testing.T) {
	for in, want := range map[string]text{`" a "`: "a", `1.50`: "1.50", `true`: "true", `null`: "", `{}`: "", `"&#xD;&#xD;1"`: "1"} {
		var got text
		if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("%s is %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]mark{`{"v":""}`: true, `{"v":"Y"}`: true, `{"v":{}}`: true, `{}`: false, `{"v":null}`: false, `{"v":false}`: false} {
		var got struct {
			V mark `json:"v"`
		}
		if err := json.Unmarshal([]byte(in), &got); err != nil || got.V != want {
			t.Errorf("%s is %t, %v", in, got.V, err)
		}
	}
}

// TestFastMoneyIsExactMoney holds the short way of reading an amount against the exact one.
func TestFastMoneyIsExactMoney(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.StringMatching(`-?[0-9]{0,13}\.[0-9]{0,3}`), rapid.StringMatching(`[1-9][0-9]{0,9}\.[0-9]{2}`)).Draw(t, "amount")
		currency := rapid.SampledFrom([]string{"USD", "JPY", "KWD", "XXX"}).Draw(t, "currency")
		fast, ok := cents(s, currency)
		if !ok {
			return
		}
		d, err := shipping.ParseDecimal(trimZeros(s))
		if err != nil {
			t.Fatalf("%q was read as %v", s, fast)
		}
		if exact, err := shipping.BindMoney(d, currency); err != nil || exact != fast {
			t.Fatalf("%q %s is %v fast, %v exact, %v", s, currency, fast, exact, err)
		}
	})
	for _, tt := range []struct {
		value text
		minor int64
	}{{"47.96", 4796}, {"0.00", 0}, {".50", 50}, {"-1.00", -100}, {"30.5", 3050}, {"12", 1200}, {"47.960", 4796}} {
		if m, err := (paid{"USD", tt.value}).money(); err != nil || m.Minor != tt.minor {
			t.Errorf("%s is %v, %v", tt.value, m, err)
		}
	}
	for _, bad := range []text{"", "abc", "1,234.56", "47.961", "1e3000"} {
		if m, err := (paid{"USD", bad}).money(); err == nil {
			t.Errorf("%q is read as %v", bad, m)
		}
	}
}

// trimZeros drops leading zeros, which a JSON number may not have and the short way passes over.
func trimZeros(s string) string {
	s = strings.TrimLeft(s, "0")
	if strings.HasPrefix(s, ".") {
		return "0" + s
	}
	return s
}

// TestMeasuresFit: what is written fits UPS's fields, is never less than what is carried, and never much more.
func TestMeasuresFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := big.NewRat(rapid.Int64Range(1, 99_999_000).Draw(t, "thousandths"), 1000)
		s := weightText(w)
		back, ok := new(big.Rat).SetString(s)
		if !ok || len(s) > 5 || back.Cmp(w) < 0 {
			t.Fatalf("%s is written %q", w.FloatString(4), s)
		}
		if over := new(big.Rat).Sub(back, w); over.Cmp(big.NewRat(1, 1)) >= 0 || w.Cmp(big.NewRat(1000, 1)) < 0 && over.Cmp(big.NewRat(1, 10)) >= 0 {
			t.Fatalf("%s is written %q", w.FloatString(4), s)
		}
	})
	if s := sides(shipping.Size{Length: shipping.MustDecimal("25.4"), Width: shipping.MustDecimal("50.8"), Height: shipping.MustDecimal("0.1"), Unit: "cm"}, imperial); s[0].Int64() != 20 || s[1].Int64() != 10 || s[2].Int64() != 1 {
		t.Errorf("25.4 by 50.8 by 0.1 cm are %v inches", s)
	}
}

func TestAddressLinesFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zäé0-9]{1,40}`)
		text := func(name string) string {
			return strings.Join(rapid.SliceOfN(word, 0, 5).Draw(t, name), " ")
		}
		a := shipping.Address{Street1: text("street1"), Street2: text("street2"), ApartmentNumber: text("apartment")}
		lines, ok := addressLines(a)
		if len(lines) > maxLines {
			t.Fatalf("%d lines", len(lines))
		}
		for _, l := range lines {
			if utf8.RuneCountInString(l) > maxLine || l == "" {
				t.Fatalf("line %q", l)
			}
		}
		letters := func(s string) string { return strings.NewReplacer(" ", "", ",", "").Replace(s) }
		if want := letters(line(a.Street1, 100) + line(a.Street2, 100) + line(a.ApartmentNumber, 100)); ok && letters(strings.Join(lines, "")) != want {
			t.Fatalf("%q became %q", want, lines)
		}
	})
}

func TestLocalTimes(t *testing.T) {
	la, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at   localTime
		zone *time.Location
		want string
	}{
		{localTime{"20260303", "103000"}, la, "2026-03-03T18:30:00Z"}, {localTime{"20260303", "1030"}, la, "2026-03-03T18:30:00Z"},
		{localTime{"20260309", "83000"}, la, "2026-03-09T15:30:00Z"}, {localTime{"20260303", ""}, la, "2026-03-04T07:59:59Z"},
		{localTime{"20260303", "103000"}, nil, ""}, {localTime{"", "103000"}, la, ""}, {localTime{"2026-03-03", "103000"}, la, ""}, {localTime{"20260303", "noon"}, la, ""},
	} {
		got := tt.at.instant(tt.zone)
		if text := got.Format(time.RFC3339); tt.want == "" && !got.IsZero() || tt.want != "" && text != tt.want {
			t.Errorf("%+v is %v, want %s", tt.at, got, tt.want)
		}
	}
	for prose, want := range map[text]text{"10:30 A.M.": "1030", "12:00 Noon": "", "3:00 P.M.": "1500", "": "", "8:00 A.M": "0800"} {
		if got := clockTime(prose); got != want {
			t.Errorf("%q is %q, want %q", prose, got, want)
		}
	}
	for in, want := range map[text]int{"-08:00": -8 * 3600, "+01.00": 3600, "+0530": 5*3600 + 1800} {
		if got, ok := offsetOf(in); !ok || got != want {
			t.Errorf("%q is %d", in, got)
		}
	}
	if zoneOfPlace("US", "CA") == nil || zoneOfPlace("DE", "") == nil || zoneOfPlace("US", "") != nil || zoneOfPlace("BR", "") != nil {
		t.Error("a place has the wrong zone")
	}
	for _, lines := range []string{stateZones, countryZones} {
		for l := range strings.Lines(strings.TrimSpace(lines)) {
			if _, err := time.LoadLocation(strings.Fields(l)[0]); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestClocks: an activity keeps what the clock on the wall showed, whatever parts of its time UPS leaves out.
func TestClocks(t *testing.T) {
	for _, c := range []struct {
		act       activity
		at, clock string
	}{
		{activity{Date: "20260303", Time: "103000", GMTDate: "20260303", GMTTime: "18:30:00", GMTOffset: "-08:00"}, "2026-03-03T18:30:00Z", "2026-03-03T10:30:00-08:00"},
		{activity{Date: "20260303", Time: "103000", GMTDate: "20260303", GMTTime: "18:30:00"}, "2026-03-03T18:30:00Z", "2026-03-03T10:30:00-08:00"},
		{activity{Date: "20260303", Time: "103107", GMTDate: "20260303", GMTTime: "18:30:00"}, "2026-03-03T18:30:00Z", "2026-03-03T18:30:00Z"},
		{activity{GMTDate: "20260303", GMTTime: "18:30:00"}, "2026-03-03T18:30:00Z", "2026-03-03T18:30:00Z"},
		{activity{Date: "20260303", Time: "103000", GMTOffset: "+05.30"}, "2026-03-03T05:00:00Z", "2026-03-03T10:30:00+05:30"},
		{activity{Date: "20260303", Time: "103000"}, "2026-03-03T10:30:00Z", "2026-03-03T10:30:00"},
		{activity{Date: "20260303"}, "2026-03-03T00:00:00Z", "2026-03-03"},
	} {
		at, clock, ok := c.act.when()
		if !ok || at.Format(time.RFC3339) != c.at || clock != c.clock {
			t.Errorf("%+v is %v %q %v, want %s %q", c.act, at, clock, ok, c.at, c.clock)
		}
	}
	if _, _, ok := (activity{Time: "103000", GMTTime: "18:30:00"}).when(); ok {
		t.Error("an activity without a day has a time")
	}
}

// seeds gives a fuzz target the bodies of the recorded answers of one operation.
func seeds(f *testing.F, op string) {
	files, err := filepath.Glob("testdata/answers/" + op + "_*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for answer := range strings.SplitSeq(string(raw), "\n====\n") {
			_, body, _ := strings.Cut(answer, "\n\n")
			f.Add([]byte(body))
		}
	}
}

func FuzzRateResponse(f *testing.F) {
	seeds(f, "quote")
	a := openAccount(f, testConfig("http://127.0.0.1:1"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var answer rateAnswer
		if decode(body, &answer) != nil {
			return
		}
		r := carrier.QuoteRequest{Consignment: domestic()}
		got := a.quotes(r, answer)
		for _, q := range got.Quotes {
			if _, ok := shipping.CurrencyDigits(q.Amount.Currency); !ok || q.ServiceID == "" || q.TransitDays < 0 {
				t.Fatalf("quote %+v", q)
			}
		}
	})
}

func FuzzShipResponse(f *testing.F) {
	seeds(f, "book")
	f.Fuzz(func(t *testing.T, body []byte) {
		var answer shipAnswer
		if decode(body, &answer) != nil || answer.ShipmentResponse.first().ShipmentResults.first().ShipmentIdentificationNumber == "" {
			return
		}
		b := bookingOf(carrier.BookRequest{Consignment: domestic()}, answer, shipping.GIF)
		if b.CarrierRef == "" || b.TrackingID == "" || len(b.Parcels) == 0 {
			t.Fatalf("booking %+v", b)
		}
		for _, p := range b.Parcels {
			if p.Label != nil && (len(p.Label.Data) == 0 || p.Label.Format == "") {
				t.Fatalf("label %+v", p.Label)
			}
		}
	})
}

func FuzzTrackResponse(f *testing.F) {
	seeds(f, "track")
	f.Fuzz(func(t *testing.T, body []byte) {
		var answer trackAnswer
		if decode(body, &answer) != nil {
			return
		}
		p, ok := answer.choose(carrier.TrackedParcel{Number: aNumber})
		if !ok {
			return
		}
		u := updateOf(p)
		if !slices.IsSortedFunc(u.Events, func(a, b shipping.TrackingEvent) int { return a.Time.Compare(b.Time.Time) }) {
			t.Fatalf("events out of order: %+v", u.Events)
		}
		for _, e := range u.Events {
			if e.Status != "" && !slices.Contains(shipping.Statuses, e.Status) {
				t.Fatalf("status %q", e.Status)
			}
		}
		if w := u.Delivery; !w.StartsAt.IsZero() && w.EndsAt.Before(w.StartsAt.Time) {
			t.Fatalf("window %+v", w)
		}
	})
}

func FuzzVoidResponse(f *testing.F) {
	seeds(f, "void")
	f.Fuzz(func(t *testing.T, body []byte) {
		var answer voidAnswer
		if decode(body, &answer) != nil {
			return
		}
		v := answer.VoidShipmentResponse.first()
		if v.whole() && len(v.SummaryResult) == 0 && len(v.PackageLevelResult)+len(v.PackageLevelResults) == 0 {
			t.Fatal("an answer that says nothing is a void")
		}
	})
}

func FuzzRecoveryResponse(f *testing.F) {
	seeds(f, "find")
	seeds(f, "document")
	f.Fuzz(func(t *testing.T, body []byte) {
		var answer recoveryAnswer
		if decode(body, &answer) != nil {
			return
		}
		b := answer.LabelRecoveryResponse.first().booking("ref", shipping.GIF)
		if b.Reference != "ref" || b.TrackingID != b.CarrierRef {
			t.Fatalf("booking %+v", b)
		}
	})
}

func FuzzAddressResponse(f *testing.F) {
	seeds(f, "address")
	f.Fuzz(func(t *testing.T, body []byte) {
		var answer addressAnswer
		if decode(body, &answer) != nil {
			return
		}
		for _, c := range answer.XAVResponse.first().Candidate {
			if a := c.address(); a.Type != "" && !slices.Contains(shipping.AddressTypes, a.Type) {
				t.Fatalf("address %+v", a)
			}
		}
	})
}

func FuzzTokenResponse(f *testing.F) {
	f.Add([]byte(tokenBody))
	f.Add([]byte(`{"access_token":"t","expires_in":-1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		token, err := tokenFrom(exchange{}, &carrier.Response{Status: 200, Body: body}, testNow)
		if err != nil {
			if carrier.AsError(err).Effect != carrier.EffectNone {
				t.Fatalf("effect of %+v", err)
			}
			return
		}
		if life := token.Expires.Sub(testNow); token.Value == "" || life <= 0 || life > 24*time.Hour {
			t.Fatalf("token %+v", token)
		}
	})
}

// FuzzErrorResponse: whatever a refusal looks like, it is classified, and a broken answer to Ship is never "nothing was booked"
// unless its status proves it.
func FuzzErrorResponse(f *testing.F) {
	for _, op := range []string{"quote", "book", "void", "document"} {
		seeds(f, op)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, status := range []int{200, 400, 401, 404, 429, 500, 503} {
			resp := &carrier.Response{Status: status, Body: body}
			e := refusal(exchange{acts: true}, resp)
			if e.Code == "" || e.Effect == "" || e.Source == "" || e.Retry == "" {
				t.Fatalf("%d: %+v", status, e)
			}
			if len(errorsIn(resp)) == 0 && !turnedAway(status) && e.Effect != carrier.EffectUnknown {
				t.Fatalf("%d without an error of UPS has effect %s", status, e.Effect)
			}
			if read := refusal(exchange{}, resp); read.Effect != carrier.EffectNone {
				t.Fatalf("%d of a read has effect %s", status, read.Effect)
			}
		}
	})
}

// BenchmarkQuoteMapping is the adapter's own share of a quote: encoding the question, decoding and mapping an answer with
// twelve services as UPS writes them.
func BenchmarkQuoteMapping(b *testing.B) {
	body := shopAnswer(b)
	a := openAccount(b, testConfig("http://127.0.0.1:1"))
	r := carrier.QuoteRequest{Consignment: domestic()}
	ctx := callContext(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(a.rateRequest(ctx, r, imperial)); err != nil {
			b.Fatal(err)
		}
		var answer rateAnswer
		if err := decode(body, &answer); err != nil {
			b.Fatal(err)
		}
		if got := a.quotes(r, answer); len(got.Quotes) != 12 {
			b.Fatalf("%d quotes", len(got.Quotes))
		}
	}
}

// shopAnswer repeats the first row of a recorded answer for twelve services.
func shopAnswer(b *testing.B) []byte {
	raw, err := os.ReadFile("testdata/answers/quote_shop.txt")
	if err != nil {
		b.Fatal(err)
	}
	s := string(raw)
	row := s[strings.Index(s, `{"Service":{"Code":"03"`):strings.Index(s, `,`+"\n"+`  {"Service":{"Code":"01"`)]
	var rows []string
	for _, code := range []string{"14", "01", "13", "59", "02", "12", "03", "93", "11", "54", "07", "65"} {
		rows = append(rows, strings.Replace(row, `"03"`, `"`+code+`"`, 1))
	}
	return []byte(`{"RateResponse":{"RatedShipment":[` + strings.Join(rows, ",") + `]}}`)
}
