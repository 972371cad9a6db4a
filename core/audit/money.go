package audit

import (
	"fmt"

	"github.com/waybill-dev/waybill/core/shipment"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// money compares what the order is said to cost with what the carriers ask for its bookings, the cancelled ones too: what nobody
// carries is to cost nothing, but for what the carrier has said that it does not give back.
func (u *Auditor) money(o Order, a Attempt, claims []Claim) {
	for _, c := range claims {
		switch {
		case c.Unpriced:
		case a.Entity == "" || c.Entity != a.Entity: // of a live one beside the order's own, its own row tells
			if bill, kept := c.kept(); kept {
				bill.Tenant, bill.Order, bill.Shipment, bill.Attempt, bill.Mend = o.Tenant, o.ID, o.Shipment, a.Number, mendMoney(o, a, c)
				u.row(bill)
			}
		case !a.agrees(c):
			said := "the order says " + shipping.Money{Minor: a.cost(c), Currency: a.Amount.Currency}.String()
			if a.Quoted && a.cost(c) == a.Amount.Minor {
				said += ", which was quoted, for the carrier did not say what the booking costs"
			}
			row := c.bill(fmt.Sprintf("%s; the carrier asks %s", said, c.net()))
			row.Tenant, row.Order, row.Shipment, row.Attempt, row.Mend = o.Tenant, o.ID, o.Shipment, a.Number, mendMoney(o, a, c)
			u.row(row)
		}
	}
}

// net is what the carrier asks in the end.
func (c Claim) net() shipping.Money {
	return shipping.Money{Minor: c.Charged - c.Refunded, Currency: c.Currency}
}

// cost is what the order believes that its booking costs in the end.
func (a Attempt) cost(c Claim) int64 {
	switch {
	case c.Live || a.State == shipment.Ended: // what came to its end costs what was agreed
		return a.Amount.Minor
	case a.Refund.Currency != "":
		return a.Amount.Minor - a.Refund.Minor
	}
	return 0
}

// agrees reports whether the carrier asks what the order believes. A booking that the carrier itself has given up may be billed or
// given back: both are an end that the order knows. The tip is on the bill of a carrier that passes tips on to its couriers, beside
// its price.
func (a Attempt) agrees(c Claim) bool {
	net := c.net()
	if net.Minor == 0 && !c.Live && a.State == shipment.Ended {
		return true
	}
	cost := a.cost(c)
	tipped := cost != 0 && a.Tip.Minor != 0 && net.Minor == cost+a.Tip.Minor
	if net.Minor != cost && !tipped {
		return false
	}
	return net.Minor == 0 && !c.Live || c.Currency == "" || a.Amount.Currency == c.Currency
}

// kept is the row of a booking that is cancelled, on which no order counts, and for which the carrier asks money all the same.
func (c Claim) kept() (Row, bool) {
	if c.Live || c.Unpriced || c.net().Minor == 0 {
		return Row{}, false
	}
	return c.bill(fmt.Sprintf("%s is cancelled, no order counts on it, and the carrier asks %s", c.Entity, c.net())), true
}

func (c Claim) bill(detail string) Row {
	return Row{Kind: Money, Carrier: c.Carrier, Reference: c.Reference, Entity: c.Entity, Detail: detail,
		Mend: fmt.Sprintf("no order has an exchange that proves it: ask %s for its bill of %s, reference %s", c.Carrier, c.Entity, c.Reference)}
}

// mendMoney names the exchanges that prove what was agreed. Whose money is wrong, a person has to say.
func mendMoney(o Order, a Attempt, c Claim) string {
	return fmt.Sprintf("%s, which shows what %s has said at attempt %d; hold its bill of %s against that", o.command("trace"), c.Carrier, a.Number, c.Entity)
}
