package ups

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/simulator"
)

type packageStatus struct {
	TrackingNumber string
	Status         coded
}

func (d *Dialect) void(x *simulator.Exchange) simulator.Act {
	v := parseVersion(x.Vars["version"])
	id := x.Vars["number"]
	wanted, err := voidNumbers(x.Request.URL.Query()["trackingnumber"])
	if err != nil {
		return err.answer(x)
	}
	if !isNumber(id) {
		return refuse("190100", "Invalid shipment identification number").answer(x)
	}
	return func(tx *simulator.Tx) simulator.Response {
		e := tx.Find(Name, id)
		var s *shipment
		if e != nil {
			s, _ = e.Data.(*shipment)
		}
		if s == nil || s.id() != id || d.mayUse(x, s.account) == nil {
			return stamp(x, notVoidable().response())
		}
		x.Reference = e.Reference
		if err := d.mayVoid(tx, e, s); err != nil {
			return stamp(x, err.response())
		}
		results, err := d.voidParcels(tx, e, s, wanted)
		if err != nil {
			return stamp(x, err.response())
		}
		return answerJSON(x, voidAnswer(v, s, results))
	}
}

func notVoidable() *refusal {
	return refuse("190102", "No shipment found within the allowed void period")
}

// voidNumbers reads the query: one number, or several in something like a JSON list.
func voidNumbers(query []string) ([]string, *refusal) {
	var numbers []string
	for _, q := range query {
		if !strings.HasPrefix(q, "[") {
			numbers = append(numbers, q)
			continue
		}
		var many []string
		if err := json.Unmarshal([]byte(q), &many); err != nil {
			many = strings.Split(strings.Trim(q, "[] "), ",")
		}
		for _, n := range many {
			numbers = append(numbers, strings.Trim(n, `" `))
		}
	}
	if len(numbers) > 20 {
		return nil, refuse("190122", "The packages listed are invalid: at most 20 can be voided at once.")
	}
	for _, n := range numbers {
		switch {
		case n == "string": // the placeholder of the documentation, left in place
			return nil, notVoidable()
		case !isNumber(n):
			return nil, refuse("190109", "Invalid tracking number")
		}
	}
	return numbers, nil
}

// mayVoid tells why a shipment cannot be voided any more.
func (d *Dialect) mayVoid(tx *simulator.Tx, e *simulator.Entity, s *shipment) *refusal {
	switch {
	case e.State == voided:
		return refuse("190117", "The Pickup Request associated with this shipment has already been voided")
	case e.State != labelCreated:
		return refuse("190103", "The pickup for this shipment has already been completed, it cannot be voided")
	case tx.Now().Sub(s.booked) > d.cfg.VoidWindow:
		return refuse("190101", "Time for voiding has expired")
	}
	return nil
}

// voidParcels voids the wanted packages, or all; when none is left the shipment is void. The money of each goes back.
func (d *Dialect) voidParcels(tx *simulator.Tx, e *simulator.Entity, s *shipment, wanted []string) ([]packageStatus, *refusal) {
	var results []packageStatus
	var hit []int
	for _, n := range wanted {
		i, ok := s.parcel(n)
		switch {
		case ok && s.returning && len(s.parcels) > 1:
			return nil, refuse("190112", "Return packages cannot be voided at package level")
		case ok && s.international && len(s.parcels) > 1:
			return nil, refuse("190113", "International packages cannot be voided at package level")
		case ok:
			hit = append(hit, i)
			results = append(results, packageStatus{n, coded{"1", "Voided"}})
		case len(wanted) == 1:
			return nil, refuse("190110", "Invalid package")
		default:
			results = append(results, packageStatus{n, coded{"0", "Not Voided"}})
		}
	}
	if len(wanted) > 0 && len(hit) == 0 {
		return nil, refuse("190121", "No package was voided")
	}
	if len(wanted) == 0 {
		for i := range s.parcels {
			hit = append(hit, i)
		}
	}
	if s.liveBut(hit) == 0 {
		if err := tx.Move(e, voided, "request"); err != nil {
			return nil, refuse("190103", "The pickup for this shipment has already been completed, it cannot be voided")
		}
		return results, nil
	}
	d.refund(tx, e, s, hit)
	return results, nil
}

// unbook ends a shipment that is void, by request or by hand.
func (d *Dialect) unbook(tx *simulator.Tx, e *simulator.Entity, s *shipment) {
	all := make([]int, len(s.parcels))
	for i := range all {
		all[i] = i
	}
	tx.RecordOf(e, simulator.Void, 0, "", "shipment")
	d.refund(tx, e, s, all)
}

// refund voids those of the packages that are not void yet, and gives back what they cost.
func (d *Dialect) refund(tx *simulator.Tx, e *simulator.Entity, s *shipment, packages []int) {
	tx.Touch(e)
	var back int64
	for _, i := range packages {
		if !s.parcels[i].voided() {
			s.parcels[i].voidedAt = tx.Now()
			back += s.parcels[i].share
		}
	}
	s.charged -= back
	if back > 0 {
		tx.RecordOf(e, simulator.Refund, back, currency, "void")
	}
}

// liveBut counts the packages that are not voided, nor among those given.
func (s *shipment) liveBut(packages []int) int {
	n := 0
	for i := range s.parcels {
		if !s.parcels[i].voided() && !slices.Contains(packages, i) {
			n++
		}
	}
	return n
}

// voidAnswer writes the summary. Recorded: a whole void has no package element at all, and one by package carries
// PackageLevelResult (the schema says PackageLevelResults), bare when there is one.
func voidAnswer(v version, s *shipment, results []packageStatus) any {
	var out struct {
		VoidShipmentResponse struct {
			Response      responsePart
			SummaryResult struct{ Status coded }
			Packages      many[packageStatus] `json:"PackageLevelResult,omitzero"`
		}
	}
	r := &out.VoidShipmentResponse
	r.Response = success(v, requestIn{})
	r.SummaryResult.Status = coded{"1", "Voided"}
	if s.liveBut(nil) > 0 {
		r.SummaryResult.Status = coded{"2", "Partial Void"} // the code of a partial void is not published
	}
	r.Packages = many[packageStatus]{results, true}
	return out
}
