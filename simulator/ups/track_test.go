package ups_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/ups"
)

// tracked is what tests read of a Tracking answer.
type tracked struct {
	TrackResponse struct {
		Shipment []struct {
			InquiryNumber string
			Warnings      []struct{ Code string }
			Package       []struct {
				TrackingNumber string
				PackageCount   int
				CurrentStatus  struct{ Type, Code, StatusCode, Description string }
				DeliveryDate   []struct{ Type, Date string }
				Activity       []struct {
					Status   struct{ Type, Code, StatusCode string }
					Location struct {
						Address struct{ City, CountryCode string }
					}
					Date, Time, GMTDate, GMTTime, GMTOffset string
				}
			}
		}
	}
}

func (r *rig) track(number string) tracked {
	r.t.Helper()
	r.token = r.newToken()
	var out tracked
	r.call("track", http.MethodGet, "/api/track/v1/details/"+number, "").into(r.t, &out)
	return out
}

// history lists the activities of the first parcel, newest first, as "type/code".
func (tr *tracked) history() []string {
	var all []string
	for _, a := range tr.TrackResponse.Shipment[0].Package[0].Activity {
		all = append(all, a.Status.Type+"/"+a.Status.Code)
	}
	return all
}

func TestParcelMoves(t *testing.T) {
	r := newRig(t, ups.Config{})
	b := r.ship(shipBody(box, "ZPL", ""))
	golden(t, "track_new", r.call("track", http.MethodGet, "/api/track/v1/details/"+b.id(), "").body)
	seen := 0
	for range 9 {
		r.advance(day)
		got := r.track(b.id())
		if n := len(got.history()); n < seen {
			t.Fatalf("the history shrank from %d to %d", seen, n)
		} else {
			seen = n
		}
	}
	want := []string{"D/FS", "I/OT", "I/OF", "I/YP", "I/AR", "I/DP", "I/AR", "I/DP", "I/OR", "P/PU", "M/MP"}
	got := r.track(b.id())
	if !slices.Equal(got.history(), want) {
		t.Errorf("history %v, want %v", got.history(), want)
	}
	golden(t, "track_delivered", r.call("track", http.MethodGet, "/api/track/v1/details/"+b.id(), "").body)
	p := got.TrackResponse.Shipment[0].Package[0]
	// Ground needs five business days from New York to Los Angeles: Monday to Monday.
	if p.CurrentStatus.Code != "011" || p.CurrentStatus.Type != "" || p.DeliveryDate[0].Date != "20260309" {
		t.Errorf("status %+v, delivered %v; want 011 on 20260309", p.CurrentStatus, p.DeliveryDate)
	}
	var last time.Time
	for i := len(p.Activity) - 1; i >= 0; i-- {
		a := p.Activity[i]
		at, err := time.Parse("20060102 15:04:05", a.GMTDate+" "+a.GMTTime)
		if err != nil || at.Before(last) {
			t.Errorf("activity %d at %v after %v: %v", i, at, last, err)
		}
		local, err := time.Parse("20060102 150405 -07:00", a.Date+" "+a.Time+" "+a.GMTOffset)
		if err != nil || !local.Equal(at) {
			t.Errorf("activity %d: local %v is not %v: %v", i, local, at, err)
		}
		last = at
	}
}

// At each pace parcels reach an end by legal steps only, most as promised.
func TestPaces(t *testing.T) {
	for _, tc := range []struct {
		pace     string
		from, to int // how many of a hundred arrive on the promised day
	}{{ups.PaceCalm, 100, 100}, {ups.PaceNormal, 85, 100}, {ups.PaceStrained, 75, 98}, {ups.PacePeak, 50, 88}} {
		t.Run(tc.pace, func(t *testing.T) {
			r := newRig(t, ups.Config{Pace: tc.pace})
			for i := range 100 {
				r.ship(strings.Replace(shipBody(box, "ZPL", ""), "order-1", fmt.Sprintf("order-%d", i), 1))
			}
			r.advance(30 * day)
			onTime, ends := 0, map[simulator.State]int{}
			r.sim.World().Do(func(tx *simulator.Tx) {
				tx.Each(func(e *simulator.Entity) bool {
					ends[e.State]++
					if e.State == "DELIVERED" && e.Updated.Before(time.Date(2026, 3, 10, 7, 0, 0, 0, time.UTC)) {
						onTime++
					}
					return true
				})
			})
			if ends["DELIVERED"]+ends["RETURNED"] != 100 {
				t.Errorf("after 30 days: %v", ends)
			}
			if onTime < tc.from || onTime > tc.to {
				t.Errorf("%d of 100 on the promised day, want %d to %d; %v", onTime, tc.from, tc.to, ends)
			}
		})
	}
}

func TestAbroadPassesCustoms(t *testing.T) {
	r := newRig(t, ups.Config{})
	body := strings.NewReplacer(receiver, german, `"Code":"03"`, `"Code":"07"`).Replace(shipBody(box, "ZPL", `,"Description":"Boots","ReferenceNumber":{"Value":"abroad-1"}`))
	b := r.ship(body)
	r.advance(10 * day)
	got := r.track(b.id())
	history := got.history()
	if history[0] != "D/FS" || !slices.Contains(history, "I/EP") || !slices.Contains(history, "I/IP") {
		t.Errorf("history %v", history)
	}
	var rec recovered
	r.recover(`"ReferenceValues":{"ReferenceNumber":{"Value":"abroad-1"},"ShipperNumber":"WB0001"}`).into(t, &rec)
	if rec.LabelRecoveryResponse.ShipmentIdentificationNumber != b.id() {
		t.Errorf("abroad the reference of the shipment counts: %+v", rec)
	}
}

// The same seed gives the same numbers and the same history, whatever else is asked in between.
func TestSameSeedSameHistory(t *testing.T) {
	var runs []string
	for _, disturbed := range []bool{false, true} {
		r := newRig(t, ups.Config{Pace: ups.PacePeak})
		if disturbed {
			r.ship(strings.Replace(shipBody(box, "ZPL", ""), "order-1", "order-0", 1))
		}
		b := r.ship(shipBody(box, "ZPL", ""))
		r.advance(20 * day)
		got := r.track(b.id())
		runs = append(runs, fmt.Sprint(b.id(), got.TrackResponse))
	}
	if runs[0] != runs[1] {
		t.Errorf("two runs differ:\n%s\n%s", runs[0], runs[1])
	}
}

// A person may move a parcel by hand; what tracking shows follows.
func TestExceptionsByHand(t *testing.T) {
	r := newRig(t, ups.Config{Pace: ups.PaceManual})
	b := r.ship(shipBody(box, "ZPL", ""))
	for _, step := range []struct {
		to   simulator.State
		want string
	}{
		{"PICKUP_SCAN", "P/PU 038"}, {"ORIGIN_SCAN", "I/OR 005"}, {"DEPARTURE_SCAN", "I/DP 005"}, {"IMPORT_SCAN", "I/IP 005"}, {"CUSTOMS_HOLD", "X/ 092"},
		{"CUSTOMS_CLEARED", "X/RZ 014"}, {"ARRIVAL_SCAN", "I/AR 005"}, {"PROCESSING", "I/YP 071"}, {"LOADED", "I/OF 072"}, {"OUT_FOR_DELIVERY", "I/OT 021"},
		{"NOT_HOME", "X/48 022"}, {"OUT_FOR_DELIVERY", "I/OT 021"}, {"BUSINESS_CLOSED", "X/55 060"}, {"NOT_HOME_FINAL", "X/49 060"}, {"RETURNING", "X/DL 033"}, {"RETURNED", "D/UA 034"},
	} {
		r.sim.World().Do(func(tx *simulator.Tx) {
			if err := tx.Move(tx.Find(ups.Name, b.id()), step.to, "control"); err != nil {
				t.Fatal(err)
			}
		})
		got := r.track(b.id())
		p := got.TrackResponse.Shipment[0].Package[0]
		s := p.Activity[0].Status
		if line := s.Type + "/" + s.Code + " " + s.StatusCode; line != step.want || p.CurrentStatus.Code != s.StatusCode {
			t.Errorf("%s shows as %s with current %s, want %s", step.to, line, p.CurrentStatus.Code, step.want)
		}
	}
	golden(t, "track_returned", r.call("track", http.MethodGet, "/api/track/v1/details/"+b.id(), "").body)
}

func TestTwoLetterStatus(t *testing.T) {
	r := newRig(t, ups.Config{Quirks: ups.Quirks{TwoLetterStatus: true}})
	b := r.ship(shipBody(box, "ZPL", ""))
	got := r.track(b.id())
	if s := got.TrackResponse.Shipment[0].Package[0].CurrentStatus; s.Type != "M" || s.Code != "MP" || s.StatusCode != "003" {
		t.Errorf("current status %+v", s)
	}
}

func TestTrackByReference(t *testing.T) {
	r := newRig(t, ups.Config{})
	b := r.ship(shipBody(box, "ZPL", ""))
	r.advance(20 * day)
	r.token = r.newToken()
	for query, want := range map[string]string{
		"": "TW0001", // picked up more than 14 days ago
		"?fromPickUpDate=20260301&toPickUpDate=20260305":                   "",
		"?fromPickUpDate=20260301&toPickUpDate=20260305&shipperNum=WB0001": "",
		"?fromPickUpDate=20260301&shipperNum=WB0002":                       "TW0001",
		"?fromPickUpDate=20260201&toPickUpDate=20260210":                   "TW0001",
	} {
		var got tracked
		r.call("track", http.MethodGet, "/api/track/v1/reference/details/order-1"+query, "").into(t, &got)
		sh := got.TrackResponse.Shipment[0]
		code := ""
		if len(sh.Warnings) > 0 {
			code = sh.Warnings[0].Code
		}
		if code != want || (want == "") != (len(sh.Package) == 1 && sh.Package[0].TrackingNumber == b.id()) {
			t.Errorf("%q: %+v, want %q", query, sh, want)
		}
	}
	if out := r.call("track", http.MethodGet, "/api/track/v1/reference/details/order-1?fromPickUpDate=yesterday", ""); out.code(t) != "10002" {
		t.Errorf("odd date: %s", out.body)
	}
}

func TestNotTracked(t *testing.T) {
	r := newRig(t, ups.Config{})
	out := r.call("track", http.MethodGet, "/api/track/v1/details/1ZWB00010300000000", "")
	if out.status != 200 {
		t.Errorf("not found is %d, want 200", out.status)
	}
	golden(t, "track_unknown", out.body)
	for _, number := range []string{"123", strings.Repeat("1", 35), "1Z-45678"} {
		if out := r.call("track", http.MethodGet, "/api/track/v1/details/"+number, ""); out.status != 400 || out.code(t) != "TV1002" {
			t.Errorf("%s: %d %s, want TV1002", number, out.status, out.body)
		}
	}
}
