// Package label draws the 4x6 inch shipping labels that the simulator's carriers hand out: as a GIF or PNG
// picture (or a PDF page holding it) at 150 dots per inch, as ZPL text for a Zebra printer at 203 dots per inch, or as EPL2 text.
//
// A label carries the addresses, the service, the weight, the references, the carrier's routing code, two
// machine-readable codes and a plain SAMPLE mark. The first code is a Code 128 of the tracking number. The second
// is a Data Matrix with the routing message (postal code, country, service, tracking number and place in the shipment,
// parted by "|"). It stands where UPS prints its MaxiCode: the same square place and the same use, but a symbology that
// common libraries write and read.
//
// What all labels of one service share (rules, captions, service name, SAMPLE) is drawn once and kept; a label
// copies that base and draws only what differs. A Renderer may be used by many goroutines at once.
package label

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Format is the form in which a label is asked for.
type Format string

// The formats that Render knows.
const (
	GIF Format = "GIF" // image/gif, 600x900 pixels, two colours
	PNG Format = "PNG" // image/png, 600x900 pixels, one bit a pixel
	ZPL Format = "ZPL" // ZPL II text, 812x1218 dots, UTF-8
	PDF Format = "PDF" // application/pdf, one page of 4x6 inches with the PNG picture
	EPL Format = "EPL" // EPL2 text, 812x1218 dots, ASCII; bytes outside it are printed as "?"
)

// Party is one address block: the name first, then the lines in printing order.
type Party struct {
	Name  string
	Lines []string // at most five are printed
}

// Label is everything that is printed on one label.
type Label struct {
	Service    string // in words, as printed large: "UPS GROUND"
	Tracking   string // printed in groups and as Code 128; ASCII, at most 24 characters
	Sender     Party
	Receiver   Party
	Weight     string   // with its unit, "5 LBS"
	Piece      int      // 1-based place of this parcel in its shipment
	Pieces     int      // how many parcels the shipment has
	References []string // at most two are printed
	Routing    string   // the carrier's own sorting code, "NY 100 9-04"
	PostalCode string   // of the receiver, for the routing message
	Country    string   // of the receiver, ISO 3166-1 alpha-2
}

// Renderer draws labels and keeps the bases that it has drawn.
type Renderer struct {
	raster raster
}

// NewRenderer gives a renderer with no base drawn yet.
func NewRenderer() *Renderer { return &Renderer{} }

// Render draws one label in the given format. It answers an error for a format it does not know, and for a tracking
// number that cannot stand in a Code 128.
func (r *Renderer) Render(l Label, f Format) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	switch f {
	case GIF:
		return r.raster.gif(&l)
	case PNG:
		return r.raster.png(&l)
	case PDF:
		return r.raster.pdf(&l)
	case ZPL:
		return zpl(&l), nil
	case EPL:
		return epl(&l), nil
	}
	return nil, fmt.Errorf("label format %q is not known; ask for GIF, PNG, PDF, ZPL or EPL", f)
}

const maxTracking = 24

func (l *Label) check() error {
	if l.Tracking == "" || len(l.Tracking) > maxTracking {
		return fmt.Errorf("a label needs a tracking number of 1 to %d characters, got %q", maxTracking, l.Tracking)
	}
	for _, c := range []byte(l.Tracking) {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z') {
			return fmt.Errorf("tracking number %q: only ASCII letters and digits can be printed as Code 128", l.Tracking)
		}
	}
	if l.Piece < 1 || l.Pieces < l.Piece {
		return errors.New("a label needs its place in the shipment: Piece from 1 to Pieces")
	}
	return nil
}

// RoutingMessage is the text of the second code.
func (l *Label) RoutingMessage() string {
	return strings.Join([]string{l.PostalCode, l.Country, l.Service, l.Tracking, l.pieces()}, "|")
}

func (l *Label) pieces() string {
	return strconv.Itoa(l.Piece) + " OF " + strconv.Itoa(l.Pieces)
}

// grouped writes a 1Z number as carriers print it, "1Z 5R8 939 03 5756 7127"; any other number in fours.
func grouped(number string) string {
	sizes := []int{4, 4, 4, 4, 4, 4}
	if len(number) == 18 && strings.HasPrefix(number, "1Z") {
		sizes = []int{2, 3, 3, 2, 4, 4}
	}
	var b strings.Builder
	for _, n := range sizes {
		if number == "" {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		n = min(n, len(number))
		b.WriteString(number[:n])
		number = number[n:]
	}
	return b.String()
}

// The texts that every label carries.
const (
	sampleMark = "SAMPLE"
	sampleLine = "DO NOT SHIP - NOT A CARRIER LABEL"
)
