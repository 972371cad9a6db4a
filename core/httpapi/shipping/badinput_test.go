package shipping_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/core/httpapi/apitest"
)

// badBody is a body that must be refused with 400, and the members that the refusal must name; none where it is no JSON object.
type badBody struct {
	name string
	body string
	want []string
}

func order(changes ...any) string { return apitest.Order("bad", changes...) }

func items(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = map[string]any{"sku": itoa(i), "quantity": 1}
	}
	return list
}

func attributes(n int) map[string]any {
	m := map[string]any{}
	for i := range n {
		m["k"+itoa(i)] = i
	}
	return m
}

// raw replaces one value of a valid order by text that need not be JSON.
func raw(path, text string) string {
	return strings.Replace(order(path, "@@"), `"@@"`, text, 1)
}

func notJSON() []badBody {
	whole := order()
	return []badBody{
		{"empty", "", nil}, {"blanks", " \n\t", nil}, {"null", "null", nil}, {"an array", "[" + whole + "]", nil}, {"text", `"order"`, nil},
		{"a number", "7", nil}, {"cut short", whole[:len(whole)-20], nil}, {"trailing data", whole + "{}", nil}, {"trailing comma", `{"a":1,}`, nil},
		{"a byte order mark", "\ufeff" + whole, nil}, {"single quotes", `{'a':1}`, nil}, {"a comment", "{/**/}", nil},
		{"UTF-16", "\xff\xfe{\x00}\x00", nil}, {"XML", "<order/>", nil}, {"form", "orderExternalId=1", nil},
		{"duplicate member", `{"orderValue":1,"orderValue":2}`, nil}, {"duplicate inside an unknown member", `{"x":{"a":1,"a":2}}`, nil},
		{"invalid UTF-8", "{\"orderExternalId\":\"\xc3\x28\"}", nil}, {"invalid UTF-8 in an unknown member", "{\"x\":\"\xff\"}", nil},
		{"half a surrogate", `{"orderExternalId":"\ud800"}`, nil}, {"raw control character", "{\"orderExternalId\":\"a\nb\"}", nil},
		{"NaN", raw("orderValue", "NaN"), nil}, {"Infinity", raw("orderValue", "-Infinity"), nil}, {"leading zero", raw("orderValue", "010"), nil},
		{"hex", raw("orderValue", "0x10"), nil}, {"plus", raw("orderValue", "+1"), nil},
		{"deep nesting", `{"orderAttributes":` + strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000) + "}", nil},
		{"deep nesting of an unknown member", `{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}", nil},
	}
}

func wrongMembers() []badBody { return append(wrongOrder(), wrongGoods()...) }

func wrongOrder() []badBody {
	return []badBody{
		{"nothing", `{}`, []string{"deliveryAddress.city", "deliveryAddress.countryCode", "deliveryAddress.street1",
			"deliveryContact.name", "deliveryContact.phone", "locationExternalId", "orderExternalId", "package"}},
		{"names in another case", `{"LOCATIONEXTERNALID":"7709"}`, []string{"locationExternalId"}},
		{"no location", order("locationExternalId", apitest.Absent), []string{"locationExternalId"}},
		{"blank id", order("orderExternalId", "  "), []string{"orderExternalId"}},
		{"id of 101 characters", order("orderExternalId", long), []string{"orderExternalId"}},
		{"id with a control character", order("orderExternalId", "a\x07"), []string{"orderExternalId"}},
		{"id that is a number", order("orderExternalId", 7), []string{"orderExternalId"}},
		{"id of two lines", order("orderExternalId", "a\nb"), []string{"orderExternalId"}},
		{"id with a tab", order("orderExternalId", "a\tb"), []string{"orderExternalId"}},
		{"id that ends a line", order("orderExternalId", "ab\r"), []string{"orderExternalId"}},
		{"location of two lines", order("locationExternalId", "77\n09"), []string{"locationExternalId"}},
		{"group of two lines", order("groupId", "a\r\nb"), []string{"groupId"}},
		{"street of two lines", order("deliveryAddress.street1", "725 Albany\nStreet"), []string{"deliveryAddress.street1"}},
		{"name of two lines", order("deliveryContact.name", "Ann\nExample"), []string{"deliveryContact.name"}},
		{"sku of two lines", order("itemList.0.sku", "a\nb"), []string{"itemList[0].sku"}},
		{"location that is a list", order("locationExternalId", []any{"7709"}), []string{"locationExternalId"}},
		{"group of 101 characters", order("groupId", long), []string{"groupId"}},
		{"brand of 101 characters", order("brandExternalId", long), []string{"brandExternalId"}},
		{"locale of 51 characters", order("locale", long[:51]), []string{"locale"}},
		{"signature of 101 characters", order("signature", long), []string{"signature"}},
		{"instructions of 10,001 characters", order("deliveryInstructions", strings.Repeat("é", 10_001)), []string{"deliveryInstructions"}},
		{"pickup instructions of 10,001 characters", order("pickupInstructions", strings.Repeat("é", 10_001)), []string{"pickupInstructions"}},
		{"value as text", order("orderValue", "10"), []string{"orderValue"}},
		{"negative value", order("orderValue", -0.01), []string{"orderValue"}},
		{"value with 3 decimals", raw("orderValue", "1.005"), []string{"orderValue"}},
		{"value 1e999", raw("orderValue", "1e999"), []string{"orderValue"}},
		{"value beyond 64 bits", raw("orderValue", "1e18"), []string{"orderValue"}},
		{"value with decimals in yen", order("locationExternalId", "osaka", "orderValue", 10.5), []string{"orderValue"}},
		{"value of 41 digits", raw("orderValue", strings.Repeat("1", 41)), []string{"orderValue"}},
		{"value true", order("orderValue", true), []string{"orderValue"}},
		{"negative tip", order("tips", -1), []string{"tips"}},
		{"address as text", order("deliveryAddress", "725 Albany Street"), []string{"deliveryAddress"}},
		{"address null", order("deliveryAddress", nil), []string{"deliveryAddress.city", "deliveryAddress.countryCode"}},
		{"country in full", order("deliveryAddress.countryCode", "United States"), []string{"deliveryAddress.countryCode"}},
		{"country in lower case", order("deliveryAddress.countryCode", "us"), []string{"deliveryAddress.countryCode"}},
		{"street of 101 characters", order("deliveryAddress.street1", long), []string{"deliveryAddress.street1"}},
		{"latitude 91", order("deliveryAddress.latitude", 91), []string{"deliveryAddress.latitude"}},
		{"latitude 1e999", raw("deliveryAddress.latitude", "1e999"), []string{"deliveryAddress.latitude"}},
		{"longitude -181", order("deliveryAddress.longitude", -181), []string{"deliveryAddress.longitude"}},
		{"latitude alone", order("deliveryAddress.longitude", apitest.Absent), []string{"deliveryAddress.latitude"}},
		{"address type", order("deliveryAddress.addressType", "castle"), []string{"deliveryAddress.addressType"}},
		{"no phone", order("deliveryContact.phone", ""), []string{"deliveryContact.phone"}},
		{"impossible phone", order("deliveryContact.phone", "12"), []string{"deliveryContact.phone"}},
		{"phone as a number", order("deliveryContact.phone", 2323232323), []string{"deliveryContact.phone"}},
		{"impossible e-mail", order("deliveryContact.email", "nobody"), []string{"deliveryContact.email"}},
	}
}

func wrongGoods() []badBody {
	return []badBody{
		{"no package", order("package", apitest.Absent), []string{"package"}},
		{"package as a list", order("package", []any{}), []string{"package"}},
		{"package unmeasured", order("package", map[string]any{"name": "crate"}), []string{"package.size", "package.weight"}},
		{"both packages", order("packages", []any{map[string]any{"name": "small"}}), []string{"packages"}},
		{"second of packages unmeasured", order("package", apitest.Absent, "packages", []any{map[string]any{"name": "small"}, map[string]any{}}), []string{"packages[1].size", "packages[1].weight"}},
		{"length 0", order("package.size.length", 0), []string{"package.size.length"}},
		{"length missing", order("package.size.length", apitest.Absent), []string{"package.size.length"}},
		{"width as text", order("package.size.width", "10"), []string{"package.size.width"}},
		{"height huge", raw("package.size.height", "1e17"), []string{"package.size.height"}},
		{"unit of size", order("package.size.unit", "inch"), []string{"package.size.unit"}},
		{"weight negative", order("package.weight.value", -10), []string{"package.weight.value"}},
		{"unit of weight", order("package.weight.unit", "stone"), []string{"package.weight.unit"}},
		{"quantity of package 1.5", order("package.itemQuantity", 1.5), []string{"package.itemQuantity"}},
		{"quantity of package negative", order("package.itemQuantity", -1), []string{"package.itemQuantity"}},
		{"quantity beyond 64 bits", raw("package.itemQuantity", "99999999999999999999"), []string{"package.itemQuantity"}},
		{"temperature", order("package.temperatureControl", "lukewarm"), []string{"package.temperatureControl"}},
		{"content as text", order("package.content", "alcohol"), []string{"package.content"}},
		{"101 contents", order("package.content", strings.Split(strings.Repeat("x ", 101)[:201], " ")), []string{"package.content"}},
		{"items as an object", order("itemList", map[string]any{}), []string{"itemList"}},
		{"101 items", order("itemList", items(101)), []string{"itemList"}},
		{"item null", order("itemList", []any{nil}), []string{"itemList[0].quantity"}},
		{"item as text", order("itemList", []any{"watch"}), []string{"itemList[0]"}},
		{"sku twice", order("itemList", append(items(2), items(1)...)), []string{"itemList[2].sku"}},
		{"sku of 101 characters", order("itemList.0.sku", long), []string{"itemList[0].sku"}},
		{"quantity 0", order("itemList.0.quantity", 0), []string{"itemList[0].quantity"}},
		{"quantity as text", order("itemList.0.quantity", "1"), []string{"itemList[0].quantity"}},
		{"price negative", order("itemList.0.price", -3), []string{"itemList[0].price"}},
		{"sale price with 3 decimals", raw("itemList.0.salePrice", "3.001"), []string{"itemList[0].salePrice"}},
		{"size of an item", order("itemList.0.size.unit", "ells"), []string{"itemList[0].size.unit"}},
		{"window reversed", order("pickupTime", map[string]any{"startsAt": 1791000000000, "endsAt": 1790000000000}), []string{"pickupTime.startsAt"}},
		{"window as a number", order("deliveryTime", 1791000000000), []string{"deliveryTime"}},
		{"time before 1970", order("pickupTime", map[string]any{"startsAt": -1}), []string{"pickupTime.startsAt"}},
		{"time in microseconds", order("deliveryTime", map[string]any{"endsAt": 1791000000000000}), []string{"deliveryTime.endsAt"}},
		{"time as text", order("deliveryTime", map[string]any{"endsAt": "2026-03-08T00:00:00Z"}), []string{"deliveryTime.endsAt"}},
		{"time with a fraction", order("createdDate", 1.5), []string{"createdDate"}},
		{"attributes as a list", order("orderAttributes", []any{"a"}), []string{"orderAttributes"}},
		{"attribute 1e999", raw("orderAttributes.a", "1e999"), []string{"orderAttributes.a"}},
		{"attribute that is an object", order("orderAttributes", map[string]any{"a": map[string]any{}}), []string{"orderAttributes.a"}},
		{"101 attributes", order("orderAttributes", attributes(101)), []string{"orderAttributes"}},
		{"proposal without a name", order("proposedProviders", []any{map[string]any{}}), []string{"proposedProviders[0].name"}},
		{"proposal as text", order("proposedProviders", []any{"UPS"}), []string{"proposedProviders[0]"}},
		{"proposed service without an id", order("proposedProviders", []any{map[string]any{"name": "UPS", "services": []any{map[string]any{}}}}), []string{"proposedProviders[0].services[0].id"}},
		{"dispatch of no kind", order("dispatch", map[string]any{"type": "later"}), []string{"dispatch.type"}},
		{"dispatch without a time", order("dispatch", map[string]any{"type": "scheduled"}), []string{"dispatch.time"}},
		{"many at once", order("orderValue", "ten", "deliveryContact.phone", "", "package.size.unit", "inch", "itemList.0.quantity", -1, "locale", long),
			[]string{"orderValue", "deliveryContact.phone", "package.size.unit", "itemList[0].quantity", "locale"}},
	}
}

// TestBadInput: each bad body of a create is refused with a clear error that names every faulty member, and stores nothing. The
// same body without an order id is refused by the price question alike.
func TestBadInput(t *testing.T) {
	h := apitest.New(t)
	for _, c := range append(notJSON(), wrongMembers()...) {
		t.Run(c.name, func(t *testing.T) {
			a := h.Do("POST", "/shipments", c.body).Want(400)
			is(t, a, map[string]any{"type": "VALIDATION_ERROR", "severity": "Hard"})
			clear(t, a)
			named := parameters(a)
			for _, w := range c.want {
				if !slices.Contains(named, w) {
					t.Errorf("%s is not named in %v", w, named)
				}
			}
			if len(c.want) == 0 && len(named) > 0 {
				t.Errorf("names %v", named)
			}
			if len(c.want) > 0 && c.name != "nothing" && !strings.HasPrefix(c.name, "names") && c.name != "address null" && len(named) != len(c.want) {
				t.Errorf("named %v, want %v and no more", named, c.want)
			}
			if len(c.want) == 0 || !strings.HasPrefix(c.want[0], "orderExternalId") {
				h.Do("POST", "/rates", c.body).Want(400)
			}
		})
	}
	if n := h.Store.Commits(); n != 0 {
		t.Errorf("%d transactions were written", n)
	}
	if n := len(h.UPS.Quotes()) + len(h.DoorDash.Quotes()); n != 0 {
		t.Errorf("carriers were asked %d times", n)
	}
	if log := h.Log(); strings.Contains(log, "Albany") || strings.Contains(log, "panic") {
		t.Errorf("the log says\n%s", log)
	}
}

// clear fails when a refusal's words are not for people.
func clear(t *testing.T, a *apitest.Answer) {
	t.Helper()
	for _, e := range a.At("errors").([]any) {
		m := e.(map[string]any)["message"].(string)
		if m == "" || m != strings.TrimSpace(m) || strings.Contains(m, "json:") || strings.Contains(m, "jsontext") || strings.Contains(m, "Go ") {
			t.Errorf("unclear: %q", m)
		}
	}
}

func TestBodyOver1MiB(t *testing.T) {
	h := apitest.New(t)
	body := order("x", strings.Repeat("x", 2<<20))
	for _, path := range []string{"/shipments", "/shipments/list", "/rates", "/shipments/o/status"} {
		is(t, h.Do("POST", path, body).Want(413), map[string]any{"type": "PAYLOAD_TOO_LARGE", "severity": "Hard"})
	}
	h.Do("PUT", "/shipments/o", body).Want(413)
	if n := h.Store.Commits(); n != 0 {
		t.Errorf("%d transactions were written", n)
	}
}

// TestANumberIsNotText: who writes an id without quotes is told so.
func TestANumberIsNotText(t *testing.T) {
	h := apitest.New(t)
	for member, value := range map[string]any{"locationExternalId": 7709, "groupId": 5, "orderExternalId": 7, "locale": 1.5, "deliveryContact.phone": 2323232323} {
		a := h.Do("POST", "/shipments", order(member, value)).Want(400)
		if got, want := a.At("errors.0.message"), member+" must be text"; got != want {
			t.Errorf("%v: %v, want %q", value, got, want)
		}
	}
	if got := h.Do("POST", "/shipments", raw("package.itemQuantity", "99999999999999999999")).Want(400).At("errors.0.message"); got != "package.itemQuantity is out of range" {
		t.Errorf("too large a number: %v", got)
	}
}

// TestHostileBodiesGetShortAnswers: what is wrong is said in a few words, however much of it there is.
func TestHostileBodiesGetShortAnswers(t *testing.T) {
	h := apitest.New(t)
	nested := func(n int) string {
		return `{"orderAttributes":` + strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) + "}"
	}
	huge := strings.Repeat("k", 500_000)
	for name, c := range map[string]struct{ body, words string }{
		"only brackets":            {strings.Repeat("[", 500_000), "nested more than 100 deep"},
		"deep objects":             {nested(9_000), "nested more than 100 deep"},
		"a level too many":         {nested(100), "nested more than 100 deep"},
		"brackets in a text":       {`{"groupId":"` + strings.Repeat("[", 200) + `"}`, "groupId must be at most 100 characters"},
		"a huge attribute's name":  {order("orderAttributes", map[string]any{huge: "x"}), "must be at most 100 characters"},
		"a huge name twice":        {`{"` + huge + `":1,"` + huge + `":2}`, "duplicate"},
		"a fault below huge names": {`{"` + huge + `":{"` + huge + `":x}}`, "not valid JSON"},
		"a huge number":            {raw("orderValue", strings.Repeat("1", 500_000)), "orderValue"},
		"a huge country":           {order("deliveryAddress.countryCode", huge), "deliveryAddress.countryCode"},
		"a huge unit":              {order("package.size.unit", huge), "package.size.unit"},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.Do("POST", "/shipments", c.body).Want(400)
			if !strings.Contains(string(a.Body), c.words) || len(a.Body) > 5_000 {
				t.Errorf("%d bytes: %.500s", len(a.Body), a.Body)
			}
			if got := a.At("errors.0.message").(string); len(got) > 1_500 {
				t.Errorf("a message of %d bytes", len(got))
			}
		})
	}
}

// TestHostileLists: half a megabyte of empty elements costs as much as a hundred.
func TestHostileLists(t *testing.T) {
	h := apitest.New(t)
	for _, element := range []string{"1", "{}", "null", `{"quantity":"x"}`} {
		list := "[" + strings.Repeat(element+",", 1_000_000/(len(element)+1)) + element + "]"
		for _, member := range []string{"itemList", "packages", "proposedProviders"} {
			a := h.Do("POST", "/shipments", strings.Replace(order(member, "@@"), `"@@"`, list, 1)).Want(400)
			if n := len(a.At("errors").([]any)); n > 101 || len(a.Body) > 50_000 {
				t.Errorf("%s of %s: %d errors in %d bytes", member, element, n, len(a.Body))
			}
		}
	}
}

// TestToleratedInput: what is odd and still right.
func TestToleratedInput(t *testing.T) {
	h := apitest.New(t)
	for name, body := range map[string]string{
		"unknown members":            apitest.Order("t1", "surprise", map[string]any{"a": []any{1, "x"}}, "package.surprise", 1),
		"a space around":             "\n " + apitest.Order("t2") + "\r\n",
		"100 items":                  apitest.Order("t3", "itemList", items(100)),
		"100 characters":             apitest.Order(strings.Repeat("é", 100)),
		"instructions of 10,000":     apitest.Order("t5", "deliveryInstructions", strings.Repeat("é", 10_000)),
		"lines in instructions":      apitest.Order("t6", "deliveryInstructions", "ring\n\ttwice\r\n"),
		"value 0":                    apitest.Order("t7", "orderValue", 0),
		"value with trailing zeros":  strings.Replace(apitest.Order("t8", "orderValue", "@@"), `"@@"`, "78.650", 1),
		"value with exponent":        strings.Replace(apitest.Order("t9", "orderValue", "@@"), `"@@"`, "1.5e2", 1),
		"nulls":                      apitest.Order("t10", "groupId", nil, "itemList", nil, "orderAttributes", nil, "signature", nil, "proposedProviders", nil, "dispatch", nil, "tips", nil, "packages", nil),
		"empty items":                apitest.Order("t11", "itemList", []any{}),
		"items without sku":          apitest.Order("t12", "itemList", []any{map[string]any{"quantity": 1}, map[string]any{"quantity": 1}}),
		"no coordinates":             apitest.Order("t13", "deliveryAddress.latitude", nil, "deliveryAddress.longitude", nil),
		"no postal code":             apitest.Order("t14", "deliveryAddress.postalCode", apitest.Absent),
		"phone in national spelling": apitest.Order("t15", "deliveryContact.phone", "232-323-2323"),
		"window of a moment":         apitest.Order("t16", "pickupTime", map[string]any{"startsAt": 1791000000000, "endsAt": 1791000000000}),
		"emoji":                      apitest.Order("t17 📦", "deliveryContact.name", "Zoë 王"),
	} {
		t.Run(name, func(t *testing.T) { h.Do("POST", "/shipments", body).Want(201) })
	}
}

// TestBadEdits: a bad edit changes nothing.
func TestBadEdits(t *testing.T) {
	h := apitest.New(t)
	h.Do("POST", "/shipments", apitest.Order("o"), "Prefer", "respond-async").Want(202)
	before := h.Do("GET", "/shipments/o", "").Want(200)
	commits := h.Store.Commits()
	for _, c := range notJSON() {
		h.Do("PUT", "/shipments/o", c.body).Want(400)
	}
	for body, member := range map[string]string{
		`{"orderValue":"x"}`: "orderValue", `{"orderExternalId":""}`: "orderExternalId", `{"orderExternalId":null}`: "orderExternalId",
		`{"deliveryAddress":null}`: "deliveryAddress.city", `{"deliveryAddress":{"countryCode":"usa"}}`: "deliveryAddress.countryCode",
		`{"package":null}`: "package", `{"package":{"size":{"length":-1}}}`: "package.size.length", `{"packages":[]}`: "package",
		`{"package":{},"packages":[{"name":"small"}]}`: "packages", `{"itemList":[{"quantity":0}]}`: "itemList[0].quantity",
		`{"pickupTime":{"startsAt":1791000000000,"endsAt":1}}`: "pickupTime.startsAt", `{"deliveryContact":{"phone":"1"}}`: "deliveryContact.phone",
		`{"orderAttributes":{"a":[1]}}`: "orderAttributes.a", `{"dispatch":{"type":"scheduled"}}`: "dispatch.time", `{"groupId":7}`: "groupId",
		`{"locationExternalId":""}`: "locationExternalId",
	} {
		a := h.Do("PUT", "/shipments/o", body).Want(400)
		if !slices.Contains(parameters(a), member) {
			t.Errorf("%s names %v, want %s", body, parameters(a), member)
		}
	}
	if after := h.Do("GET", "/shipments/o", "").Want(200); string(after.Body) != string(before.Body) || h.Store.Commits() != commits {
		t.Errorf("the order was changed:\n%s\n%s", before.Body, after.Body)
	}
}
