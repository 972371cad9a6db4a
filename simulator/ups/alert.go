package ups

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/simulator"
)

// Webhook is where Track Alert tells a shipper of its parcels: as if the whole account were subscribed. A number that was subscribed with
// a destination of its own is told there instead. The token endpoint that v2 asks the shipper for is not simulated.
type Webhook struct {
	URL        string
	Credential string // sent in the header credential, as v1 does
}

// alert is the body of a push, as the published schema and its examples have it. What is not known yet is "".
type alert struct {
	TrackingNumber     string        `json:"trackingNumber"`
	LocalDate          string        `json:"localActivityDate"`
	LocalTime          string        `json:"localActivityTime"`
	Location           alertLocation `json:"activityLocation"`
	Status             alertStatus   `json:"activityStatus"`
	ScheduledDelivery  string        `json:"scheduledDeliveryDate"`
	ActualDeliveryDate string        `json:"actualDeliveryDate"`
	ActualDeliveryTime string        `json:"actualDeliveryTime"`
	GMTDate            string        `json:"gmtActivityDate"`
	GMTTime            string        `json:"gmtActivityTime"`
	GMTOffset          string        `json:"gmtOffset"`
	ReceivedBy         string        `json:"receivedBy"`
}

type alertLocation struct {
	City          string `json:"city"`
	StateProvince string `json:"stateProvince"`
	PostalCode    string `json:"postalCode"`
	Country       string `json:"country"`
}

type alertStatus struct {
	Type            string `json:"type"`
	Code            string `json:"code"`
	Description     string `json:"description"`
	DescriptionCode string `json:"descriptionCode"`
}

// resends are the pauses before further attempts. UPS documents none (chosen).
var resends = []time.Duration{time.Minute, 10 * time.Minute}

// alertLag is how long after a scan its push leaves (chosen).
const alertLag = 2 * time.Second

// tell has the shipper told of the last scan of every parcel.
func (d *Dialect) tell(tx *simulator.Tx, e *simulator.Entity, s *shipment) {
	var whole Webhook
	if a := d.accounts[e.Account]; a != nil {
		whole = a.Webhook
	}
	sc := s.scans[len(s.scans)-1]
	for i := range s.parcels {
		p := &s.parcels[i]
		if p.voided() && sc.state != voided {
			continue
		}
		to := whole
		if p.alert != nil && p.alert.Until.After(tx.Now()) {
			to = Webhook{p.alert.URL, p.alert.Credential}
		}
		if to.URL == "" {
			continue
		}
		body, err := json.Marshal(alertOf(s, p.number, sc))
		if err != nil {
			continue // unreachable: every member is text of ours
		}
		header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"UPSPubSubTrackingService"}}
		if to.Credential != "" {
			header.Set("Credential", to.Credential)
		}
		tx.Push(e, simulator.Push{Event: "track_alert", URL: to.URL, Header: header, Body: body, At: tx.Now().Add(alertLag), Retries: resends,
			Accepted: func(status int) bool { return status == http.StatusOK }})
	}
}

func alertOf(s *shipment, number string, sc scan) alert {
	st, local, gmt := statuses[sc.state], sc.at.In(sc.where.local), sc.at.UTC()
	out := alert{
		TrackingNumber: number, LocalDate: local.Format("20060102"), LocalTime: local.Format("150405"),
		Location:          alertLocation{City: sc.where.city, StateProvince: sc.where.state, Country: sc.where.country},
		Status:            alertStatus{Type: alertType(st.kind), Code: st.code, Description: st.description, DescriptionCode: st.digits},
		ScheduledDelivery: s.promised().Format("20060102"), GMTDate: gmt.Format("20060102"), GMTTime: gmt.Format("150405"),
		GMTOffset: strings.Replace(local.Format("-07:00"), ":", ".", 1),
	}
	if sc.state == delivered || sc.state == returned {
		out.ActualDeliveryDate, out.ActualDeliveryTime = out.LocalDate, out.LocalTime
	}
	return out
}

// alertType is the type that a push says: its schema has no pickup scans of their own.
func alertType(kind string) string {
	if kind == "P" {
		return "I"
	}
	return kind
}
