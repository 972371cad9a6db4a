package storetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/waybill-dev/waybill/sdk/shipping"
)

// Filled returns a T in which every member that can be stored has a value of its own, so that what a store forgets shows by name.
func Filled[T any]() T {
	var v T
	(&filler{}).fill(reflect.ValueOf(&v).Elem(), 0)
	return v
}

type filler struct{ n int }

// maxDepth stops at types that hold themselves.
const maxDepth = 12

func (f *filler) fill(v reflect.Value, depth int) {
	if depth > maxDepth || !v.CanSet() {
		return
	}
	f.n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(now.Add(time.Duration(f.n) * time.Millisecond)))
		return
	case shipping.Instant:
		v.Set(reflect.ValueOf(shipping.At(now.Add(time.Duration(f.n) * time.Millisecond))))
		return
	case shipping.Decimal:
		v.Set(reflect.ValueOf(shipping.MustDecimal(fmt.Sprintf("%d.50", f.n))))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(fmt.Sprintf(`{"raw":%d}`, f.n))))
		return
	case map[string]any:
		v.Set(reflect.ValueOf(map[string]any{"text": fmt.Sprint(f.n), "number": float64(f.n), "list": []any{true, nil}}))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), depth+1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(k, depth+1)
		f.fill(e, depth+1)
		m.SetMapIndex(k, e)
		v.Set(m)
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d", f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(f.n) + 0.25)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(int64(f.n))
	case reflect.Uint64:
		v.SetUint(uint64(f.n))
	case reflect.Uint8:
		v.SetUint(uint64(f.n % 256))
	default:
		panic(fmt.Sprintf("storetest: cannot fill a %s", v.Type()))
	}
}
