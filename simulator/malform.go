package simulator

import (
	"bytes"
	"net/http"

	"github.com/go-json-experiment/json"
)

// gatewayPage is what a proxy in front of a carrier answers in its place.
const gatewayPage = "<!DOCTYPE html>\n<html><head><title>Service temporarily unavailable</title></head>\n" +
	"<body><h1>We will be right back</h1><p>The service you requested is being maintained.</p></body></html>\n"

// malform returns the answer in a shape that its reader does not expect. The
// Content-Length of the result is right: only the body is wrong.
func malform(r Response, shape string) Response {
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	switch shape {
	case "truncated_json":
		r.Body = r.Body[:len(r.Body)*2/3]
	case "wrong_type":
		r.Body = swapTypes(r.Body)
	case "html_page":
		r.Status, r.Body = http.StatusOK, []byte(gatewayPage)
		r.Header.Set("Content-Type", "text/html; charset=utf-8")
	case "empty_200":
		r.Status, r.Body = http.StatusOK, nil
	case "bad_charset":
		// 0xE9 is é in ISO 8859-1 and never stands alone in UTF-8.
		if i := bytes.LastIndexByte(r.Body, '"'); i >= 0 {
			r.Body = bytes.Join([][]byte{r.Body[:i], r.Body[i:]}, []byte{0xE9})
		} else {
			r.Body = append(bytes.Clone(r.Body), 0xE9)
		}
	}
	return r
}

// swapTypes keeps the names of the outermost members and gives every value
// another type. What is no JSON object becomes a number.
func swapTypes(body []byte) []byte {
	var members map[string]any
	if json.Unmarshal(body, &members) != nil {
		return []byte("0")
	}
	for name, value := range members {
		switch value.(type) {
		case string, nil:
			members[name] = 0
		case map[string]any:
			members[name] = []any{}
		case []any:
			members[name] = map[string]any{}
		default:
			members[name] = "unexpected"
		}
	}
	swapped, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return []byte("0")
	}
	return swapped
}
