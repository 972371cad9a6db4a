package apitest

import (
	"encoding/json"
	"strings"
)

// Absent is the value of a member that Order leaves out.
var Absent = &struct{}{}

// Order returns the body of a valid create, changed by paths and values in turn: "deliveryAddress.city", "Boston". A path through
// a list has the element's index. Absent leaves a member out.
func Order(id string, changes ...any) string {
	body := map[string]any{
		"locationExternalId": "7709", "orderExternalId": id, "orderValue": 10,
		"deliveryContact": map[string]any{"name": "Ann Example", "phone": "+1 234-567-8900", "email": ""},
		"deliveryAddress": map[string]any{"street1": "725 Albany Street", "street2": "", "city": "Boston", "state": "MA", "countryCode": "US",
			"postalCode": "02118", "latitude": 42.3346944, "longitude": -71.071818, "apartmentNumber": ""},
		"package": map[string]any{"name": "Solid", "size": map[string]any{"length": 10, "width": 10, "height": 10, "unit": "in"},
			"weight": map[string]any{"value": 10, "unit": "lb"}, "itemQuantity": 1, "description": "a watch"},
		"itemList": []any{map[string]any{"sku": "sku 1", "quantity": 1, "price": 3, "salePrice": 3, "title": "Watch",
			"size": map[string]any{"length": 3, "width": 2, "height": 2, "unit": "in"}, "weight": map[string]any{"value": 10, "unit": "lb"}}},
		"pickupTime": nil, "deliveryTime": nil,
	}
	for i := 0; i+1 < len(changes); i += 2 {
		put(body, strings.Split(changes[i].(string), "."), changes[i+1])
	}
	return JSON(body)
}

func put(v any, path []string, value any) {
	if list, ok := v.([]any); ok {
		put(list[int(path[0][0]-'0')], path[1:], value)
		return
	}
	object := v.(map[string]any)
	switch {
	case len(path) > 1:
		if object[path[0]] == nil {
			object[path[0]] = map[string]any{}
		}
		put(object[path[0]], path[1:], value)
	case value == any(Absent):
		delete(object, path[0])
	default:
		object[path[0]] = value
	}
}

// JSON writes v as JSON.
func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // tests only write what can be written
	}
	return string(b)
}
