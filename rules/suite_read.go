package rules

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/rules/internal/formula"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

var caseKeys = []string{
	"name", "about", "now", "zone", "location", "order", "quotes", "refused", "down", "with", "matrix", "event", "expect",
}

// values are members of the input by path: "order.total", "quota.ups.month.used".
type values map[string]*yaml.Node

// readCase reads one test, once for every combination of its matrix.
func (r *suiteReader) readCase(n *yaml.Node, names map[string]bool) {
	r.where = "a test"
	members := r.mapping(n, "a test", caseKeys)
	get := func(key string) *yaml.Node {
		for _, p := range members {
			if p.key == key {
				return p.value
			}
		}
		return nil
	}
	if len(members) == 0 && len(n.Content) > 0 {
		return // what it is instead has been told
	}
	begun := len(*r.found)
	c := testCase{line: n.Line}
	if v := get("name"); v == nil {
		r.fault(n, "E502", "the test has no name", "name: says what the rules must do")
	} else if c.name = r.text(v, "name"); names[c.name] {
		r.fault(v, "E504", fmt.Sprintf("two tests are named %q", c.name), "give each its own name")
	}
	names[c.name] = true
	if v := get("about"); v != nil {
		r.text(v, "about")
	}
	r.where = fmt.Sprintf("test %q", c.name)
	at := r.options
	for _, p := range members {
		r.setOption(p, &at)
	}
	with := values{}
	if v := get("with"); v != nil {
		for _, p := range r.mapping(v, "with", nil) {
			with[p.key] = p.value
		}
	}
	if v := get("event"); v != nil {
		c.event = r.event(v)
	}
	if v := get("down"); v != nil {
		c.down = map[string]bool{}
		for _, a := range r.items(v, "down") {
			if account, ok := r.account(a); ok {
				c.down[account] = true
			}
		}
	}
	if v := get("expect"); v == nil {
		r.fault(n, "E502", "the test expects nothing", "expect: { chosen: ups }")
	} else {
		c.expect = r.expectations(v)
	}
	m := r.matrix(get("matrix"))
	m.read(at, c.expect)
	before := len(*r.found)
	for _, combination := range m.combinations() {
		if len(r.suite.cases) >= maxCases {
			r.fault(n, "E401", fmt.Sprintf("the file has more than %d tests", maxCases), "shorten the lists of matrix")
			return
		}
		one := c
		all := maps.Clone(with)
		for _, p := range combination {
			all[p.key] = p.value
		}
		r.fill(&one, at, get("order"), all)
		r.offers(&one, get("quotes"), get("refused"))
		one.name, one.expect = m.choose(c.name, c.expect, combination)
		r.suite.cases = append(r.suite.cases, one)
		if len(*r.found) > before {
			return // the other combinations would say the same again
		}
	}
	if len(*r.found) == begun {
		m.unseen(get("expect"), c.expect)
	}
}

// resolve follows `like` and gives the members of an order, each once, those of the order itself last.
func (r *suiteReader) resolve(n *yaml.Node, seen []string) []pair {
	if n.Kind == yaml.ScalarNode {
		fixture, ok := r.orders[n.Value]
		switch {
		case !ok:
			r.guess(n, "E109", fmt.Sprintf("there is no order %q in fixtures", n.Value), slices.Sorted(maps.Keys(r.orders)))
			return nil
		case slices.Contains(seen, n.Value):
			r.fault(n, "E507", fmt.Sprintf("order %q is like itself", n.Value), "")
			return nil
		}
		r.used[fixture] = true
		return r.resolve(fixture, append(seen, n.Value))
	}
	var members []pair
	for _, p := range r.mapping(n, "an order", append([]string{"like"}, fieldNames(reflect.TypeFor[Order]())...)) {
		if p.key == "like" && p.value.Kind != yaml.ScalarNode {
			r.fault(p.value, "E503", "like must name an order of fixtures", "like: small")
			continue
		}
		if p.key == "like" {
			members = append(r.resolve(p.value, seen), members...)
			continue
		}
		members = append(members, p)
	}
	return members
}

// fill makes the input of a case.
func (r *suiteReader) fill(c *testCase, at setting, order *yaml.Node, with values) {
	v := &valueReader{source: r.source, zone: at.zone, currency: r.bundle.currency, env: r.bundle.env}
	nowNode := at.now
	if n := with["now"]; n != nil {
		nowNode = n
	}
	if nowNode == nil {
		v.now = time.Date(2026, 1, 5, 12, 0, 0, 0, at.zone) // a Monday at noon
	} else {
		v.now = v.moment(nowNode, "now")
	}
	v.now = r.moved(v.now.In(at.zone), with)
	in := Input{Location: newLocation(LocationSource{ID: "test", Zone: at.zone}, v.now), Local: newLocal(v.now, at.zone, nil)}
	in.Order, _ = newOrder(InputSource{ExternalID: "test", Currency: cmp.Or(r.bundle.currency, "USD"), Now: v.now})
	if n := at.location; n != nil && n.Kind == yaml.ScalarNode {
		in.Location.ID = r.text(n, "location")
	} else if n != nil {
		v.at = "location"
		v.set(reflect.ValueOf(&in.Location).Elem(), n, "location")
	}
	in.Local = newLocal(v.now, at.zone, in.Location.Holidays)
	given := map[string]bool{}
	if order != nil {
		for _, p := range r.resolve(order, nil) {
			given[p.key], v.at = true, "order."+p.key
			v.set(fieldNamed(reflect.ValueOf(&in.Order).Elem(), p.key), p.value, p.key)
		}
	}
	r.count(&in)
	paths := slices.Sorted(maps.Keys(with))
	slices.SortStableFunc(paths, func(a, b string) int { // what a location has of a count is said after what all have
		return cmp.Compare(strings.Count(a, perLocation), strings.Count(b, perLocation))
	})
	for _, path := range paths {
		if path != "now" && !slices.Contains(clockMembers, path) {
			given[strings.TrimPrefix(path, "order.")] = true
			r.assign(v, &in, c, path, with[path])
		}
	}
	complete(&in, given)
	c.input = in
	if given["total"] || r.bundle.currency != "" {
		c.currency = in.Order.Total.Currency
	}
}

// moved is clock, and refuses a time of day that the clocks of the place skip.
func (r *suiteReader) moved(now time.Time, with values) time.Time {
	before := len(*r.found)
	at := r.clock(now, with)
	if len(*r.found) > before {
		return at
	}
	// UTC skips nothing, so the same members there give what was asked for.
	asked := r.clock(time.Date(now.Year(), now.Month(), now.Day(), now.Hour(), now.Minute(), now.Second(), 0, time.UTC), with)
	if want := asked.Format("2006-01-02 15:04"); at.Format("2006-01-02 15:04") != want {
		for _, member := range clockMembers {
			if n := with[member]; n != nil {
				r.skipped(n, want, at.Location())
				break
			}
		}
	}
	return at
}

// complete derives what the order of a test does not say from what it says.
func complete(in *Input, given map[string]bool) {
	o := &in.Order
	o.To.code()
	o.From.code()
	o.Content = contents(o.Content)
	if given["items"] {
		o.Lines = len(o.Items)
		quantity, subtotal := 0, shipping.Money{Currency: o.Total.Currency}
		for i := range o.Items {
			it := &o.Items[i]
			it.Quantity = max(it.Quantity, 1)
			it.Tags = plain(it.Tags)
			quantity += it.Quantity
			line, err := unit.ScaleMoney(it.Price, unit.FromInt(int64(it.Quantity)))
			if err != nil || it.Price.IsZero() {
				continue // out of all range, or no price: the test can give its own subtotal
			}
			if sum, err := subtotal.Add(line); err == nil {
				subtotal = sum
			}
		}
		if !given["quantity"] {
			o.Quantity = quantity
		}
		if !given["subtotal"] {
			o.Subtotal = subtotal
		}
	}
	if !given["has_promise"] {
		o.HasPromise = given["promise_by"]
	}
	if !given["asap"] {
		o.ASAP = !given["promise_by"] && !given["ready_at"]
	}
	o.Content, o.Failed = sorted(o.Content), sorted(o.Failed)
}

// count sets every count that the rules ask for to nothing used and nothing spent.
func (r *suiteReader) count(in *Input) {
	needs := r.bundle.Needs()
	for _, n := range needs.Quotas {
		in.Quotas = append(in.Quotas, Quota{QuotaNeed: n})
	}
	for _, n := range needs.Budgets {
		in.Budgets = append(in.Budgets, Budget{BudgetNeed: n})
	}
}

// perLocation stands in the path of a count, before its last part, where what is given is that of the order's location alone. It can be given
// beside that of all locations, also where no rule asks for it.
const perLocation = ".location"

// assign sets one member by its path.
func (r *suiteReader) assign(v *valueReader, in *Input, c *testCase, path string, n *yaml.Node) {
	head, rest, _ := strings.Cut(path, ".")
	v.at = path
	switch head {
	case "order":
		v.setPath(reflect.ValueOf(&in.Order).Elem(), rest, n, path)
	case "recipient":
		v.setPath(reflect.ValueOf(&in.Recipient).Elem(), rest, n, path)
	case "location":
		v.setPath(reflect.ValueOf(&in.Location).Elem(), rest, n, path)
		in.Local = newLocal(v.now, v.zone, in.Location.Holidays)
	case "quota":
		account, period, _ := strings.Cut(strings.TrimSuffix(rest, ".used"), ".")
		period, own := strings.CutSuffix(period, perLocation)
		found := false
		for i := range in.Quotas {
			if q := &in.Quotas[i]; q.Account == account && q.Period == period {
				if found = true; !own || q.Per != "" {
					q.Used = r.whole(n, path, 0, 1<<31)
				}
			}
		}
		if !found {
			r.fault(n, "E109", fmt.Sprintf("no rule asks for %s", path), `write quota.ups.month.used where a rule has quota("ups", "month").used`)
		}
	case "budget":
		guard, found := strings.TrimSuffix(rest, ".spent"), false
		for i := range in.Budgets {
			b := &in.Budgets[i]
			own := b.Guard+perLocation == guard
			found = found || own || b.Guard == guard
			if b.Guard == guard || own && b.Per != "" {
				v.set(reflect.ValueOf(&b.Spent).Elem(), n, path)
			}
		}
		if !found {
			r.fault(n, "E109", fmt.Sprintf("no guard has the budget of %s", path), "write budget.<name of the guard>.spent")
		}
	default:
		if path == "local.is_holiday" {
			in.Local.IsHoliday = r.truth(n, path)
			return
		}
		if account, field, ok := strings.Cut(path, "."); ok && field == "available" && slices.Contains(r.bundle.providers, account) {
			c.down = maps.Clone(c.down)
			if c.down == nil {
				c.down = map[string]bool{}
			}
			c.down[account] = !r.truth(n, path)
			return
		}
		r.fault(n, "E109", fmt.Sprintf("%s cannot be given", path), "what can: now, local.date, local.weekday, local.hour, local.minute_of_day, local.is_holiday, order.…, location.…, quota.ups.day.used, budget.<guard>.spent, ups.available")
	}
}

// quoteText is an offer of a test.
type quoteText struct {
	Provider    string         `expr:"provider"`
	Service     string         `expr:"service"`
	Name        string         `expr:"name"`
	Mode        string         `expr:"mode"`
	Vehicle     string         `expr:"vehicle"`
	Supports    []string       `expr:"supports"`
	Fee         shipping.Money `expr:"fee"`
	Tax         shipping.Money `expr:"tax"`
	PickupIn    time.Duration  `expr:"pickup_in"`
	DropoffIn   time.Duration  `expr:"dropoff_in"`
	DeliverBy   time.Time      `expr:"deliver_by"`
	TransitDays int            `expr:"transit_days"`
	Guaranteed  bool           `expr:"guaranteed"`
	OnTime      float64        `expr:"on_time_rate_30d"` // of the account
	Cancelled   float64        `expr:"cancel_rate_7d"`
}

// offers reads the quotes of a case, and what they tell of the accounts' services.
func (r *suiteReader) offers(c *testCase, quotes, refused *yaml.Node) {
	c.supply, c.rates = map[string][]ServiceInfo{}, map[string]*Rates{}
	v := &valueReader{source: r.source, zone: time.UTC, currency: r.bundle.currency, now: c.input.Local.Now, env: r.bundle.env}
	if quotes != nil && quotes.Kind == yaml.ScalarNode {
		fixture, ok := r.quotes[quotes.Value]
		if !ok {
			r.guess(quotes, "E109", fmt.Sprintf("there are no quotes %q in fixtures", quotes.Value), slices.Sorted(maps.Keys(r.quotes)))
		}
		r.used[fixture] = true
		quotes = fixture
	}
	if quotes != nil {
		for _, n := range r.items(quotes, "quotes") {
			q := quoteText{Service: "delivery", OnTime: 1}
			v.at = "option"
			v.set(reflect.ValueOf(&q).Elem(), n, "a quote")
			if q.Provider == "" {
				r.fault(n, "E502", "the quote has no provider", "{ provider: ups, fee: 9.50 }")
				continue
			}
			r.known(memberOf(n, "provider"), q.Provider)
			c.offers = append(c.offers, q.offer(c.input.Local.Now))
			c.currency = cmp.Or(c.currency, q.Fee.Currency) // where neither the rules nor the order say one
			if q.OnTime < 1 || q.Cancelled > 0 {
				c.rates[q.Provider] = &Rates{OnTime30d: q.OnTime, Cancelled7d: q.Cancelled}
			}
			if !slices.ContainsFunc(c.supply[q.Provider], func(s ServiceInfo) bool { return s.ID == q.Service }) {
				c.supply[q.Provider] = append(c.supply[q.Provider], ServiceInfo{ID: q.Service, Mode: q.Mode, Supports: q.Supports})
			}
		}
	}
	if refused == nil {
		return
	}
	for _, n := range r.items(refused, "refused") {
		var f struct {
			Provider string `expr:"provider"`
			Service  string `expr:"service"`
			Code     string `expr:"code"`
			Message  string `expr:"message"`
		}
		v.at = "a refusal"
		v.set(reflect.ValueOf(&f).Elem(), n, "a refusal")
		if f.Provider == "" {
			if n.Kind == yaml.MappingNode {
				r.fault(n, "E502", "the refusal has no provider", "{ provider: ups, code: OUT_OF_ZONE }")
			}
			continue
		}
		r.known(memberOf(n, "provider"), f.Provider)
		c.refuse = append(c.refuse, Refused{f.Provider, f.Service, cmp.Or(f.Code, "REFUSED"), f.Message})
	}
}

func (q quoteText) offer(now time.Time) Offer {
	o := Offer{Account: q.Provider, Quote: shipping.Quote{
		ServiceID: q.Service, ServiceType: q.Name, Mode: q.Mode, Vehicle: q.Vehicle, Amount: q.Fee, Tax: q.Tax, TransitDays: q.TransitDays, Guaranteed: q.Guaranteed,
	}}
	if q.PickupIn > 0 {
		o.Quote.Pickup.StartsAt = shipping.At(now.Add(q.PickupIn))
	}
	switch {
	case q.DropoffIn > 0:
		o.Quote.Delivery.EndsAt = shipping.At(now.Add(q.DropoffIn))
	case !q.DeliverBy.IsZero():
		o.Quote.Delivery.EndsAt = shipping.At(q.DeliverBy)
	}
	return o
}

// account reads the name of a provider.
func (r *suiteReader) account(n *yaml.Node) (string, bool) {
	account := r.text(n, "a provider")
	return account, account != "" && r.known(n, account)
}

// memberOf is the value of a key, the mapping itself where it has none.
func memberOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return n
}

// known refuses what is no provider, or none of the bundle. n holds its name, and perhaps a service behind it.
func (r *suiteReader) known(n *yaml.Node, provider string) bool {
	list := r.bundle.providers
	switch {
	case len(list) == 0 && identifier.MatchString(provider) && n.Tag != "!!bool", slices.Contains(list, provider):
		return true
	case len(list) == 0:
		r.fault(n, "E505", fmt.Sprintf("%q is no provider", provider), "a provider is an account id: small letters, digits and _")
		return false
	}
	r.report(Problem{Code: "E105", Line: n.Line, Column: n.Column, End: n.Column + width(n), Sentence: fmt.Sprintf("unknown provider %q", provider),
		DidYouMean: formula.Suggest(provider, list), Hint: knownProviders(provider, list)})
	return false
}

func knownProviders(provider string, list []string) string {
	hint := "known here: " + strings.Join(list, ", ")
	if account, service, both := strings.Cut(provider, "/"); both && slices.Contains(list, account) {
		hint = fmt.Sprintf("the service stands beside it: provider: %s, service: %s", account, service)
	}
	return hint
}

// unused reads the fixtures that no test has asked for: they are to be right when one does.
func (r *suiteReader) unused() {
	for _, name := range slices.Sorted(maps.Keys(r.orders)) {
		if n := r.orders[name]; !r.used[n] {
			r.where = fmt.Sprintf("order %q of fixtures", name)
			r.used[n] = true
			r.fill(&testCase{}, r.options, n, nil)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.quotes)) {
		if n := r.quotes[name]; !r.used[n] {
			r.where = fmt.Sprintf("quotes %q of fixtures", name)
			c := &testCase{}
			r.fill(c, r.options, nil, nil)
			r.offers(c, n, nil)
		}
	}
}
