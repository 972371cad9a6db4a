package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/rules"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// shipmentView is what people are shown of an order.
type shipmentView struct {
	ID                    string              `json:"id"`
	OrderExternalID       string              `json:"orderExternalId"`
	LocationExternalID    string              `json:"locationExternalId"`
	GroupID               string              `json:"groupId"`
	Status                string              `json:"status"`
	SubStatus             string              `json:"subStatus"`
	CurrencyCode          string              `json:"currencyCode"`
	OrderValue            shipping.Decimal    `json:"orderValue"`
	Amount                shipping.Decimal    `json:"amount"`
	Fee                   shipping.Decimal    `json:"fee"`
	TrackingID            string              `json:"trackingId"`
	Label                 string              `json:"label"`
	DeliveryAddress       shipping.Address    `json:"deliveryAddress"`
	EstimatedPickupTime   shipping.TimeWindow `json:"estimatedPickupTime"`
	EstimatedDeliveryTime shipping.TimeWindow `json:"estimatedDeliveryTime"`
	ActualPickupTime      shipping.Instant    `json:"actualPickupTime"`
	ActualDeliveryTime    shipping.Instant    `json:"actualDeliveryTime"`
	CreatedAt             string              `json:"createdAt"`
	Provider              struct {
		ID          string `json:"id"`
		DisplayName string `json:"displayName"`
		ServiceID   string `json:"serviceId"`
		ServiceType string `json:"serviceType"`
	} `json:"provider"`
	Parcels []struct {
		TrackingID string `json:"trackingId"`
	} `json:"parcels"`
	ReferenceLinks struct {
		TrackingURL string `json:"trackingUrl"`
	} `json:"referenceLinks"`
	Warnings warnings `json:"warnings"`
}

// carrier is who carries the order, and as what: "UPS / Ground".
func (v *shipmentView) carrier() string {
	return strings.Join(notEmpty(v.Provider.DisplayName, v.Provider.ServiceType), " / ")
}

func (p *program) showShipment(a answer) error {
	var v shipmentView
	if err := a.decode(&v); err != nil {
		return err
	}
	t := newTable(p.out)
	t.field("order", v.OrderExternalID)
	t.field("id", v.ID)
	t.field("status", strings.TrimSpace(v.Status+" "+v.SubStatus))
	t.field("carrier", v.carrier())
	t.field("tracking number", v.TrackingID)
	for i, parcel := range v.Parcels {
		t.field("parcel "+strconv.Itoa(i+1), parcel.TrackingID)
	}
	t.field("amount", price(v.Amount, v.CurrencyCode))
	t.field("fee", price(v.Fee, v.CurrencyCode))
	t.field("from", v.LocationExternalID)
	t.field("to", strings.Join(notEmpty(v.DeliveryAddress.City, v.DeliveryAddress.State, v.DeliveryAddress.PostalCode, v.DeliveryAddress.CountryCode), " "))
	t.field("order value", price(v.OrderValue, v.CurrencyCode))
	t.field("group", v.GroupID)
	t.field("pickup", firstOf(at(v.ActualPickupTime), estimate(v.EstimatedPickupTime)))
	t.field("delivery", firstOf(at(v.ActualDeliveryTime), estimate(v.EstimatedDeliveryTime)))
	t.field("label", v.Label)
	t.field("tracking page", v.ReferenceLinks.TrackingURL)
	v.Warnings.show(t)
	return t.flush()
}

func estimate(w shipping.TimeWindow) string {
	if s := window(w); s != "" {
		return s + " (estimated)"
	}
	return ""
}

func notEmpty(s ...string) []string {
	var out []string
	for _, v := range s {
		if v != "" {
			out = append(out, v)
		}
	}
	return out
}

func (p *program) showList(a answer) error {
	var v struct {
		Data  []shipmentView `json:"data"`
		Pages pages          `json:"paginationToken"`
	}
	if err := a.decode(&v); err != nil {
		return err
	}
	if len(v.Data) == 0 {
		_, err := fmt.Fprintln(p.out, "no orders")
		return err
	}
	t := newTable(p.out, "ORDER", "STATUS", "CARRIER", "FEE", "TRACKING NUMBER", "CREATED")
	for i := range v.Data {
		sh := &v.Data[i]
		t.row(sh.OrderExternalID, sh.Status, sh.carrier(), price(sh.Fee, sh.CurrencyCode), sh.TrackingID, sh.CreatedAt)
	}
	if err := t.flush(); err != nil {
		return err
	}
	return v.Pages.show(p.out)
}

// historyView is the status history of one order.
type historyView struct {
	OrderStatus []struct {
		Status         string           `json:"status"`
		SubStatus      string           `json:"subStatus"`
		UpdatedAtEpoch shipping.Instant `json:"updatedAtEpoch"`
		Note           string           `json:"note"`
		StatusUser     string           `json:"statusUser"`
	} `json:"orderStatus"`
}

func (p *program) showHistory(a answer) error {
	var v []historyView
	if err := a.decode(&v); err != nil {
		return err
	}
	if len(v) == 0 {
		_, err := fmt.Fprintln(p.out, "no such order has a history")
		return err
	}
	return writeHistory(p.out, v[0])
}

func writeHistory(out io.Writer, h historyView) error {
	t := newTable(out, "AT", "STATUS", "BY", "NOTE")
	for _, s := range h.OrderStatus {
		t.row(s.UpdatedAtEpoch.Local().Format("2006-01-02 15:04:05.000"), strings.TrimSpace(s.Status+" "+s.SubStatus), s.StatusUser, s.Note)
	}
	return t.flush()
}

// ratesView is what carriers would ask for an order.
type ratesView struct {
	Rates []struct {
		ProviderID            string              `json:"providerId"`
		ProviderDisplayName   string              `json:"providerDisplayName"`
		ServiceType           string              `json:"serviceType"`
		CurrencyCode          string              `json:"currencyCode"`
		Amount                shipping.Decimal    `json:"amount"`
		Fee                   shipping.Decimal    `json:"fee"`
		EstimatedDeliveryTime shipping.TimeWindow `json:"estimatedDeliveryTime"`
		RuleApplied           bool                `json:"ruleApplied"`
	} `json:"rates"`
	Errors []struct {
		Provider string `json:"provider"`
		Message  string `json:"message"`
	} `json:"errors"`
}

func (p *program) showRates(a answer) error {
	var v ratesView
	if err := a.decode(&v); err != nil {
		return err
	}
	return writeRates(p.out, v)
}

func writeRates(out io.Writer, v ratesView) error {
	t := newTable(out, "CARRIER", "SERVICE", "ASKS", "FEE", "DELIVERY", "")
	for _, r := range v.Rates {
		chosen := ""
		if r.RuleApplied {
			chosen = "<- the rules choose this"
		}
		t.row(r.ProviderDisplayName, r.ServiceType, price(r.Amount, r.CurrencyCode), price(r.Fee, r.CurrencyCode), window(r.EstimatedDeliveryTime), chosen)
	}
	for _, e := range v.Errors {
		t.row(e.Provider, "no offer: "+e.Message)
	}
	return t.flush()
}

// decisionView is why an order went where it went.
type decisionView struct {
	Decisions []struct {
		Round    int            `json:"round"`
		At       string         `json:"at"`
		Sentence string         `json:"sentence"`
		Record   jsontext.Value `json:"record"`
	} `json:"decisions"`
	Attempts []struct {
		Number     int              `json:"number"`
		Provider   string           `json:"provider"`
		ServiceID  string           `json:"serviceId"`
		Reference  string           `json:"reference"`
		State      string           `json:"state"`
		Fee        shipping.Decimal `json:"fee"`
		TrackingID string           `json:"trackingId"`
		Error      *struct {
			Code           string `json:"code"`
			Message        string `json:"message"`
			CarrierMessage string `json:"carrierMessage"`
		} `json:"error"`
	} `json:"attempts"`
}

func (p *program) showDecision(a answer) error {
	var v decisionView
	if err := a.decode(&v); err != nil {
		return err
	}
	for _, d := range v.Decisions {
		fmt.Fprintf(p.out, "%d. %s\n", d.Round, printable(d.Sentence))
		record, err := rules.ParseDecision(d.Record)
		if err != nil {
			continue // it has been erased, or a newer version has made it; the sentence is all there is
		}
		for _, f := range record.FailedRules() {
			fmt.Fprintf(p.out, "   %s.\n", printable(f.Text))
		}
	}
	if len(v.Decisions) == 0 {
		fmt.Fprintln(p.out, "nothing has been decided yet")
	}
	if len(v.Attempts) == 0 {
		return nil
	}
	fmt.Fprintln(p.out)
	return writeAttempts(p.out, v)
}

func writeAttempts(out io.Writer, v decisionView) error {
	t := newTable(out, "ATTEMPT", "CARRIER", "SERVICE", "FEE", "STATE", "TRACKING NUMBER", "ERROR")
	for _, at := range v.Attempts {
		problem := ""
		if at.Error != nil {
			problem = at.Error.Code + " " + firstOf(at.Error.CarrierMessage, at.Error.Message)
		}
		t.row(strconv.Itoa(at.Number), at.Provider, at.ServiceID, at.Fee.String(), at.State, at.TrackingID, problem)
	}
	return t.flush()
}

func (p *program) showTrace(a answer) error {
	var v struct {
		Exchanges []exchangeView `json:"exchanges"`
	}
	if err := a.decode(&v); err != nil {
		return err
	}
	if len(v.Exchanges) == 0 {
		_, err := fmt.Fprintln(p.out, "no exchanges with carriers; own drivers have none, and exchanges are kept for a while only")
		return err
	}
	t := newTable(p.out, "CARRIER", "OPERATION", "ATTEMPT", "REQUEST", "STATUS", "TIME")
	for _, x := range v.Exchanges {
		if x.Lost != "" {
			t.row(x.Provider, x.Op, number(x.Attempt), "lost: "+x.Lost)
			continue
		}
		t.row(x.Provider, x.Op, number(x.Attempt), x.Method+" "+x.URL, firstOf(number(x.Status), x.Error), fmt.Sprintf("%.1f ms", x.DurationMillis))
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.out, "\n--json shows headers and bodies, without secrets.")
	return err
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// exchangeView is one HTTP exchange with a carrier.
type exchangeView struct {
	Provider       string  `json:"provider"`
	Op             string  `json:"op"`
	Attempt        int     `json:"attempt"`
	Lost           string  `json:"lost"`
	Method         string  `json:"method"`
	URL            string  `json:"url"`
	Status         int     `json:"status"`
	Error          string  `json:"error"`
	DurationMillis float64 `json:"durationMs"`
}
