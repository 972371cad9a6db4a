package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// FilledPaths lists the members of a document that say something when it is stored, one a line and sorted: "order.itemList[].title".
func FilledPaths(t testing.TB, document any) string {
	t.Helper()
	b, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	var paths []string
	walk(doc, "", func(path string) { paths = append(paths, path+"\n") })
	slices.Sort(paths)
	return strings.Join(slices.Compact(paths), "")
}

func walk(v any, path string, found func(path string)) {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			walk(e, strings.TrimPrefix(path+"."+k, "."), found)
		}
	case []any:
		for _, e := range x {
			walk(e, path+"[]", found)
		}
	default:
		if x != nil && fmt.Sprint(x) != "" && fmt.Sprint(x) != "0" && x != "0001-01-01T00:00:00Z" {
			found(path)
		}
	}
}
