package console

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules"
)

// decisionView is a decision as the page shows it.
type decisionView struct {
	Sentence string       `json:"sentence"`
	Options  []optionView `json:"options"`
	Notes    []noteView   `json:"notes"`    // what rules did beside excluding and ranking
	Sections []section    `json:"sections"` // why, part by part
}

// optionView is an offer, or an account that gave none.
type optionView struct {
	Account string     `json:"account"`
	Service string     `json:"service,omitempty"`
	Rank    int        `json:"rank,omitempty"`
	Fee     string     `json:"fee,omitempty"`
	Cost    string     `json:"cost,omitempty"`
	Charge  string     `json:"charge,omitempty"`
	Score   string     `json:"score,omitempty"`
	Terms   []termView `json:"terms,omitempty"`
	Why     []string   `json:"why,omitempty"` // it is out, or what was added
	Out     bool       `json:"out,omitempty"`
}

// termView is a summand of a score.
type termView struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

type noteView struct {
	Kind string `json:"kind"` // set, held, chosen, warning, failed, none, fallback, guard
	Text string `json:"text"`
}

// section is a part of an explanation.
type section struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

func viewOf(d *rules.Decision) *decisionView {
	v := &decisionView{Sentence: d.Sentence(), Options: []optionView{}, Notes: []noteView{}}
	for rank := 1; rank <= len(d.Options); rank++ {
		for i := range d.Options {
			if d.Options[i].Rank == rank {
				v.option(d, &d.Options[i])
			}
		}
	}
	for i := range d.Options {
		if d.Options[i].Rank == 0 {
			v.option(d, &d.Options[i])
		}
	}
	seen := map[string]int{}
	for _, x := range d.Plan.Excluded {
		who := x.Account + "/" + x.Service
		if at, ok := seen[who]; ok {
			v.Options[at].Why = append(v.Options[at].Why, excluded(x))
			continue
		}
		seen[who] = len(v.Options)
		v.Options = append(v.Options, optionView{Account: x.Account, Service: x.Service, Out: true, Why: []string{excluded(x) + " (before it was asked)"}})
	}
	for _, r := range d.Refused {
		v.Options = append(v.Options, optionView{Account: r.Account, Service: r.Service, Out: true, Why: []string{strings.TrimSpace("no offer: " + r.Code + " " + r.Message)}})
	}
	v.notes(d)
	return v
}

func excluded(x rules.Exclusion) string {
	return fmt.Sprintf("out by %q: %s", x.Rule, cmp.Or(x.Reason, x.Text))
}

func (v *decisionView) option(d *rules.Decision, o *rules.Option) {
	one := optionView{Account: o.Account, Service: o.Service, Rank: o.Rank, Fee: o.Fee.String(), Cost: o.Cost.String(), Charge: money(o.Charge), Out: o.Rank == 0}
	if o.Score != nil {
		one.Score = number(*o.Score)
		for i, t := range o.Terms {
			if i < len(d.ScoreTerms) && len(o.Terms) > 1 {
				one.Terms = append(one.Terms, termView{d.ScoreTerms[i], number(t)})
			}
		}
	}
	for _, x := range d.Excluded {
		if x.Account == o.Account && (x.Service == "" || x.Service == o.Service) {
			one.Why = append(one.Why, excluded(x))
		}
	}
	for _, a := range d.Adjusted {
		if a.Account == o.Account && a.Service == o.Service && a.ID == o.ID {
			text := []string{}
			if m := money(a.Add); m != "" {
				text = append(text, "cost "+m)
			}
			if m := money(a.Charge); m != "" {
				text = append(text, "charge "+m)
			}
			one.Why = append(one.Why, fmt.Sprintf("%s by %q", strings.Join(text, ", "), a.Rule))
		}
	}
	v.Options = append(v.Options, one)
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

func (v *decisionView) notes(d *rules.Decision) {
	add := func(kind, format string, args ...any) {
		v.Notes = append(v.Notes, noteView{kind, fmt.Sprintf(format, args...)})
	}
	for _, h := range []*rules.Hold{d.Plan.Hold, d.Hold} {
		if h != nil {
			add("held", "by %q: %s", h.Rule, h.Reason)
		}
	}
	for _, a := range d.Plan.Set.By {
		over := ""
		if a.OverwrittenBy != "" {
			over = fmt.Sprintf(", overwritten by %q", a.OverwrittenBy)
		}
		add("set", "%s = %s by %q%s", a.Attribute, a.Value, a.Rule, over)
	}
	if c := d.Choose; c != nil {
		text := fmt.Sprintf("%s, by %q", c.Wants(), c.Rule)
		if c.When != "" {
			text += " as " + c.When
		}
		for _, x := range d.Denied() {
			text += fmt.Sprintf("; %s/%s is out by guard %q", x.Account, x.Service, x.Rule)
		}
		if c.Instead != "" {
			text += "; the ranking alone has " + c.Instead + " first"
		}
		add(map[bool]string{true: "chosen", false: "asked for"}[d.Heeded()], "%s", text)
	}
	for _, b := range d.Guards {
		add("guard", "%q: %s (%s/%s, %s)", b.Guard, b.Reason, b.Account, b.Service, b.Action)
	}
	for _, f := range d.Fallback {
		add("fallback", "%q on %s, %d steps", f.Rule, strings.Join(f.On, ", "), len(f.Steps))
	}
	for _, w := range d.Warnings {
		add("warning", "%s (%q, %s)", w.Message, w.Rule, w.Level)
	}
	if n := d.None; n != nil {
		add("none", "wait %s, %d tries, notify %s: %s", time.Duration(n.HoldFor), n.Retry, cmp.Or(n.Notify, "nobody"), n.Message)
	}
	for _, f := range d.FailedRules() {
		add("failed", "%s", f.Text)
	}
}

// explain splits an explanation at the lines that stand at the margin.
func (v *decisionView) explain(text string) {
	if len(text) > maxExplains {
		text = text[:maxExplains] + "\n… the rest is left out; waybill rules explain shows all of it"
	}
	v.Sections = []section{}
	for line := range strings.Lines(text) {
		plain := strings.TrimRight(line, "\n")
		head := strings.HasPrefix(plain, "option ") || strings.HasPrefix(plain, "let ") || plain == "all options"
		if len(v.Sections) == 0 || head {
			v.Sections = append(v.Sections, section{Title: plain})
			continue
		}
		v.Sections[len(v.Sections)-1].Text += line
	}
	v.Sections = slices.DeleteFunc(v.Sections, func(s section) bool { return s.Text == "" })
}
