// Package ups is the simulator's UPS: the wire format of the REST APIs for OAuth, Rating, Shipping, Void, Label
// Recovery, Tracking, Address Validation and Time in Transit, as the published OpenAPI files describe them and as
// recorded traffic corrects them. Where the two differ the recorded traffic is followed.
//
// It has no idempotency, as the carrier has none: the same Ship request twice makes two shipments and two charges in
// the ledger. A shipment is one entity of the world, known by the 1Z number of its first parcel and, through aliases,
// by those of the others; its reference is the first package-level reference number. Shipment-level references of
// domestic shipments are accepted and not indexed. All parcels of a shipment move together.
//
// What is invented: prices and transit days follow the real ones only in their order of size; so does the zone of a
// lane. Error codes whose wording is not published are marked where they stand. Not simulated: freight, paperless
// documents, pickups, Mail Innovations, Roadie, subscriptions of Track Alert, and labels in SPL.
package ups

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/label"
)

// Name is the dialect's name and the prefix of its base URL.
const Name = "ups"

// Config is one UPS world. The zero value of each field means the documented default.
type Config struct {
	Clients     []Client      // who may ask for tokens; default: DevClient
	TokenTTL    time.Duration // default 14,399 s, which is what UPS hands out
	Pace        string        // how parcels move: see Paces; default PaceNormal
	VoidWindow  time.Duration // how long after booking a shipment can be voided; default 28 days
	LabelWindow time.Duration // how long after booking labels can be recovered; default 180 days
	Quirks      Quirks
}

// Client is one OAuth client with the shipper accounts that it may use.
type Client struct {
	ID, Secret string
	Accounts   []Account
}

// Account is one shipper account.
type Account struct {
	Number   string // six characters, [0-9A-Z]
	Webhook  Webhook
	Discount int // percent off the published transportation charge; 0 means that no negotiated rates are answered
}

// DevClient is the client of a world that names none. It opens nothing but this simulator.
var DevClient = Client{
	ID: "waybill-dev-client", Secret: "waybill-dev-secret",
	Accounts: []Account{{Number: "WB0001", Discount: 30}, {Number: "WB0002"}},
}

// Quirks are behaviours of the real carrier that come and go; each is off by default.
type Quirks struct {
	OldFaults       bool // refused credentials answer with the old "Fault" envelope, code 250003
	TwoLetterStatus bool // currentStatus carries type and a two-letter code as in the schema, not the three digits seen on the wire
	StrictHeaders   bool // Tracking and Time in Transit refuse requests without transId and transactionSrc
	RoundSidesUp    bool // dimensional weight rounds each side up, as announced for 2025-08-18, not to the nearest inch
}

// Dialect speaks UPS for a world.
type Dialect struct {
	cfg      Config
	clients  map[string]*Client
	accounts map[string]*Account
	pace     pace
	labels   *label.Renderer
}

var (
	_ simulator.Dialect   = (*Dialect)(nil)
	_ simulator.Describer = (*Dialect)(nil)
)

// New fills the defaults, checks the configuration and returns the dialect. Its error names every fault.
func New(cfg Config) (*Dialect, error) {
	cfg = cfg.withDefaults()
	d := &Dialect{cfg: cfg, clients: map[string]*Client{}, accounts: map[string]*Account{}, labels: label.NewRenderer()}
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for i := range cfg.Clients {
		c := &cfg.Clients[i]
		if c.ID == "" || c.Secret == "" {
			bad("clients[%d]: id and secret are required", i)
		}
		if d.clients[c.ID] != nil {
			bad("clients[%d].id: %q is given twice", i, c.ID)
		}
		d.clients[c.ID] = c
		for j := range c.Accounts {
			a := &c.Accounts[j]
			if len(a.Number) != 6 || !isAlphanumeric(a.Number) {
				bad("clients[%d].accounts[%d].number: %q is not six characters [0-9A-Z]", i, j, a.Number)
			}
			if a.Discount < 0 || a.Discount > 95 {
				bad("clients[%d].accounts[%d].discount: %d is not 0 to 95 percent", i, j, a.Discount)
			}
			d.accounts[a.Number] = a
		}
	}
	if cfg.TokenTTL < time.Second || cfg.VoidWindow < 0 || cfg.LabelWindow < 0 {
		bad("token ttl must be a second or more, windows must not be negative")
	}
	var known bool
	if d.pace, known = paces[cfg.Pace]; !known {
		bad("pace: %q is not one of %v", cfg.Pace, Paces())
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("simulated ups: %w", err)
	}
	return d, nil
}

func (c Config) withDefaults() Config {
	if len(c.Clients) == 0 {
		c.Clients = []Client{DevClient}
	}
	if c.TokenTTL == 0 {
		c.TokenTTL = 14399 * time.Second
	}
	if c.Pace == "" {
		c.Pace = PaceNormal
	}
	if c.VoidWindow == 0 {
		c.VoidWindow = 28 * 24 * time.Hour
	}
	if c.LabelWindow == 0 {
		c.LabelWindow = 180 * 24 * time.Hour
	}
	return c
}

// Name implements simulator.Dialect.
func (d *Dialect) Name() string { return Name }

// versions are those that UPS serves or served; any other is a path that does not exist.
const versions = "{version:v1|v1601|v1607|1701|v1701|v1707|v1801|v1807|v2108|v2205|v2403|v2409}"

// Routes implements simulator.Dialect.
func (d *Dialect) Routes() []simulator.Route {
	const rateOptions = "(?i:rate|shop|ratetimeintransit|shoptimeintransit)"
	return []simulator.Route{
		{Op: "token", Method: http.MethodPost, Pattern: "/security/v1/oauth/token", Handler: d.token, Public: true, Secret: true},
		{Op: "rate", Method: http.MethodPost, Pattern: "/api/rating/" + versions + "/{option:" + rateOptions + "}", Handler: d.rate},
		{Op: "ship", Method: http.MethodPost, Pattern: "/api/shipments/" + versions + "/ship", Handler: d.ship},
		{Op: "void", Method: http.MethodDelete, Pattern: "/api/shipments/" + versions + "/void/cancel/{number}", Handler: d.void},
		{Op: "label", Method: http.MethodPost, Pattern: "/api/labels/{version:v1}/recovery", Handler: d.recoverLabel},
		{Op: "track", Method: http.MethodGet, Pattern: "/api/track/v1/details/{number}", Handler: d.track},
		{Op: "track_reference", Method: http.MethodGet, Pattern: "/api/track/v1/reference/details/{reference}", Handler: d.trackReference},
		{Op: "track_shipment", Method: http.MethodGet, Pattern: "/api/track/v1/shipment/details/{number}", Handler: d.trackShipment},
		{Op: "subscribe", Method: http.MethodPost, Pattern: "/api/track/{version:v1|v2}/subscription/{type:standard|enhanced}/package", Handler: d.subscribe},
		{Op: "address", Method: http.MethodPost, Pattern: "/api/addressvalidation/{version:v1|v2}/{option:[123]}", Handler: d.validateAddress},
		{Op: "transit", Method: http.MethodPost, Pattern: "/api/shipments/{version:v1}/transittimes", Handler: d.timeInTransit},
	}
}

// refusal is one of the carrier's errors.
type refusal struct {
	status        int
	code, message string
}

func refuse(code, message string) *refusal { return &refusal{http.StatusBadRequest, code, message} }

func (r *refusal) response() simulator.Response {
	type fault struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	var body struct {
		Response struct {
			Errors []fault `json:"errors"`
		} `json:"response"`
	}
	body.Response.Errors = []fault{{r.code, r.message}}
	out := simulator.JSON(r.status, body)
	// The carrier repeats code and message in headers of two generations.
	out.Header["Apierrorcode"], out.Header["Errorcode"] = []string{r.code}, []string{r.code}
	out.Header["Apierrormsg"], out.Header["Errordescription"] = []string{r.message}, []string{r.message}
	return out
}

// answer is the act of a request that is refused.
func (r *refusal) answer(x *simulator.Exchange) simulator.Act {
	return simulator.Answer(stamp(x, r.response()))
}

// stamp puts the headers of a carrier's gateway on an answer. They depend on nothing but the request and its time.
func stamp(x *simulator.Exchange, r simulator.Response) simulator.Response {
	h := fnv.New128a()
	h.Write([]byte(x.Request.Method + x.Request.URL.RequestURI() + strconv.FormatInt(x.Now().UnixNano(), 36)))
	h.Write(x.Body)
	id := fmt.Sprintf("%032x", h.Sum(nil))
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header["X-Request-Id"] = []string{id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]}
	r.Header["Bkndtransid"] = []string{id[20:]}
	return r
}

func answerJSON(x *simulator.Exchange, v any) simulator.Response {
	return stamp(x, simulator.JSON(http.StatusOK, v))
}

// lenient reads requests as the carrier does: unknown members are ignored and doubled ones do no harm.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true))

// decode reads the body of a request; a non-nil act is the answer to one that cannot be read.
func decode(x *simulator.Exchange, into any) simulator.Act {
	if len(x.Body) == 0 {
		return refuse("10003", "The request is well formed but contains no data").answer(x)
	}
	err := json.Unmarshal(x.Body, into, lenient)
	if err == nil {
		return nil
	}
	if controlInString(x.Body) {
		// Recorded: 200, no body, the error in headers only.
		out := stamp(x, simulator.Response{Status: http.StatusOK})
		out.Header["Errorcode"] = []string{"1"}
		out.Header["Errordescription"] = []string{"The request is not valid. Review for errors before re-submitting."}
		return simulator.Answer(out)
	}
	if errors.As(err, new(*jsontext.SyntacticError)) {
		return refuse("10001", "The request is not well formed or the operation is not defined. Review for errors before re-submitting.").answer(x)
	}
	return refuse("10002", "The request is well formed but the request is not valid").answer(x)
}

// controlInString tells whether a JSON string of the body holds a control character that is not escaped.
func controlInString(body []byte) bool {
	inside, escaped := false, false
	for _, c := range body {
		switch {
		case inside && c < ' ':
			return true
		case escaped:
			escaped = false
		case inside && c == '\\':
			escaped = true
		case c == '"':
			inside = !inside
		}
	}
	return false
}
