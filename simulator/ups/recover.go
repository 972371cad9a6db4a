package ups

import (
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/waybill-dev/waybill/simulator"
	"github.com/waybill-dev/waybill/simulator/label"
)

type recoverIn struct {
	Request            requestIn
	LabelSpecification *labelSpec
	TrackingNumber     text
	ReferenceValues    *struct {
		ReferenceNumber struct{ Value text }
		ShipperNumber   text
	}
}

type labelImage struct {
	LabelImageFormat codeOnly
	GraphicImage     string
	HTMLImage        string `json:",omitzero"`
}

type labelResult struct {
	TrackingNumber string
	LabelImage     labelImage
}

// The codes of Label Recovery are published as a list of numbers and a list of meanings; they are paired in order.
var (
	errSeveral   = refuse("300001", "Multiple shipments were found for the reference; give the tracking number.")
	errAskNumber = refuse("300005", "A tracking number, or a reference number with a shipper number, is required.")
	errExpired   = refuse("300006", "The label has expired.")
	errNotFound  = refuse("300007", "Shipment not found.")
	errBadNumber = refuse("300014", "Invalid tracking number.")
	errVoidLabel = refuse("300033", "The shipment has been voided.")
	errTooMany   = refuse("300003", "The shipment has more than 100 packages.")
)

const maxRecoveries = 100

func (d *Dialect) recoverLabel(x *simulator.Exchange) simulator.Act {
	var in struct{ LabelRecoveryRequest *recoverIn }
	if failed := decode(x, &in); failed != nil {
		return failed
	}
	r := in.LabelRecoveryRequest
	switch {
	case r == nil:
		return refuse("10002", "The request is well formed but the request is not valid").answer(x)
	case r.TrackingNumber != "":
		if !isNumber(string(r.TrackingNumber)) {
			return errBadNumber.answer(x)
		}
	case r.ReferenceValues == nil || r.ReferenceValues.ReferenceNumber.Value == "" || r.ReferenceValues.ShipperNumber == "":
		return errAskNumber.answer(x)
	default:
		x.Reference = string(r.ReferenceValues.ReferenceNumber.Value)
	}
	format := label.GIF
	if r.LabelSpecification != nil {
		var err *refusal
		if format, err = formatOf(r.LabelSpecification, recoverFormats); err != nil {
			return err.answer(x)
		}
	}
	return func(tx *simulator.Tx) simulator.Response {
		s, err := d.recoverable(tx, x, r)
		if err != nil {
			return stamp(x, err.response())
		}
		out := stamp(x, simulator.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}})
		parcels := append([]parcelRecord(nil), s.parcels...)
		out.Render = func() ([]byte, error) { return d.recovered(r, s, parcels, format) }
		return out
	}
}

// recoverable finds the one shipment whose labels are asked for.
func (d *Dialect) recoverable(tx *simulator.Tx, x *simulator.Exchange, r *recoverIn) (*shipment, *refusal) {
	var found []*simulator.Entity
	if r.TrackingNumber != "" {
		if e := tx.Find(Name, string(r.TrackingNumber)); e != nil {
			found = append(found, e)
		}
	} else {
		found = byReference(tx, x.Reference, string(r.ReferenceValues.ShipperNumber))
	}
	var live []*shipment
	for _, e := range found {
		s, ok := e.Data.(*shipment)
		if ok && e.State != voided && d.mayUse(x, s.account) != nil {
			live = append(live, s)
		}
	}
	switch {
	case len(found) == 0:
		return nil, errNotFound
	case len(live) == 0:
		return nil, errVoidLabel
	case len(live) > 1:
		return nil, errSeveral
	case tx.Now().Sub(live[0].booked) > d.cfg.LabelWindow:
		return nil, errExpired
	case len(live[0].parcels) > maxRecoveries:
		return nil, errTooMany
	}
	return live[0], nil
}

// byReference finds the shipments of a shipper account with a parcel of the reference, oldest first. An empty account
// stands for all. The world knows a shipment by its first reference; others are looked for one by one.
func byReference(tx *simulator.Tx, reference, account string) []*simulator.Entity {
	mine := func(e *simulator.Entity) bool {
		s, ok := e.Data.(*shipment)
		return ok && e.Carrier == Name && (account == "" || s.account == account) && s.has(reference)
	}
	var found []*simulator.Entity
	for _, e := range tx.ByReference(Name, reference) {
		if mine(e) {
			found = append(found, e)
		}
	}
	if len(found) > 0 {
		return found
	}
	tx.Each(func(e *simulator.Entity) bool {
		if mine(e) {
			found = append([]*simulator.Entity{e}, found...)
		}
		return true
	})
	return found
}

func (d *Dialect) recovered(r *recoverIn, s *shipment, parcels []parcelRecord, format label.Format) ([]byte, error) {
	var out struct {
		LabelRecoveryResponse struct {
			Response                     responsePart
			ShipmentIdentificationNumber string
			LabelResults                 many[labelResult]
		}
	}
	res := &out.LabelRecoveryResponse
	res.Response = success(arraysFrom, r.Request)
	res.ShipmentIdentificationNumber = parcels[0].number
	for i := range parcels {
		// A number asks for its own label; the shipment's number, like a reference, for all.
		if asked := string(r.TrackingNumber); asked != "" && asked != parcels[0].number && asked != parcels[i].number || parcels[i].voided() {
			continue
		}
		img, err := d.draw(s.label(i), format)
		if err != nil {
			return nil, err
		}
		res.LabelResults.items = append(res.LabelResults.items, labelResult{parcels[i].number,
			labelImage{codeOnly{img.ImageFormat.Code}, img.GraphicImage, img.HTMLImage}})
	}
	return json.Marshal(&out)
}
