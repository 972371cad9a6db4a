package shipping

import (
	"bufio"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// exportedDecision is one line of the export: what `waybill rules backtest` reads, and whose decision it was.
type exportedDecision struct {
	ID              shipment.ID    `json:"id"`
	OrderExternalID string         `json:"orderExternalId"`
	Round           int            `json:"round"`
	At              string         `json:"at"`
	Trial           *store.Trial   `json:"trial,omitempty"`
	Record          jsontext.Value `json:"record"`
}

// decisions writes the decision records of the tenant's orders, one JSON object a line, newest order first.
func (s *surface) decisions(q *httpapi.Request, w io.Writer) error {
	var since time.Time
	if text := q.HTTP.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return invalid(shipping.Faults{{Path: "since", Message: "must be an instant such as 2026-03-08T00:00:00Z"}})
		}
	}
	out := bufio.NewWriter(w)
	err := s.cases.ExportDecisions(q.Context(), q.Caller, since, func(sh *shipment.Shipment, ds []store.Decision) error {
		for _, d := range ds {
			line := exportedDecision{ID: sh.ID, OrderExternalID: sh.Order.ExternalID, Round: d.Round, At: clock.Millis(d.At), Trial: d.Trial, Record: d.Record}
			if err := json.MarshalWrite(out, line, jsontext.AllowInvalidUTF8(true)); err != nil {
				return err
			}
			if err := out.WriteByte('\n'); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return out.Flush()
}
