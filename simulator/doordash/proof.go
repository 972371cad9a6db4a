package doordash

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/waybill-dev/waybill/simulator"
)

// proof are the pictures that a Dasher has taken. Members are left out while there is no picture. That an order which asks for a
// signature has a picture of it, and any other delivered order one of the doorstep, is chosen.
type proof struct {
	Pickup    string `json:"pickup_verification_image_url,omitzero"`
	Dropoff   string `json:"dropoff_verification_image_url,omitzero"`
	Signature string `json:"dropoff_signature_image_url,omitzero"`
}

// proof is what proves a delivery as far as it has come.
func (v *delivery) proof(e *simulator.Entity) (p proof) {
	var asked struct {
		Options struct {
			Signature string `json:"signature"`
		} `json:"dropoff_options"`
		Required bool `json:"dropoff_requires_signature"`
		Pickup   struct {
			Type string `json:"verification_type"`
		} `json:"pickup_verification_metadata"`
	}
	_ = json.Unmarshal(v.body, &asked) // our own encoding; what was not asked for stays empty
	base := v.trackingURL(e.ID)
	if !when(e, pickedUp).IsZero() && asked.Pickup.Type != "" {
		p.Pickup = base + "/pickup.png"
	}
	switch signed := asked.Required || slices.Contains([]string{"required", "preferred"}, asked.Options.Signature); {
	case when(e, delivered).IsZero():
	case signed:
		p.Signature = base + "/signature.png"
	default:
		p.Dropoff = base + "/dropoff.png"
	}
	return p
}

// picture answers a picture that a proof leads to: a grey square, for nobody was there.
func (d *Dialect) picture(x *simulator.Exchange) simulator.Act {
	x.Reference = x.Vars["code"]
	name := x.Vars["picture"]
	return func(tx *simulator.Tx) simulator.Response {
		e := tx.Find(Name, x.Reference)
		if e == nil {
			return unknownDelivery(x.Reference)
		}
		v := e.Data.(*delivery)
		p, url := v.proof(e), v.trackingURL(e.ID)+"/"+name
		if url != p.Pickup && url != p.Dropoff && url != p.Signature {
			return unknownDelivery(x.Reference)
		}
		return simulator.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"image/png"}}, Render: func() ([]byte, error) {
			const side = 64
			square := image.NewGray(image.Rect(0, 0, side, side))
			for i := range square.Pix {
				square.Pix[i] = 0xb0
			}
			var out bytes.Buffer
			err := png.Encode(&out, square)
			return out.Bytes(), err
		}}
	}
}
