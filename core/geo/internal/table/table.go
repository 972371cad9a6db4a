// Package table is the compact form of the postal-code table that core/geo embeds: written by its generator, read by
// core/geo. Codes, latitudes, longitudes and zones are four columns of differences as variable-length integers, under
// gzip; forty thousand codes take less than two hundred kilobytes.
package table

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Unit is the resolution of coordinates: thousandths of a degree, 111 metres of latitude at most.
const Unit = 1000

const magic = "waybill postal codes 1\n"

// Table is the postal codes of one country, all of one length, ascending.
type Table struct {
	Country string // ISO 3166-1 alpha-2
	Rows    []Row
}

// Row places one postal code.
type Row struct {
	Code     string // digits and upper-case letters
	Lat, Lng float64
	Zone     string // IANA
}

// Encode writes tables.
func Encode(w io.Writer, tables []Table) error {
	zones, index := zonesOf(tables)
	b := []byte(magic)
	b = binary.AppendUvarint(b, uint64(len(zones)))
	for _, zone := range zones {
		b = appendText(b, zone)
	}
	b = binary.AppendUvarint(b, uint64(len(tables)))
	for _, t := range tables {
		b = appendText(b, t.Country)
		b = binary.AppendUvarint(b, uint64(len(t.Rows)))
		if len(t.Rows) == 0 {
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(t.Rows[0].Code)))
		last := uint64(0)
		for i, r := range t.Rows {
			n, err := number(r.Code)
			if err != nil || len(r.Code) != len(t.Rows[0].Code) || i > 0 && n <= last {
				return fmt.Errorf("%s %q: codes must be of one length, digits and upper-case letters, ascending", t.Country, r.Code)
			}
			b, last = binary.AppendUvarint(b, n-last), n
		}
		b = appendColumn(b, t.Rows, func(r Row) int64 { return int64(math.Round(r.Lat * Unit)) })
		b = appendColumn(b, t.Rows, func(r Row) int64 { return int64(math.Round(r.Lng * Unit)) })
		b = appendColumn(b, t.Rows, func(r Row) int64 { return index[r.Zone] })
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(b); err != nil {
		return err
	}
	return z.Close()
}

func zonesOf(tables []Table) ([]string, map[string]int64) {
	var zones []string
	index := map[string]int64{}
	for _, t := range tables {
		for _, r := range t.Rows {
			if _, known := index[r.Zone]; !known {
				index[r.Zone] = int64(len(zones))
				zones = append(zones, r.Zone)
			}
		}
	}
	return zones, index
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendColumn(b []byte, rows []Row, of func(Row) int64) []byte {
	last := int64(0)
	for _, r := range rows {
		n := of(r)
		b, last = binary.AppendVarint(b, n-last), n
	}
	return b
}

// Decode reads what Encode wrote.
func Decode(data []byte) ([]Table, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("postal codes: %w", err)
	}
	raw, err := io.ReadAll(z) // to the end, where the checksum is
	if err != nil {
		return nil, fmt.Errorf("postal codes: %w", err)
	}
	d := decoder{r: bytes.NewReader(raw)}
	if d.text(len(magic)) != magic {
		return nil, fmt.Errorf("postal codes: not a table of this version")
	}
	zones := make([]string, d.count())
	for i := range zones {
		zones[i] = d.text(d.count())
	}
	tables := make([]Table, d.count())
	for i := range tables {
		tables[i] = d.table(zones)
	}
	if d.err != nil {
		return nil, fmt.Errorf("postal codes: %w", d.err)
	}
	return tables, nil
}

// decoder reads on after a fault, answering zeros, and keeps the first fault.
type decoder struct {
	r   *bytes.Reader
	err error
}

// maxCount bounds every length read, so that a damaged table cannot ask for all memory.
const maxCount = 1 << 20

func (d *decoder) table(zones []string) Table {
	t := Table{Country: d.text(d.count()), Rows: make([]Row, d.count())}
	if len(t.Rows) == 0 {
		return t
	}
	width, n := d.count(), uint64(0)
	for i := range t.Rows {
		n += d.uvarint()
		t.Rows[i].Code = d.code(n, width)
	}
	d.column(len(t.Rows), func(i int, n int64) { t.Rows[i].Lat = float64(n) / Unit })
	d.column(len(t.Rows), func(i int, n int64) { t.Rows[i].Lng = float64(n) / Unit })
	d.column(len(t.Rows), func(i int, n int64) {
		if n < 0 || n >= int64(len(zones)) {
			d.fail(fmt.Errorf("zone %d of %d", n, len(zones)))
			return
		}
		t.Rows[i].Zone = zones[n]
	})
	return t
}

func (d *decoder) column(rows int, put func(i int, n int64)) {
	last := int64(0)
	for i := range rows {
		if d.err != nil {
			return
		}
		n, err := binary.ReadVarint(d.r)
		d.fail(err)
		last += n
		put(i, last)
	}
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) uvarint() uint64 {
	if d.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(d.r)
	d.fail(err)
	return n
}

func (d *decoder) count() int {
	n := d.uvarint()
	if n > maxCount {
		d.fail(fmt.Errorf("a count of %d", n))
		return 0
	}
	return int(n)
}

func (d *decoder) text(n int) string {
	if d.err != nil {
		return ""
	}
	b := make([]byte, n)
	_, err := io.ReadFull(d.r, b)
	d.fail(err)
	return string(b)
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// maxWidth is how many base-36 digits fit 64 bits.
const maxWidth = 12

// number reads a code as a number of base 36, which keeps the order of codes of one length.
func number(code string) (uint64, error) {
	if code == "" || len(code) > maxWidth {
		return 0, fmt.Errorf("code %q has no length between 1 and %d", code, maxWidth)
	}
	n := uint64(0)
	for _, c := range []byte(code) {
		at := bytes.IndexByte([]byte(digits), c)
		if at < 0 {
			return 0, fmt.Errorf("code %q has characters beside digits and upper-case letters", code)
		}
		n = n*36 + uint64(at)
	}
	return n, nil
}

func (d *decoder) code(n uint64, width int) string {
	if width > maxWidth {
		d.fail(fmt.Errorf("a code of %d characters", width))
		return ""
	}
	b := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		b[i] = digits[n%36]
		n /= 36
	}
	return string(b)
}
