package formula

import (
	"fmt"
	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
	"strings"
	"testing"
	"time"
)

type pl struct {
	Country string `expr:"country"`
	Type    string `expr:"type"`
}
type it struct {
	SKU string `expr:"sku"`
	Qty int    `expr:"quantity"`
}
type ord struct {
	ID       string         `expr:"id"`
	Total    shipping.Money `expr:"total"`
	Weight   unit.Weight    `expr:"weight"`
	To       pl             `expr:"to"`
	Items    []it           `expr:"items"`
	Content  []string       `expr:"content"`
	Quantity int            `expr:"quantity"`
	Created  time.Time      `expr:"created"`
}
type opt struct {
	Provider string         `expr:"provider"`
	Fee      shipping.Money `expr:"fee"`
	In       time.Duration  `expr:"dropoff_in"`
	Supports []string       `expr:"supports"`
}
type loc struct {
	Date    string `expr:"date"`
	M       int    `expr:"minute_of_day"`
	Weekday string `expr:"weekday"`
}

func TestScratch(t *testing.T) {
	e := &Env{Vars: map[string]any{"order": ord{}, "option": opt{}, "local": loc{}, "lists": map[string]List{}}, Enums: map[string][]string{"order.to.type": {"residential", "po_box"}}, Members: map[string][]string{"lists": {"zips"}}}
	m := NewMachine()
	usd := func(n int64) shipping.Money { return shipping.Money{Minor: n, Currency: "USD"} }
	w, _ := unit.In(unit.FromInt(75), unit.WeightUnits["lb"])
	m.Vars["order"] = &ord{ID: "g1", Total: usd(4200), Weight: unit.Weight{w}, To: pl{"US", "residential"}, Items: []it{{"A", 2}, {"B", 3}}, Content: []string{"alcohol"}, Quantity: 5}
	m.Vars["option"] = &opt{"ups", usd(1033), 44 * time.Minute, []string{"alcohol"}}
	m.Vars["local"] = &loc{"2026-04-10", 18 * 60, "fri"}
	m.Vars["lists"] = map[string]List{"zips": {map[string]bool{"60637": true}}}
	for _, s := range strings.Split(`order.total > usd(40)
order.total > 100
order.weight > lb(75)
order.weight >= lb(75)
order.total * 0.25
order.totl > usd(3)
oder.total > usd(3)
option.fee + usd(3) < order.total and not supports("alcohol")
any(order.items, .sku == "A" and .quantity > 1)
any(order.items, .skuu == "A")
all(order.items, any(order.items, all(order.items, any(order.items, .quantity > 1))))
order.to.type == "po box"
order.to.type in ["residental"]
"60637" in lists.zips
"60637" in lists.zip
time_between("17:30","20:30") and date_between("2026-04-01","2026-04-10")
dollars(option.fee) + mins(option.dropoff_in) * 0.12
leng(order.items) > 1
now()
order.created.Format("x") == ""
local.weekday == 6
order.id = "x"
order.total > $5
10 <= order.quantity <= 20
not order.id == "x"
order.total + eur(5) > usd(3)
usd(3.555) > order.total
order.items[7].sku == "x"
map(order.items, .sku)
weight > lb(3)
order.content contains "x"
(order.total > usd(1) or order.total < usd(2)) and (order.id == "g1")
option.provider == ups
order.total > usd(5
order.total >
usd(1) * 2 == usd(2)
2 * order.weight > order.weight + kg(1)
order.weight / lb(1)
1 % 0 == 1
repeat("x", 9) == "y"
$env.order == 1
lb(3, 4) > order.weight
sum(order.items, .quantity) > 2
len(filter(order.items, .quantity > 2)) == 1
if order.total > usd(1) then 1 else 2
order.created + days(1) > order.created`, "\n") {
		f, p := e.Compile(s)
		if p != nil {
			fmt.Printf("%s\n%s%s\n   %s: %s | %s | dym=%s\n", s, strings.Repeat(" ", p.From), strings.Repeat("^", p.To-p.From), p.Code, p.Message, p.Hint, p.DidYouMean)
			continue
		}
		v, err := m.Eval(f)
		fmt.Println(s, "=>", f.Kind, v, err)
		if len(s) > 30 && err == nil {
			tr, err := m.Trace(f)
			if err != nil {
				fmt.Println("TRACE", err)
			} else {
				fmt.Print(tr)
			}
		}
	}
	st := time.Now()
	for range 100 {
		e.Compile(`option.fee + usd(3) < order.total and not supports("alcohol") and order.to.country == "US"`)
	}
	fmt.Println(time.Since(st) / 100)
}
