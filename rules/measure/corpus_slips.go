package measure

import "strings"

// Slip is a mistake as people make it. The expected squiggle stands between « and »; Want is what the message offers, as suggestion or help.
type Slip struct {
	Code string
	Text string
	Want string
}

// ExpressionSlips are mistakes in conditions; SlipFile and then a condition make a file.
var ExpressionSlips = []Slip{
	{"E102", `order.«wieght» > lb(70)`, "weight"},
	{"E102", `order.to.«contry» == "US"`, "country"},
	{"E102", `order.to.«postcode» == "60637"`, "postal_code"},
	{"E102", `order.«totl» > usd(5)`, "total"},
	{"E102", `option.«prvider» == "ups"`, "provider"},
	{"E102", `option.«fees» > usd(5)`, "fee"},
	{"E102", `option[«"servce"»] == "ground"`, "service"},
	{"E102", `any(order.items, .«skuu» == "A")`, "sku"},
	{"E102", `any(order.items, .«quantty» > 2)`, "quantity"},
	{"E102", `local.«weekdy» == "sat"`, "weekday"},
	{"E102", `location.«zon» == "x"`, "zone"},
	{"E102", `order.created.«Year»() == 2026`, "no methods"},
	{"E101", `«ordr».total > usd(5)`, "order"},
	{"E101", `«opton».fee > usd(5)`, "option"},
	{"E101", `«domestc» and option.fee > usd(5)`, "domestic"},
	{"E101", `«leng»(order.items) > 1`, "len"},
	{"E101", `order.total > «dollar»(5)`, "dollars"},
	{"E101", `option.provider == «ups»`, `"ups"`},
	{"E101", `«weight» > lb(5)`, "order.weight"},
	{"E101", `time_betwen("17:00", "18:00")`, "time_between"},
	{"E101", `«now»() > order.created`, "cannot be used"},
	{"E101", `«map»(order.items, .sku) == []`, "cannot be used"},
	{"E103", `order.to.state in lists.«remot_states»`, "remote_states"},
	{"E103", `order.attributes.«paymnt» == "card"`, "payment"},
	{"E104", `order.«payment» == "card"`, "orderAttributes"},
	{"E103", `quota("ups", "day").used >= location.caps.«upz»`, "each provider"},
	{"E201", `quota("ups", "day") «>» 3`, ".used"},
	{"E203", `«quota("ups", "week")».used > 3`, "month"},
	{"E203", `«quota(option.provider, "day")».used > 3`, "literal"},
	{"E105", `quota(«"usp"», "day").used > 3`, "ups"},
	{"E102", `quota("ups", "day").«usd» > 3`, "used"},
	{"E101", `«__quotas» == 3`, "unknown"},
	{"E101", `«best».fee > usd(3)`, "rank only"},
	{"E205", `order.to.type == «"po box"»`, "po_box"},
	{"E205", `order.to.type in ["business", «"residental"»]`, "residential"},
	{"E205", `local.weekday == «"Sat"»`, "sat"},
	{"E205", `option.provider == «"dordash"»`, "doordash"},
	{"E205", `option.mode != «"aire"»`, "air"},
	{"E205", `option.service == «"nextday_air"»`, "next_day_air"},
	{"E205", `order.signature == «"adlt"»`, "adult"},
	{"E205", `order.temperature == «"frosen"»`, "frozen"},
	{"E205", `«"fedx"» in order.failed_providers`, "it is one of"},
	{"E201", `order.total > «100»`, "usd(100)"},
	{"E201", `order.weight > «50»`, "lb(50)"},
	{"E201", `order.longest_side > «48»`, "inch(48)"},
	{"E201", `order.distance > «3»`, "mi(3)"},
	{"E201", `option.dropoff_in > «55»`, "minutes(55)"},
	{"E201", `local.weekday == «6»`, `"sat"`},
	{"E201", `order.to.postal_code == «60637»`, `"60637"`},
	{"E201", `order.weight «>» mi(3)`, "weight and distance"},
	{"E201", `order.content contains «"lithium"»`, "in order.content"},
	{"E202", `«order.total»`, "compare"},
	{"E203", `order.total > «usd(5.555)»`, "more decimals"},
	{"E203", `order.total > «usd("5")»`, "usd(12.50)"},
	{"E203", `«time_between("17:00")»`, "two times of day"},
	{"E203", `«time_between("25:00", "26:00")»`, "not a time of day"},
	{"E203", `«date_between("2026-02-30", "2026-03-01")»`, "not a date"},
	{"E303", `order.to.postal_code matches «"("»`, "missing closing"},
	{"E305", `order.to.country «=» "US"`, "=="},
	{"E305", `order.quantity «=<» 3`, "<="},
	{"E305", `order.quantity «=>» 3`, ">="},
	{"E305", `order.quantity «<>» 3`, "!="},
	{"E305", `order.asap «AND» order.has_promise`, "and"},
	{"E305", `order.asap «OR» order.has_promise`, "or"},
	{"E305", `order.to.type «is» "business"`, "=="},
	{"E305", `order.to.type «is not» "business"`, "!="},
	{"E305", `order.total > «$5»`, "usd"},
	{"E305", `option.fee > order.total * «5%»`, "0.05"},
	{"E305", `order.to.country == «“»US”`, "straight"},
	{"E305", `if order.asap «then» true else false`, "? a : b"},
	{"E301", `order.total > usd(5) and«»`, "ends too early"},
	{"E302", `order.tip == «nil»`, "missing"},
	{"E206", `order.quantity > «1/0»`, "divided by zero"},
	{"E206", `order.quantity > «order.line_count % 0»`, "divided by zero"},
	{"E206", `order.quantity > «0.5 / 0.0»`, "divided by zero"},
	{"E206", `1.5 > «order.total / usd»(0)`, "divided by zero"},
	{"E206", `1.5 > «order.weight / lb»(0)`, "divided by zero"},
	{"E404", "«order.quantity in [" + strings.Repeat("1, ", 300) + "1]»", "lists.name"},
	{"E404", "«order.quantity in [" + strings.Repeat("1, ", 300) + "1]»", "more than 300 parts"},
}

// SlipFile is a file whose last rule waits for its condition.
const SlipFile = `rules: 1
currency: USD
attributes: [payment]
lists: { remote_states: [AK, HI] }
let: { domestic: order.to.country == "US" }
exclude:
  - name: Slip
    reason: slip
    when: |
      `

// StructureSlips are mistakes in whole files.
var StructureSlips = []Slip{
	{"E501", "rules: 1\n«excludes»:\n  - { name: A, when: order.asap, reason: b }\n", "exclude"},
	{"E501", "rules: 1\nexclude:\n  - { name: A, «wen»: order.asap, reason: b }\n", "when"},
	{"E501", "rules: 1\nrank: { «scor»: dollars(option.cost) }\n", "score"},
	{"E505", "rules: 1\nrank: { strategy: «cheepest» }\n", "cheapest"},
	{"E105", "rules: 1\nproviders: [ups, «dordash»]\n", "doordash"},
	{"E105", "rules: 1\nexclude:\n  - { name: A, providers: [«own_flet»], reason: b }\n", "own_fleet"},
	{"E106", "rules: 1\nchoose:\n  - { name: A, only: [ «ups/nextday_air» ] }\n", "ups/next_day_air"},
	{"E107", "rules: 1\nset:\n  - { name: A, set: { «signatur»: adult } }\n", "signature"},
	{"E506", "rules: 1\nset:\n  - { name: A, set: { «insurance»: order_total } }\n", "can set"},
	{"E502", "rules: 1\nguard:\n  - «{» name: A, max_fee: 14.00 USD }\n", "on_breach"},
	{"E502", "rules: 1\nguard:\n  - «{» name: A, on_breach: next }\n", "max_fee"},
	{"E505", "rules: 1\nguard:\n  - { name: A, max_fee: 1 USD, on_breach: «nxt» }\n", "next"},
	{"E505", "rules: 1\nguard:\n  - { name: A, max_fee: 1 USD, per: «location», on_breach: next }\n", "daily_budget"},
	{"E109", "rules: 1\nexclude:\n  - { name: Far, when: order.asap }\nlocations:\n  a: { exclude: { «Fra»: { when: order.asap } } }\n", "Far"},
	{"E109", "rules: 1\nexclude:\n  - { name: Far, when: order.asap }\nlocations:\n  a: { adjust: { «Far»: { enabled: false } } }\n", "rule of exclude"},
	{"E501", "rules: 1\nexclude:\n  - { name: Far, when: order.asap }\nlocations:\n  a: { exclude: { Far: { «wen»: order.asap } } }\n", "when"},
	{"E102", "rules: 1\nexclude:\n  - { name: Far, when: order.asap }\nlocations:\n  a: { exclude: { Far: { when: order.«wieght» > lb(1) } } }\n", "weight"},
	{"E501", "rules: 1\nlocations:\n  a: { «excludes»: {} }\n", "exclude"},
	{"E505", "rules: 1\nset:\n  - { name: A, set: { signature: «adlt» } }\n", "adult"},
	{"E505", "rules: 1\nset:\n  - { name: A, set: { label_format: «PFD» } }\n", "PDF"},
	{"E108", "rules: 1\nfallback:\n  - { name: A, on: [«canceled_by_carrier»], steps: [next_ranked] }\n", "cancelled_by_carrier"},
	{"E505", "rules: 1\nfallback:\n  - { name: A, on: [no_driver], steps: [«next_rank»] }\n", "next_ranked"},
	{"E502", "rules: 1\nexclude:\n  - «{» when: order.asap, reason: b }\n", "name"},
	{"E502", "rules: 1\nexclude:\n  - «{» name: A, reason: b }\n", "when"},
	{"E504", "rules: 1\nexclude:\n  - { name: A, when: order.asap }\n  - { name: «A», when: order.asap }\n", "own name"},
	{"E504", "rules: 1\nexclude:\n  - { name: A, when: order.asap, «when»: order.asap }\n", "keep one"},
	{"E505", "rules: 1\nadjust:\n  - { name: A, add: «12.50» }\n", "currency"},
	{"E505", "rules: 1\ncurrency: «USDX»\n", "ISO 4217"},
	{"E505", "rules: 1\nnone: { hold_for: «3 minutes» , retry: 1 }\n", "3m"},
	{"E505", "rules: 1\nchoose:\n  - name: A\n    split: «{» ups: 10, rank: 80 }\n", "90"},
	{"E507", "rules: 1\nlet:\n  a: b and order.asap\n  b: «a or order.asap»\n", "each other"},
	{"E505", "rules: 1\nlet: { a: &x order.asap, b: order.asap }\n", "let:"},
	{"E505", "rules: «2»\n", "rules: 1"},
	{"E503", "rules: 1\n«-»--\nrules: 1\n", "file of its own"},
	{"E502", "# nothing\n", "rules: 1"},
	{"E101", "rules: 1\nset:\n  - { name: A, when: «option».fee > usd(3), set: { signature: adult } }\n", "exclude, adjust and rank"},
	{"E202", "rules: 1\nrank: { score: «option.cost» }\n", "dollars"},
	{"E206", "rules: 1\nrank: { score: «0/0» }\n", "divided by zero"},
	{"E206", "rules: 1\nrank: { score: dollars(option.cost) + «0/0» }\n", "divided by zero"},
	{"E206", "rules: 1\nrank: { score: «1e308 * 1e308» }\n", "larger than numbers can be"},
	{"E206", "rules: 1\nrank: { score: «dollars(option.cost) + 1/(1-1)» }\n", "never a finite number"},
	{"E102", "rules: 1\nset:\n  - { name: A, set: { instructions: \"to {order.to.«citty»}\" } }\n", "city"},
}
