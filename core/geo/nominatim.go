package geo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// NominatimConfig names a geocoder that answers GET {BaseURL}/search as Nominatim does
// (https://nominatim.org/release-docs/latest/api/Search/).
type NominatimConfig struct {
	BaseURL string // "https://nominatim.example.com"; a path before /search is kept
	// UserAgent is how the engine names itself, which the usage policy of public servers asks for; "waybill" when empty.
	UserAgent string
	// Email is the operator's, sent along so that a public server's operators can write before they block; may be empty.
	Email string
	// Timeout bounds one look-up, the wait for its turn included; 5 s when 0.
	Timeout time.Duration
	// RatePerSecond is how many look-ups may start in a second; 1 when 0, which is what OpenStreetMap's own server allows.
	RatePerSecond float64
}

// What a NominatimConfig says when it is silent.
const (
	DefaultUserAgent     = "waybill"
	DefaultTimeout       = 5 * time.Second
	DefaultRatePerSecond = 1
)

// Validate records everything that is wrong with c, by the names that its members have in a configuration. No fault repeats the base
// URL, which may hold a password.
func (c NominatimConfig) Validate(f *shipping.Faults) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Hostname() == "" || base.Scheme != "http" && base.Scheme != "https" {
		f.Add("base_url", "is not a URL that begins with http:// or https:// and names a host")
	} else if base.RawQuery != "" || base.ForceQuery || base.Fragment != "" {
		f.Add("base_url", "must have no query and no fragment: /search and what is asked for are added to it")
	}
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		f.Add("user_agent", "must be printable ASCII, not %q", c.UserAgent)
	}
	if c.Email != "" && (!strings.Contains(c.Email, "@") || strings.ContainsAny(c.Email, " \r\n")) {
		f.Add("email", "%q is not an address of mail", c.Email)
	}
	if c.Timeout < 0 {
		f.Add("timeout", "%v is negative; leave it out for %v", c.Timeout, DefaultTimeout)
	}
	if !(c.RatePerSecond >= 0) || math.IsInf(c.RatePerSecond, 0) {
		f.Add("rate_per_second", "must be a positive number, not %v; leave it out for %v", c.RatePerSecond, DefaultRatePerSecond)
	}
}

// nominatim asks the geocoder: the same question once at a time, remembered when answered. Pace and timeouts go by
// the wall clock, because the server does.
type nominatim struct {
	search    string // the address of the search
	userAgent string
	email     string
	timeout   time.Duration
	client    *http.Client
	pace      *rate.Limiter
	answers   *cache
	flights   singleflight.Group
	running   sync.WaitGroup
}

// newNominatim takes a config that has been validated.
func newNominatim(cfg NominatimConfig, cacheSize int) *nominatim {
	return &nominatim{
		search:    strings.TrimRight(cfg.BaseURL, "/") + "/search",
		userAgent: cmp.Or(cfg.UserAgent, DefaultUserAgent),
		email:     cfg.Email,
		timeout:   cmp.Or(cfg.Timeout, DefaultTimeout),
		client:    &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()},
		pace:      rate.NewLimiter(rate.Limit(cmp.Or(cfg.RatePerSecond, DefaultRatePerSecond)), 1),
		answers:   newCache(cacheSize),
	}
}

func (n *nominatim) close() {
	n.running.Wait()
	n.client.CloseIdleConnections()
}

// request is the structured search for an address. The second street line names a unit, which no geocoder knows.
func request(q Query, country string) url.Values {
	v := url.Values{"format": {"jsonv2"}, "limit": {"1"}, "countrycodes": {strings.ToLower(country)}}
	if isTerritory(country) { // maps disagree on whether these are countries
		v.Set("countrycodes", "us,"+strings.ToLower(country))
	}
	for name, value := range map[string]string{"street": q.Street1, "city": q.City, "state": q.State, "postalcode": q.PostalCode} {
		if value = strings.Join(strings.Fields(value), " "); value != "" {
			v.Set(name, value)
		}
	}
	return v
}

// locate answers where the geocoder puts an address, without the time zone. When several ask for the same address at
// once, one question goes out for all of them, and goes on when the one who asked first has left.
func (n *nominatim) locate(ctx context.Context, query url.Values) (Place, error) {
	if n.email != "" {
		query.Set("email", n.email)
	}
	key := strings.ToLower(query.Encode())
	if place, known := n.answers.get(key); known {
		return place, nil
	}
	type answer struct {
		place any
		err   error
	}
	answered := make(chan answer, 1)
	n.running.Go(func() {
		place, err, _ := n.flights.Do(key, func() (any, error) {
			if place, known := n.answers.get(key); known { // by a flight that landed since
				return place, nil
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.timeout)
			defer cancel()
			place, err := n.ask(ctx, query)
			if err == nil {
				n.answers.put(key, place)
			}
			return place, err
		})
		answered <- answer{place, err}
	})
	select {
	case a := <-answered:
		return a.place.(Place), a.err
	case <-ctx.Done():
		return Place{}, unavailable(true, context.Cause(ctx), "the caller stopped waiting for the geocoder")
	}
}

// maxAnswer is how many bytes of an answer are read; one place takes less than a kilobyte.
const maxAnswer = 1 << 20

func (n *nominatim) ask(ctx context.Context, query url.Values) (Place, error) {
	if err := n.pace.Wait(ctx); err != nil {
		return Place{}, unavailable(true, err, "more addresses wait for the geocoder than its rate lets through within %v", n.timeout)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.search+"?"+query.Encode(), nil)
	if err != nil {
		return Place{}, unavailable(false, withoutURL(err), "the geocoder's address is unusable: correct its base URL")
	}
	req.Header.Set("User-Agent", n.userAgent)
	req.Header.Set("Accept", "application/json")
	resp, err := n.client.Do(req)
	if err != nil {
		return Place{}, n.silent(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		transient := resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout
		return Place{}, unavailable(transient, nil, "the geocoder answered HTTP %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return Place{}, n.silent(ctx, err)
	}
	return decodeSearch(body)
}

// silent is the error for a call that brought no whole answer.
func (n *nominatim) silent(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return unavailable(true, withoutURL(err), "the geocoder did not answer within %v", n.timeout)
	}
	return unavailable(true, withoutURL(err), "the geocoder cannot be reached")
}

func unavailable(transient bool, cause error, format string, args ...any) *Error {
	return &Error{Reason: ReasonUnavailable, Transient: transient, Err: cause, Detail: fmt.Sprintf(format, args...)}
}

// withoutURL takes the URL off an error of net/http: the address is in it, and errors are logged.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// found is what is read of one result in Nominatim's jsonv2 form; the coordinates are text there.
type found struct {
	Lat       string `json:"lat"`
	Lon       string `json:"lon"`
	PlaceRank int    `json:"place_rank"`
}

// Place ranks of Nominatim (https://nominatim.org/release-docs/latest/customize/Ranking/).
const (
	rankTown   = 13 // below: states and counties, which place nothing
	rankPostal = 21 // postcodes and neighbourhoods
	rankStreet = 26
	rankDoor   = 28
)

func decodeSearch(body []byte) (Place, error) {
	if len(body) > maxAnswer {
		return Place{}, unavailable(true, nil, "the geocoder's answer is longer than %d bytes", maxAnswer)
	}
	var results []found
	if err := json.Unmarshal(body, &results); err != nil {
		return Place{}, unavailable(true, err, "the geocoder's answer is not Nominatim's jsonv2")
	}
	if len(results) == 0 || results[0].PlaceRank < rankTown {
		return Place{}, &Error{Reason: ReasonNotFound, Detail: "the geocoder does not know the address: correct it, or send latitude and longitude"}
	}
	best := results[0]
	lat, errLat := strconv.ParseFloat(best.Lat, 64)
	lng, errLng := strconv.ParseFloat(best.Lon, 64)
	if err := errors.Join(errLat, errLng); err != nil {
		return Place{}, unavailable(true, err, "the geocoder's coordinates are no numbers")
	}
	at, err := checkCoordinates(&lat, &lng)
	if err != nil {
		return Place{}, unavailable(true, err, "the geocoder's coordinates are not on earth")
	}
	return Place{Point: at, Source: SourceGeocoder, Precision: precisionOf(best.PlaceRank)}, nil
}

func precisionOf(rank int) Precision {
	switch {
	case rank >= rankDoor:
		return PrecisionDoor
	case rank >= rankStreet:
		return PrecisionStreet
	case rank >= rankPostal:
		return PrecisionPostal
	default:
		return PrecisionArea
	}
}
