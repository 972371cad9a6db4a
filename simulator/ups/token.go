package ups

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/simulator"
)

// token hands out an access token for HTTP Basic credentials and grant_type=client_credentials.
func (d *Dialect) token(x *simulator.Exchange) simulator.Act {
	id, secret, ok := x.Request.BasicAuth()
	form, err := url.ParseQuery(string(x.Body))
	if !ok || err != nil {
		return refuse("10400", "Invalid/Missing Authorization Header").answer(x)
	}
	if form.Get("grant_type") != "client_credentials" {
		// The wording of this one is not published.
		return refuse("10400", "Invalid/Missing grant_type").answer(x)
	}
	client := d.clients[id]
	if client == nil || client.Secret != secret {
		return (&refusal{http.StatusUnauthorized, "10401", "ClientId is Invalid"}).answer(x)
	}
	x.Account = id
	return func(tx *simulator.Tx) simulator.Response {
		t := tx.Mint(Name, id, d.cfg.TokenTTL)
		// All values are strings; issued_at is in milliseconds, expires_in in seconds.
		return answerJSON(x, struct {
			TokenType    string `json:"token_type"`
			IssuedAt     string `json:"issued_at"`
			ClientID     string `json:"client_id"`
			AccessToken  string `json:"access_token"`
			Scope        string `json:"scope"`
			ExpiresIn    string `json:"expires_in"`
			RefreshCount string `json:"refresh_count"`
			Status       string `json:"status"`
		}{"Bearer", strconv.FormatInt(tx.Now().UnixMilli(), 10), id, t.Value, "",
			strconv.Itoa(int(d.cfg.TokenTTL.Seconds())), "0", "approved"})
	}
}

// Authenticate implements simulator.Dialect: it wants a bearer token that is still good. One that has this
// simulator's form but is not known any more is answered as expired.
func (d *Dialect) Authenticate(x *simulator.Exchange) *simulator.Response {
	value, isBearer := strings.CutPrefix(x.Request.Header.Get("Authorization"), "Bearer ")
	if t, ok := x.World.Token(Name, value); ok && isBearer {
		x.Account = t.Holder
		return nil
	}
	var out simulator.Response
	switch {
	case d.cfg.Quirks.OldFaults:
		out = oldFault()
	case isBearer && isOurs(value):
		out = (&refusal{http.StatusUnauthorized, "251004", "The provided bearer token has expired"}).response()
	default:
		out = (&refusal{http.StatusUnauthorized, "250002", "Invalid Authentication Information."}).response()
	}
	out = stamp(x, out)
	return &out
}

func isOurs(token string) bool {
	return len(token) == 48 && strings.Trim(token, "0123456789abcdef") == ""
}

// oldFault is the error of the carrier's older gateway.
func oldFault() simulator.Response {
	type detail struct {
		Severity         string
		PrimaryErrorCode coded
	}
	var body struct {
		Fault struct {
			Code   string `json:"faultcode"`
			Text   string `json:"faultstring"`
			Detail struct {
				Errors struct{ ErrorDetail detail }
			} `json:"detail"`
		}
	}
	body.Fault.Code, body.Fault.Text = "Client", "An exception has been raised as a result of client data."
	body.Fault.Detail.Errors.ErrorDetail = detail{"Authentication", coded{"250003", "Invalid Access License number"}}
	return simulator.JSON(http.StatusUnauthorized, &body)
}

// Fault implements simulator.Dialect.
func (d *Dialect) Fault(status int) simulator.Response {
	r := refusal{status, "10002", "The request is well formed but the request is not valid"}
	switch {
	case status == http.StatusTooManyRequests:
		r.code, r.message = "10429", "Too Many Requests"
	case status == http.StatusUnauthorized:
		r.code, r.message = "250002", "Invalid Authentication Information."
	case status == http.StatusForbidden:
		r.code, r.message = "250002", "Blocked Merchant"
	case status == http.StatusRequestEntityTooLarge:
		r.code, r.message = "10013", "The request is too large"
	case status >= http.StatusInternalServerError:
		r.code, r.message = "10004", "The service is temporarily unavailable"
	}
	return r.response()
}

// mayUse tells whether the caller's client owns the shipper account.
func (d *Dialect) mayUse(x *simulator.Exchange, number string) *Account {
	c := d.clients[x.Account]
	if c == nil {
		return nil
	}
	for i := range c.Accounts {
		if c.Accounts[i].Number == number {
			return &c.Accounts[i]
		}
	}
	return nil
}
