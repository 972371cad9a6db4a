package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/waybill-dev/waybill/core/config"
	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/core/store"
)

// Lister is what Export needs of a store.Store.
type Lister interface {
	ListShipments(ctx context.Context, tenant string, q store.ShipmentQuery) (store.ShipmentPage, error)
	Exchanges(ctx context.Context, tenant string, id shipment.ID) ([]store.Exchange, error)
}

const (
	exportPage = 500
	endMark    = `{"end":true}`
	maxLine    = 1 << 20
)

// Export writes every order of the configured tenants, one JSON line each, and a last line that says that it is the last.
func Export(ctx context.Context, st Lister, c *config.Config, w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, tenant := range slices.Sorted(maps.Keys(c.Tenants)) {
		q := store.ShipmentQuery{Limit: exportPage}
		for {
			page, err := st.ListShipments(ctx, tenant, q)
			if err != nil {
				return fmt.Errorf("orders of tenant %s: %w", tenant, err)
			}
			for _, sh := range page.Shipments {
				o, err := witnessed(ctx, st, sh)
				if err != nil {
					return err
				}
				line, err := json.Marshal(o)
				if err != nil {
					return fmt.Errorf("order %s: %w", sh.ID, err)
				}
				if _, err := out.Write(append(line, '\n')); err != nil {
					return err
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
	}
	if _, err := out.WriteString(endMark + "\n"); err != nil {
		return err
	}
	return out.Flush()
}

// witnessed is what is compared of an order, with what its exchanges tell. They are read only where they are needed.
func witnessed(ctx context.Context, st Lister, sh *shipment.Shipment) (Order, error) {
	o := OrderOf(sh)
	if !slices.ContainsFunc(sh.Attempts, func(a shipment.Attempt) bool { return a.Booking == nil }) {
		return o, nil
	}
	xs, err := st.Exchanges(ctx, sh.Tenant, sh.ID)
	if err != nil {
		return o, fmt.Errorf("exchanges of order %s: %w", sh.ID, err)
	}
	for i := range o.Attempts {
		if sh.Attempts[i].Booking == nil {
			o.Attempts[i].Witness = testify(xs, o.Attempts[i])
		}
	}
	return o, nil
}

// Import reads what Export has written. An export that was cut short is an error.
func Import(r io.Reader) ([]Order, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var orders []Order
	for n := 1; lines.Scan(); n++ {
		if lines.Text() == endMark {
			return orders, nil
		}
		var o Order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return nil, fmt.Errorf("orders: line %d does not read: %w", n, err)
		}
		orders = append(orders, o)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("orders: %w", err)
	}
	return nil, errors.New("orders: the list is cut short")
}
