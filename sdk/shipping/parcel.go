package shipping

import (
	"fmt"
	"math/big"
)

// Size is three lengths in one unit: in, ft, cm, mm or m.
type Size struct {
	Length Decimal `json:"length"`
	Width  Decimal `json:"width"`
	Height Decimal `json:"height"`
	Unit   string  `json:"unit"`
}

// Weight is a mass in lb, oz, kg or g.
type Weight struct {
	Value Decimal `json:"value"`
	Unit  string  `json:"unit"`
}

var (
	lengthUnits = map[string]*big.Rat{ // in millimetres
		"in": big.NewRat(254, 10), "ft": big.NewRat(3048, 10), "cm": big.NewRat(10, 1), "mm": big.NewRat(1, 1), "m": big.NewRat(1000, 1),
	}
	weightUnits = map[string]*big.Rat{ // in grams
		"lb": big.NewRat(45359237, 100000), "oz": big.NewRat(45359237, 1600000), "kg": big.NewRat(1000, 1), "g": big.NewRat(1, 1),
	}
	maxLength = big.NewRat(100_000, 1)     // 100 m in millimetres
	maxWeight = big.NewRat(100_000_000, 1) // 100 t in grams
)

// Millimetres returns length, width and height exactly.
func (s Size) Millimetres() (l, w, h *big.Rat) {
	unit := lengthUnits[s.Unit]
	if unit == nil {
		unit = new(big.Rat)
	}
	in := func(d Decimal) *big.Rat { return new(big.Rat).Mul(d.Rat(), unit) }
	return in(s.Length), in(s.Width), in(s.Height)
}

// In returns length, width and height in another unit, exactly. The unit must be one that Size knows.
func (s Size) In(unit string) (l, w, h *big.Rat) {
	l, w, h = s.Millimetres()
	u := lengthUnits[unit]
	return l.Quo(l, u), w.Quo(w, u), h.Quo(h, u)
}

// Validate adds every fault of s to f.
func (s Size) Validate(f *Faults, path string) {
	unit, ok := lengthUnits[s.Unit]
	if !ok {
		f.Add(join(path, "unit"), "must be one of in, ft, cm, mm, m")
	}
	for _, side := range []struct {
		name string
		d    Decimal
	}{{"length", s.Length}, {"width", s.Width}, {"height", s.Height}} {
		switch {
		case side.d.IsZero():
			f.Add(join(path, side.name), "is required")
		case side.d.Sign() <= 0:
			f.Add(join(path, side.name), "must be more than 0")
		case ok && new(big.Rat).Mul(side.d.Rat(), unit).Cmp(maxLength) > 0:
			f.Add(join(path, side.name), "must be at most 100 m")
		}
	}
}

// Grams returns the mass exactly.
func (w Weight) Grams() *big.Rat {
	unit := weightUnits[w.Unit]
	if unit == nil {
		return new(big.Rat)
	}
	return new(big.Rat).Mul(w.Value.Rat(), unit)
}

// In returns the mass in another unit, exactly. The unit must be one that Weight knows.
func (w Weight) In(unit string) *big.Rat {
	g := w.Grams()
	return g.Quo(g, weightUnits[unit])
}

// Validate adds every fault of w to f.
func (w Weight) Validate(f *Faults, path string) {
	unit, ok := weightUnits[w.Unit]
	if !ok {
		f.Add(join(path, "unit"), "must be one of lb, oz, kg, g")
	}
	switch {
	case w.Value.IsZero():
		f.Add(join(path, "value"), "is required")
	case w.Value.Sign() <= 0:
		f.Add(join(path, "value"), "must be more than 0")
	case ok && new(big.Rat).Mul(w.Value.Rat(), unit).Cmp(maxWeight) > 0:
		f.Add(join(path, "value"), "must be at most 100 t")
	}
}

// Temperatures lists what Parcel.TemperatureControl may say; "none" is the default.
var Temperatures = []string{"none", "ambient", "refrigerated", "frozen"}

// Parcel is one thing with one label.
type Parcel struct {
	Name               string   `json:"name"` // a preset of the configuration, or free text
	ItemQuantity       int      `json:"itemQuantity"`
	Size               *Size    `json:"size,omitempty"`
	Weight             *Weight  `json:"weight,omitempty"`
	Description        string   `json:"description"`
	TemperatureControl string   `json:"temperatureControl"`
	Barcode            string   `json:"barcode"`
	Content            []string `json:"content,omitempty"` // alcohol, lithium, …: kept, and only carried by services that can
}

// Validate adds every fault of p to f. Size and weight may come from a preset, so their absence is judged where presets are known.
func (p Parcel) Validate(f *Faults, path string) {
	f.Line(join(path, "name"), p.Name, MaxText)
	f.Text(join(path, "description"), p.Description, MaxNote)
	f.Line(join(path, "barcode"), p.Barcode, MaxText)
	if p.ItemQuantity < 0 || p.ItemQuantity > 1_000_000 {
		f.Add(join(path, "itemQuantity"), "must be between 0 and 1000000")
	}
	if p.Size != nil {
		p.Size.Validate(f, join(path, "size"))
	}
	if p.Weight != nil {
		p.Weight.Validate(f, join(path, "weight"))
	}
	oneOf(f, join(path, "temperatureControl"), p.TemperatureControl, Temperatures)
	if len(p.Content) > MaxItems {
		f.Add(join(path, "content"), "must have at most %d entries", MaxItems)
	}
	for i, c := range p.Content {
		f.Required(fmt.Sprintf("%s[%d]", join(path, "content"), i), c, MaxText)
	}
}

// Item is one line of the order: a SKU, how many, and what is known of each.
type Item struct {
	SKU         string   `json:"sku"`
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Quantity    int      `json:"quantity"`
	Size        *Size    `json:"size,omitempty"`
	Weight      *Weight  `json:"weight,omitempty"`
	Price       Decimal  `json:"price"`     // major units
	SalePrice   Decimal  `json:"salePrice"` // major units
	Barcode     string   `json:"barcode,omitempty"`
	Tags        []string `json:"tags,omitempty"`
}

// Validate adds every fault of i to f, money being checked against currency.
func (i Item) Validate(f *Faults, path, currency string) {
	f.Line(join(path, "sku"), i.SKU, MaxText)
	f.Line(join(path, "title"), i.Title, MaxText)
	f.Text(join(path, "description"), i.Description, MaxNote)
	f.Line(join(path, "barcode"), i.Barcode, MaxText)
	if i.Quantity < 1 || i.Quantity > 1_000_000 {
		f.Add(join(path, "quantity"), "must be between 1 and 1000000")
	}
	if i.Size != nil {
		i.Size.Validate(f, join(path, "size"))
	}
	if i.Weight != nil {
		i.Weight.Validate(f, join(path, "weight"))
	}
	Amount(f, join(path, "price"), i.Price, currency)
	Amount(f, join(path, "salePrice"), i.SalePrice, currency)
	if len(i.Tags) > MaxItems {
		f.Add(join(path, "tags"), "must have at most %d entries", MaxItems)
	}
	for n, t := range i.Tags {
		f.Required(fmt.Sprintf("%s[%d]", join(path, "tags"), n), t, MaxText)
	}
}

// Amount records a fault when d is not an amount of currency that is 0 or more. An absent d is no fault.
func Amount(f *Faults, path string, d Decimal, currency string) {
	if d.IsZero() {
		return
	}
	if d.Sign() < 0 {
		f.Add(path, "must be 0 or more")
		return
	}
	if _, err := BindMoney(d, currency); err != nil {
		f.Add(path, "%v", err)
	}
}
