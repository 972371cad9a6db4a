package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// benchTable is what a run has found.
type benchTable struct {
	Platform string        `json:"platform"`
	CPUs     int           `json:"cpus"`
	Load     string        `json:"load,omitempty"` // average of the minute before
	Orders   int           `json:"orders,omitzero"`
	Clients  int           `json:"clients,omitzero"`
	Trackers int           `json:"trackers,omitzero"`
	Figures  []benchFigure `json:"figures"`
}

// benchFigure is one figure beside its floor. Ratio is value to floor; 0 where there is no floor.
type benchFigure struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Value  float64 `json:"value"`
	Floor  float64 `json:"floor,omitempty"`
	Ratio  float64 `json:"ratio,omitempty"`
	Of     string  `json:"of,omitempty"`     // what the floor is
	Expect string  `json:"expect,omitempty"` // on 2 cores
	Met    *bool   `json:"met,omitempty"`    // nil where nothing is expected
}

func (t *benchTable) add(name, unit string, value float64) *benchFigure {
	t.Figures = append(t.Figures, benchFigure{Name: name, Unit: unit, Value: value})
	return &t.Figures[len(t.Figures)-1]
}

// over puts the figure beside its floor.
func (f *benchFigure) over(floor float64, of string) *benchFigure {
	f.Floor, f.Of = floor, of
	if floor > 0 {
		f.Ratio = f.Value / floor
	}
	return f
}

// expect says what was hoped for, and whether it came.
func (f *benchFigure) expect(met bool, format string, args ...any) {
	f.Expect, f.Met = fmt.Sprintf(format, args...), &met
}

func (t *benchTable) print(w io.Writer) error {
	if len(t.Figures) == 0 {
		return nil
	}
	size := fmt.Sprintf("%d orders, %d clients", t.Orders, t.Clients)
	if t.Trackers > 0 {
		size = fmt.Sprintf("%d trackers", t.Trackers)
	}
	fmt.Fprintf(w, "%s, %d cores, load %s before; %s; expectations are for 2 cores that have nothing else to do\n\n", t.Platform, t.CPUs, t.Load, size)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "figure\tvalue\tfloor\tratio\texpected\t\tfloor is")
	for _, f := range t.Figures {
		floor, ratio, met := "", "", ""
		if f.Floor > 0 {
			floor, ratio = inUnit(f.Floor, f.Unit), fmt.Sprintf("%.3g", f.Ratio)
		}
		if f.Met != nil {
			met = map[bool]string{true: "met", false: "MISSED"}[*f.Met]
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, inUnit(f.Value, f.Unit), floor, ratio, f.Expect, met, f.Of)
	}
	return tab.Flush()
}

func inUnit(v float64, unit string) string {
	digits := 0
	switch {
	case v == 0:
	case v < 10:
		digits = 2
	case v < 100:
		digits = 1
	}
	text := fmt.Sprintf("%.*f", digits, v)
	if unit == "" {
		return text
	}
	return text + " " + unit
}

// quantile is the value below which the part q of sorted durations lies; 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// medianOf sorts xs.
func medianOf(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}
