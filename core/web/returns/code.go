package returns

import (
	"bytes"
	"fmt"
	"image/png"
	"strconv"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"github.com/waybill-dev/waybill/core/shipment"
)

// Code is the URL of the picture of a code, with which a return is handed in; "" where there is none: nobody brings it back yet or any
// more, or the tenant has no page for returns. The code leads a counter, or any telephone, to the label of the first parcel, which it can
// print. Where the carrier has no labels the code is its number of the return, for whoever comes to fetch it. It is not a carrier's own
// mobile code: those only the carriers can make.
func (p *Pages) Code(back *shipment.Shipment) string {
	if back.ReturnOf == nil {
		return ""
	}
	of := ref{ofShipment, string(back.ReturnOf.Shipment), back.Tenant}
	if back.ReturnOf.Tracker != "" {
		of = ref{ofTracker, back.ReturnOf.Tracker, back.Tenant}
	}
	page := p.link(of)
	if page == "" || p.coded("", back, 1) == "" {
		return ""
	}
	return page + "/" + string(back.ID) + "/code"
}

// coded is what the code of a parcel says, "" where it has none. path is that of the page.
func (p *Pages) coded(path string, back *shipment.Shipment, parcel int) string {
	a := toHandIn(back)
	if a == nil || parcel < 1 || parcel > max(len(a.Booking.Parcels), 1) {
		return ""
	}
	if parcel <= len(a.Booking.Parcels) && a.Booking.Parcels[parcel-1].LabelFormat != "" {
		return p.Config().Server.PublicURL + path + "/" + string(back.ID) + "/label?parcel=" + strconv.Itoa(parcel)
	}
	return a.Booking.TrackingID
}

// toHandIn is the booking of a return that the buyer has still to hand in, nil where there is none.
func toHandIn(back *shipment.Shipment) *shipment.Attempt {
	if !back.ErasedAt.IsZero() || back.Stage() != shipment.WithCarrier {
		return nil
	}
	return back.Live(shipment.Return)
}

// codeSize is the width of the picture in pixels: enough to be read from any screen.
const codeSize = 360

func qrCode(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err == nil {
		code, err = barcode.Scale(code, codeSize, codeSize)
	}
	if err != nil {
		return nil, fmt.Errorf("draw the code of a return: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, code); err != nil {
		return nil, fmt.Errorf("write the code of a return: %w", err)
	}
	return b.Bytes(), nil
}
