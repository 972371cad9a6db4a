package badgerstore

import (
	"context"
	"strings"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// exchangeRow is an exchange as it is stored. Its bodies stand beside the JSON, which would have to quote every byte of them: first
// the request's, of RequestBytes. Records of before have them in the JSON.
type exchangeRow struct {
	store.Exchange
	RequestBytes int `json:"requestBytes,omitempty"`
}

func newExchangeRow(x store.Exchange) (row exchangeRow, bodies []byte) {
	request, response := strings.ToValidUTF8(x.RequestBody, "\uFFFD"), strings.ToValidUTF8(x.ResponseBody, "\uFFFD")
	bodies = append(append(make([]byte, 0, len(request)+len(response)), request...), response...)
	x.RequestBody, x.ResponseBody = "", ""
	return exchangeRow{Exchange: x, RequestBytes: len(request)}, bodies
}

// whole returns the exchange with its bodies.
func (r exchangeRow) whole(bodies []byte) store.Exchange {
	if len(bodies) > 0 {
		n := min(max(r.RequestBytes, 0), len(bodies))
		r.RequestBody, r.ResponseBody = string(bodies[:n]), string(bodies[n:])
	}
	return r.Exchange
}

// Exchanges implements store.Store.
func (s *Store) Exchanges(ctx context.Context, tenant string, id shipment.ID) ([]store.Exchange, error) {
	rows, err := rowsOf(ctx, s, kindExchange, tenant, id, func(r *exchangeRow, bodies []byte) { r.Exchange = r.whole(bodies) })
	var out []store.Exchange
	for _, r := range rows {
		out = append(out, r.Exchange)
	}
	return out, err
}
