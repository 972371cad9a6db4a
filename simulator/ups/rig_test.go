package ups_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/ups"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Monday morning in New York.
var start = time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC)

// rig is a simulator with UPS alone on a loopback listener and a clock that the test moves.
type rig struct {
	t     testing.TB
	sim   *simulator.Server
	clock *simulator.ManualClock
	url   string
	http  *http.Client
	token string
}

func newRig(t testing.TB, cfg ups.Config) *rig {
	t.Helper()
	if cfg.Pace == "" {
		cfg.Pace = ups.PaceCalm
	}
	d, err := ups.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	clock := simulator.NewManualClock(start)
	sim, err := simulator.New(simulator.Config{Dialects: []simulator.Dialect{d}, Clock: clock, Seed: 42})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim)
	t.Cleanup(srv.Close)
	r := &rig{t: t, sim: sim, clock: clock, url: srv.URL + "/ups", http: srv.Client()}
	r.token = r.newToken()
	return r
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

// send makes one request without looking at the answer.
func (r *rig) send(method, path, body string, header map[string]string) reply {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, raw}
}

// call makes one authenticated request of an operation and checks the answer against the published schema.
func (r *rig) call(op, method, path, body string) reply {
	r.t.Helper()
	out := r.send(method, path, body, map[string]string{"Authorization": "Bearer " + r.token})
	if len(out.body) > 0 {
		checkSpec(r.t, op, out.status, out.body)
	}
	return out
}

func (r *rig) newToken() string {
	r.t.Helper()
	out := r.askToken(ups.DevClient.ID, ups.DevClient.Secret, "grant_type=client_credentials")
	var body struct {
		AccessToken string `json:"access_token"`
	}
	out.into(r.t, &body)
	return body.AccessToken
}

func (r *rig) askToken(id, secret, form string) reply {
	req, err := http.NewRequest(http.MethodPost, r.url+"/security/v1/oauth/token", strings.NewReader(form))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		req.SetBasicAuth(id, secret)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, raw}
}

func (p reply) into(t testing.TB, v any) {
	t.Helper()
	if p.status != http.StatusOK {
		t.Fatalf("status %d: %s", p.status, p.body)
	}
	if err := json.Unmarshal(p.body, v); err != nil {
		t.Fatalf("answer %s: %v", p.body, err)
	}
}

// code is the error code of a refusal, which must stand in body and headers alike.
func (p reply) code(t testing.TB) string {
	t.Helper()
	var body struct {
		Response struct {
			Errors []struct{ Code, Message string }
		}
	}
	if err := json.Unmarshal(p.body, &body); err != nil || len(body.Response.Errors) != 1 || body.Response.Errors[0].Message == "" {
		t.Fatalf("status %d, not an error of the carrier: %s", p.status, p.body)
	}
	code := body.Response.Errors[0].Code
	if p.header.Get("Apierrorcode") != code || p.header.Get("Errorcode") != code || p.header.Get("Apierrormsg") != body.Response.Errors[0].Message {
		t.Errorf("headers say %q, %q, the body says %q", p.header.Get("Apierrorcode"), p.header.Get("Errorcode"), code)
	}
	return code
}

// advance moves the world, event by event.
func (r *rig) advance(d time.Duration) {
	end := r.clock.Now().Add(d)
	for {
		next, ok := r.sim.World().NextDue()
		if !ok || next.After(end) {
			break
		}
		r.clock.Set(next)
		r.sim.World().RunDue(next)
	}
	r.clock.Set(end)
}

var images = regexp.MustCompile(`"(GraphicImage|HTMLImage)": "([^"]{12})[^"]*"`)

// golden compares an answer with its file; pictures are cut to their first characters.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, body, "", "  "); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	pretty.WriteByte('\n')
	got := images.ReplaceAll(pretty.Bytes(), []byte(`"$1": "$2…"`))
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// The requests, as JSON that tests change by replacing words of it.
const (
	shipper   = `{"Name":"Waybill Store","ShipperNumber":"WB0001","Phone":{"Number":"2125550100"},"Address":{"AddressLine":["350 5th Ave"],"City":"New York","StateProvinceCode":"NY","PostalCode":"10118","CountryCode":"US"}}`
	receiver  = `{"Name":"A. Rivera","Phone":{"Number":"2135550142"},"Address":{"AddressLine":["200 N Spring St","Apt 5"],"City":"Los Angeles","StateProvinceCode":"CA","PostalCode":"90012","CountryCode":"US","ResidentialAddressIndicator":""}}`
	german    = `{"Name":"B. Muster","Phone":{"Number":"4930123456"},"Address":{"AddressLine":["Unter den Linden 1"],"City":"Berlin","PostalCode":"10117","CountryCode":"DE"}}`
	pack      = `{"PackagingType":{"Code":"02"},"Dimensions":{"UnitOfMeasurement":{"Code":"IN"},"Length":"10","Width":"8","Height":"4"},"PackageWeight":{"UnitOfMeasurement":{"Code":"LBS"},"Weight":"5.0"}}`
	box       = `{"Packaging":{"Code":"02"},"Dimensions":{"UnitOfMeasurement":{"Code":"IN"},"Length":"10","Width":"8","Height":"4"},"PackageWeight":{"UnitOfMeasurement":{"Code":"LBS"},"Weight":"5.0"},"ReferenceNumber":[{"Code":"PO","Value":"order-1"}]}`
	whenReady = `"DeliveryTimeInformation":{"PackageBillType":"03","Pickup":{"Date":"20260302","Time":"1000"}}`
)

func rateBody(packages, more string) string {
	return `{"RateRequest":{"Request":{"TransactionReference":{"CustomerContext":"ctx-1"}},"Shipment":{"Shipper":` + shipper + `,"ShipTo":` + receiver +
		`,"ShipmentRatingOptions":{"NegotiatedRatesIndicator":""},"Package":` + packages + more + `}}}`
}

func shipBody(packages, format, more string) string {
	return `{"ShipmentRequest":{"Request":{"RequestOption":"validate"},"Shipment":{"Shipper":` + shipper + `,"ShipTo":` + receiver +
		`,"PaymentInformation":{"ShipmentCharge":{"Type":"01","BillShipper":{"AccountNumber":"WB0001"}}},"Service":{"Code":"03"},"ShipmentRatingOptions":{"NegotiatedRatesIndicator":""},"Package":` +
		packages + more + `},"LabelSpecification":{"LabelImageFormat":{"Code":"` + format + `"},"LabelStockSize":{"Height":"6","Width":"4"}}}}`
}

// booked is what tests read of a Ship answer.
type booked struct {
	ShipmentResponse struct {
		ShipmentResults struct {
			ShipmentIdentificationNumber string
			ShipmentCharges              struct {
				TotalCharges struct{ MonetaryValue string }
			}
			NegotiatedRateCharges struct {
				TotalCharge struct{ MonetaryValue string }
			}
			PackageResults []struct {
				TrackingNumber string
				ShippingLabel  struct {
					ImageFormat             struct{ Code string }
					GraphicImage, HTMLImage string
				}
			}
		}
	}
}

func (b *booked) id() string { return b.ShipmentResponse.ShipmentResults.ShipmentIdentificationNumber }

func (b *booked) number(i int) string {
	return b.ShipmentResponse.ShipmentResults.PackageResults[i].TrackingNumber
}

func (r *rig) ship(body string) booked {
	r.t.Helper()
	var out booked
	r.call("ship", http.MethodPost, "/api/shipments/v2409/ship", body).into(r.t, &out)
	return out
}

func (r *rig) void(id, query string) reply {
	return r.call("void", http.MethodDelete, "/api/shipments/v2409/void/cancel/"+id+query, "")
}
