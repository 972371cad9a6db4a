package audit

import (
	"net/http"
	"strings"

	"github.com/waybill-dev/waybill/core/store"
)

// Witness is what the exchange trace tells of an attempt whose booking the store does not know; "" where it knows one.
type Witness string

// The testimonies.
const (
	// WitnessBooked: a request that named the attempt's reference was answered with success.
	WitnessBooked Witness = "booked"
	// WitnessNot: exchanges of the booking are there, and none of them succeeded.
	WitnessNot Witness = "not"
	// WitnessLost: exchanges of the booking died with a process, so that the trace proves nothing.
	WitnessLost Witness = "lost"
	// WitnessSilent: there are no exchanges of the booking, and no note of them: the engine died with them, or they were removed with age.
	WitnessSilent Witness = "silent"
)

// says is the testimony in words, to follow a row's detail.
func (w Witness) says() string {
	switch w {
	case WitnessBooked:
		return "; the exchange trace shows that the carrier answered the booking with success"
	case WitnessNot:
		return "; the exchange trace shows no answer of success"
	case WitnessLost:
		return "; the exchange trace was lost with the adapter's process"
	case WitnessSilent:
		return "; there is no exchange trace of the booking: it was lost with the engine's process, or is past its retention"
	}
	return ""
}

// testify reads what the exchanges of a shipment tell of one attempt. Asking for a token is an exchange of a booking too, so only a
// request that names the reference counts as one.
func testify(xs []store.Exchange, a Attempt) Witness {
	w := WitnessSilent
	for i := range xs {
		x := &xs[i]
		if x.Op != "book" || x.Attempt != a.Number {
			continue
		}
		switch {
		case x.Lost != "":
			w = WitnessLost
		case x.Method != http.MethodGet && x.Status/100 == 2 && (strings.Contains(x.URL, a.Reference) || strings.Contains(x.RequestBody, a.Reference)):
			return WitnessBooked
		case w == WitnessSilent:
			w = WitnessNot
		}
	}
	return w
}
