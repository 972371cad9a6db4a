package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/rules/unit"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// object is a JSON object in the making; encoding/json sorts its keys, which keeps the schema stable.
type object = map[string]any

// RuleSchema is the JSON Schema of *.rules.yaml, for editors that complete and check YAML. It is made from the tables that Load reads with.
func RuleSchema() []byte {
	return schemaText(schemaOf("Waybill rules", topKeys, []string{"rules"}))
}

// TestSchema is the JSON Schema of *.test.yaml.
func TestSchema() []byte {
	s := closed(object{
		"tests": versionSchema, "about": text(""), "options": settingSchema(),
		"fixtures": closed(object{"orders": object{"type": "object", "additionalProperties": orderSchema()}, "quotes": object{"type": "object", "additionalProperties": quotesSchema()}}),
		"cases":    some(list(caseSchema()), "minItems"),
	}, "tests", "cases")
	s["title"] = "Waybill rule tests"
	return schemaText(s)
}

func schemaText(s object) []byte {
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // maps, lists and texts
	}
	return append(out, '\n')
}

func closed(properties object, required ...string) object {
	o := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func list(of any) object { return object{"type": "array", "items": of} }

// text is any scalar that YAML may read out of what a person writes: 12.50, true, or a text that is not empty.
func text(about string) object {
	o := object{"type": []string{"string", "number", "boolean"}, "minLength": 1}
	if about != "" {
		o["description"] = about
	}
	return o
}

// some is a list or mapping that is not empty; bound is minItems or minProperties.
func some(of object, bound string) object {
	out := maps.Clone(of)
	out[bound] = 1
	return out
}

// formulaText is an expression: a text, or what YAML reads as a value of another type and is one of the kinds that may come of it.
func formulaText(about string, kinds ...string) object {
	o := text("an expression: " + about)
	o["type"] = append([]string{"string"}, kinds...)
	return o
}

func oneOf(values []string) object { return object{"enum": values} }

// written is a text that looks like one of the patterns.
func written(about string, patterns ...string) object {
	any := make([]any, len(patterns))
	for i, p := range patterns {
		any[i] = object{"pattern": p}
	}
	o := object{"type": "string", "anyOf": any}
	if len(any) == 1 {
		o = object{"type": "string", "pattern": patterns[0]}
	}
	if about != "" {
		o["description"] = about
	}
	return o
}

// measured is a number with one of the units behind it.
func measured(about string, units map[string]*big.Rat) object {
	return written(about, `^[0-9]+(\.[0-9]+)? ?(`+strings.Join(slices.Sorted(maps.Keys(units)), "|")+`)$`)
}

// named is a mapping whose keys are names that the file gives.
func named(values any, names *regexp.Regexp) object {
	return object{"type": "object", "additionalProperties": values, "propertyNames": object{"pattern": names.String(), "not": oneOf(reserved)}}
}

const (
	// spanPattern is what parseDuration reads; that it is not zero is asked beside it.
	spanPattern   = `^([0-9]+d)?(\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)?$`
	momentPattern = `^[0-9]{4}-[0-9][0-9]-[0-9][0-9]([ T][0-9][0-9]:.*)?$`
	moneyPattern  = `^\s*[-+]?[0-9]+(\.[0-9]+)?( ?[A-Z]{3})?\s*$`
)

var (
	truthSchema    = object{"type": "boolean"}
	durationSchema = object{"type": "string", "description": "30s, 3m, 2h, 1d", "allOf": []any{object{"pattern": spanPattern}, object{"pattern": "[1-9]"}}}
	selectorSchema = written("ups, or ups/ground", `^[a-z][a-z0-9_]*(/.+)?$`)
	// providerSchema is a name of a test that rules declare, mostly a provider.
	providerSchema = written("", identifier.String())
	serviceSchema  = written("ups/ground", `^[a-z][a-z0-9_]*/.+$`)
	moneySchema    = object{"type": []string{"string", "number"}, "pattern": moneyPattern, "description": "12.50 or 12.50 USD"}
	nowSchema      = written("2026-04-10 18:00", momentPattern)
	versionSchema  = object{"enum": []any{1, "1"}}
	amountSchema   = object{"type": []string{"string", "number"}, "minLength": 1, "description": "12.50, 12.50 USD, 10%, or an expression of money"}
	zoneName       = written("America/Denver", "/|^[A-Z]")
	textsSchema    = list(text(""))
	eventSchema    = object{"anyOf": []any{oneOf(FallbackEvents), written("", `^pickup_late_0*[1-9][0-9]{0,5}m$`)}}
	placeSchema    = object{"type": []string{"string", "number", "boolean"}, "minLength": 1, "not": object{"const": "tag:"}, "description": "an id, or tag:<tag>"}
	// anyMap is a mapping whose keys are the merchant's own.
	anyMap = object{"type": "object"}
)

// wholeSchema is a whole number; in quotes it is one too, whose bounds only the reader sees.
func wholeSchema(least, most int) object {
	return object{"anyOf": []any{object{"type": "integer", "minimum": least, "maximum": most}, written("", `^\+?[0-9]+$`)}}
}

// shapes are the forms of the keys of a rule file, by phase and key; "" is any phase, "top" the file itself.
func shapes() map[string]any {
	ruleName := text("what the rule does, in words; shown wherever it applied")
	set := object{}
	for _, a := range settable {
		set[a] = amountSchema
	}
	set["signature"], set["label_format"], set["id_check"], set["vehicle"] = oneOf(shipping.Signatures), oneOf(labelFormats), oneOf(idChecks), oneOf(vehicles)
	set["ship_date"], set["weight"] = formulaText("a moment; or next_business_day, or 2026-12-24"), written("2.5 lb: what each parcel weighs", weightText.String())
	set["instructions"], set["pickup_instructions"] = text("{…} holds an expression"), text("{…} holds an expression")
	assign := closed(set)
	assign["minProperties"] = 1
	doing := closed(object{"use": selectorSchema, "if_available": truthSchema, "hold_for": durationSchema, "notify": text("")})
	doing["oneOf"] = having("use", "hold_for", "notify")
	step := object{"anyOf": []any{oneOf([]string{"next_ranked"}), doing}}
	rank := closed(object{"score": formulaText("number, lower is better", "number"), "strategy": oneOf([]string{"cheapest", "fastest"}), "ties": list(formulaText("number or text", "number")), "about": text("")})
	rank["not"] = object{"required": []string{"score", "strategy"}}
	none := closed(object{"hold_for": durationSchema, "retry": wholeSchema(1, 1000), "then": closed(object{"hold": truthSchema, "notify": text(""), "message": text("")})})
	none["dependencies"] = object{"retry": []string{"hold_for"}}
	days := object{"type": "string", "pattern": `^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$`, "description": "the first or last day, in the location's zone"}
	return map[string]any{
		"name": ruleName, "when": formulaText("true or false", "boolean"), "enabled": truthSchema, "from": days, "until": days, "locations": some(list(placeSchema), "minItems"),
		"about": text(""), "id": text("stable name for metrics"), "reason": text("{…} holds an expression"), "providers": some(list(selectorSchema), "minItems"), "services": some(list(serviceSchema), "minItems"),
		"hold.until": formulaText("a moment; or released"), "hold.for": durationSchema, "set.set": assign,
		"adjust.add": amountSchema, "adjust.charge": amountSchema, "choose.prefer": some(list(selectorSchema), "minItems"), "choose.only": some(list(selectorSchema), "minItems"),
		"choose.split": object{"type": "object", "description": "percentages by provider, rank for the ranking; by: the key, experiment: its name",
			"properties": object{"by": formulaText("text"), "experiment": text("")}, "additionalProperties": wholeSchema(0, 100), "propertyNames": object{"pattern": `^[a-z][a-z0-9_]*(/.+)?$`}, "minProperties": 1},
		"guard.applies": formulaText("true or false, of the option", "boolean"), "guard.max_fee": amountSchema, "guard.max_dropoff": durationSchema,
		"guard.daily_budget": amountSchema, "guard.per": oneOf([]string{"location"}), "guard.on_breach": oneOf(breachActions),
		"fallback.on":    some(list(eventSchema), "minItems"),
		"fallback.steps": some(list(step), "minItems"), "fallback.requote": oneOf([]string{"always", "never", "expired"}), "fallback.use": oneOf([]string{"pinned", "latest"}),
		"fallback.limit": closed(object{"attempts": wholeSchema(1, 50), "within": durationSchema, "extra_cost": amountSchema}),
		"warn.message":   text("{…} holds an expression"), "warn.level": oneOf([]string{"low", "normal", "high"}),
		"top.env": closed(object{"pii": object{"type": "boolean", "description": "recipient.name, phone, email and street may be named, and stand in the records"}}), "top.rules": versionSchema, "top.name": text(""), "top.currency": object{"type": "string", "pattern": "^[A-Z]{3}$"}, "top.attributes": list(object{"type": []string{"string", "boolean"}, "pattern": attributeName.String()}),
		"top.providers": list(object{"type": "string", "pattern": identifier.String(), "not": oneOf(reserved)}),
		"top.lists":     object{"type": "object", "additionalProperties": textsSchema, "propertyNames": object{"pattern": identifier.String()}},
		"top.zones":     object{"type": "object", "additionalProperties": zoneSchema(), "propertyNames": object{"pattern": identifier.String()}}, "top.let": named(formulaText("any", "number", "boolean"), identifier),
		"top.rank": rank, "top.none": none,
	}
}

func zoneSchema() object {
	at := written("latitude,longitude", coordinates.String())
	circle := closed(object{"center": at, "radius": object{"type": "string", "description": "3 mi, 5 km, 500 m", "allOf": []any{object{"pattern": radiusText.String()}, object{"pattern": "[1-9]"}}}}, "center", "radius")
	corners := closed(object{"corners": object{"type": "array", "items": at, "minItems": 3, "maxItems": maxCorners}}, "corners")
	return object{"oneOf": []any{circle, corners}}
}

// having is a list of alternatives: to have one of the keys.
func having(keys ...string) []any {
	out := make([]any, len(keys))
	for i, key := range keys {
		out[i] = object{"required": []string{key}}
	}
	return out
}

// phaseNeeds is what a rule of each phase cannot be without, beside its name.
var phaseNeeds = map[string]object{
	"hold": {"oneOf": having("until", "for")}, "set": {"required": []string{"name", "set"}}, "exclude": {"anyOf": having("when", "providers", "services")},
	"adjust": {"anyOf": having("add", "charge")}, "choose": {"oneOf": having("prefer", "only", "split")},
	"guard":    {"required": []string{"name", "on_breach"}, "anyOf": having("max_fee", "max_dropoff", "daily_budget"), "dependencies": object{"per": []string{"daily_budget"}}},
	"fallback": {"required": []string{"name", "on", "steps"}}, "warn": {"required": []string{"name", "message"}},
}

// shapeOf is the form of a key in a phase.
func shapeOf(known map[string]any, phase, key string) any {
	if s, ok := known[phase+"."+key]; ok {
		return s
	}
	s, ok := known[key]
	if !ok {
		panic(fmt.Sprintf("the schema has no form for %s of %s", key, phase)) // a key was added to the reader and not here
	}
	return s
}

func schemaOf(title string, keys, required []string) object {
	known := shapes()
	properties := object{}
	patches := object{}
	for _, key := range keys {
		if phaseKeys[key] == nil {
			continue
		}
		rule, patch := object{}, object{}
		for _, k := range append(slices.Clone(commonKeys), phaseKeys[key]...) {
			rule[k] = shapeOf(known, key, k)
			if k != "name" {
				patch[k] = rule[k]
			}
		}
		form := closed(rule, "name")
		maps.Copy(form, phaseNeeds[key])
		properties[key] = list(form)
		patches[key] = object{"type": "object", "additionalProperties": closed(patch)}
	}
	for _, key := range keys {
		switch {
		case phaseKeys[key] != nil:
		case key == "locations":
			properties[key] = object{"type": "object", "additionalProperties": closed(patches), "propertyNames": object{"not": object{"const": "tag:"}}, "description": "changes of rules, by location id or tag:<tag>, phase and name"}
		default:
			properties[key] = shapeOf(known, "top", key)
		}
	}
	s := closed(properties, required...)
	s["title"] = title
	return s
}

// testTexts are the values that texts of a test can have whatever the rules are, by the path that expressions know them by.
var testTexts = (&checker{}).baseEnv().Enums

// testNames are lists whose entries are names that rules declare.
var testNames = []string{"order.failed_providers", "order.to.zones", "order.from.zones"}

// valueSchema is the form in which a test gives a value of a Go type that stands at a path.
func valueSchema(t reflect.Type, at string) any {
	switch t {
	case reflect.TypeFor[shipping.Money]():
		return moneySchema
	case reflect.TypeFor[unit.Weight]():
		return measured("12 lb", unit.WeightUnits)
	case reflect.TypeFor[unit.Length]():
		return measured("48 inch", unit.LengthUnits)
	case reflect.TypeFor[unit.Distance]():
		return measured("3 mi", unit.DistanceUnits)
	case reflect.TypeFor[unit.Volume]():
		return measured("2000 cm3", volumeUnits)
	case reflect.TypeFor[time.Time]():
		return momentSchema()
	case reflect.TypeFor[time.Duration]():
		return durationSchema
	}
	switch t.Kind() {
	case reflect.Bool:
		return truthSchema
	case reflect.Int:
		return wholeSchema(0, 1<<31)
	case reflect.Float64:
		return object{"type": "number", "minimum": 0, "maximum": 1}
	case reflect.Slice:
		switch {
		case slices.Contains(testNames, at):
			return list(providerSchema)
		case t.Elem().Kind() == reflect.String:
			return textsSchema
		}
		return list(valueSchema(t.Elem(), "item"))
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return object{"type": "object", "additionalProperties": text("")}
		}
		return object{"type": "object", "additionalProperties": wholeSchema(0, noCap)}
	case reflect.Struct:
		return structSchema(t, at)
	}
	if values := testTexts[at]; len(values) > 0 {
		return oneOf(slices.Compact(append(slices.Clone(values), "")))
	}
	return object{"type": []string{"string", "number", "boolean"}} // it may be empty
}

func momentSchema() object {
	o := written("2026-04-10 18:00 in the zone of options, or 2h for two hours from now", momentPattern, spanPattern)
	o["pattern"] = "[1-9]"
	return o
}

func structSchema(t reflect.Type, at string, required ...string) object {
	properties := object{}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("expr"); tag != "" {
			properties[tag] = valueSchema(t.Field(i).Type, at+"."+tag)
		}
	}
	return closed(properties, required...)
}

func settingSchema() object {
	return closed(object{"now": nowSchema, "zone": zoneName, "location": locationSchema()})
}

func locationSchema() object {
	return object{"anyOf": []any{text("the id"), structSchema(reflect.TypeFor[Location](), "location")}}
}

func orderSchema() object {
	o := structSchema(reflect.TypeFor[Order](), "order")
	o["properties"].(object)["like"] = text("another order of fixtures")
	return object{"anyOf": []any{o, text("an order of fixtures")}}
}

func quotesSchema() object {
	quote := structSchema(reflect.TypeFor[quoteText](), "option", "provider")
	quote["properties"].(object)["provider"] = providerSchema
	return list(quote)
}

func caseSchema() object {
	one, names := object{"when": some(anyMap, "minProperties"), "else": object{"const": true}, "anything": object{"const": true}}, []any{}
	for key, form := range expectKeys {
		switch form {
		case "truth":
			one[key] = truthSchema
		case "list":
			if one[key] = some(textsSchema, "minItems"); slices.Contains(mayBeEmpty, key) {
				one[key] = textsSchema
			}
		case "map":
			one[key] = some(object{"type": "object", "additionalProperties": text("")}, "minProperties")
		default:
			one[key] = text("")
		}
	}
	for _, key := range []string{"ranked", "asked", "not_asked", "not_excluded"} {
		form := maps.Clone(one[key].(object))
		form["items"] = selectorSchema
		one[key] = form
	}
	one["chosen"], one["next"], one["arm"] = selectorSchema, selectorSchema, selectorSchema
	offers := object{"pattern": selectorSchema["pattern"]}
	one["excluded"].(object)["propertyNames"] = offers
	one["excluded"] = object{"anyOf": []any{one["excluded"], some(list(selectorSchema), "minItems")}}
	one["guards"] = some(object{"type": "object", "additionalProperties": oneOf(breachActions)}, "minProperties")
	one["set"] = some(object{"type": "object", "properties": object{"tip": moneySchema, "tip_max": moneySchema}, "additionalProperties": text(""), "propertyNames": oneOf(settable)}, "minProperties")
	one["charge"], one["cost"] = moneySchema, some(object{"type": "object", "additionalProperties": moneySchema, "propertyNames": offers}, "minProperties")
	one["golden"] = written("golden/heavy.txt", `\.txt$`)
	for _, key := range expectNames() {
		names = append(names, object{"required": []string{key}})
	}
	branch := closed(one)
	branch["anyOf"] = []any{ // something is expected, or nothing on purpose
		object{"anyOf": names, "not": object{"required": []string{"anything"}}},
		object{"required": []string{"else", "anything"}, "maxProperties": 2},
		object{"required": []string{"when", "anything"}, "maxProperties": 2},
	}
	branch["not"] = object{"required": []string{"when", "else"}}
	branches := some(list(branch), "minItems")
	branches["contains"] = object{"not": object{"required": []string{"anything"}}}
	open := valueSchema(reflect.TypeFor[string](), "")
	known := object{
		"name": text("what the rules must do"), "about": text(""), "now": nowSchema, "zone": zoneName, "location": locationSchema(), "order": orderSchema(),
		"quotes": object{"anyOf": []any{text("quotes of fixtures"), quotesSchema()}}, "refused": list(closed(object{"provider": providerSchema, "service": open, "code": open, "message": open}, "provider")),
		"down": list(providerSchema), "with": anyMap, "matrix": object{"type": "object", "additionalProperties": some(object{"type": "array"}, "minItems")}, "event": eventSchema,
		"expect": object{"anyOf": []any{branch, branches}},
	}
	for _, k := range caseKeys {
		if known[k] == nil {
			panic("the schema has no form for " + k) // a key was added to the reader and not here
		}
	}
	return closed(known, "name", "expect")
}
