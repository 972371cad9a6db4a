package wire

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/waybill-dev/waybill/sdk/carrier"
	pb "github.com/waybill-dev/waybill/sdk/internal/carrierpb"
	"github.com/waybill-dev/waybill/sdk/shipping"
)

// trip goes through the mapping both ways: Go -> message -> bytes -> Go, and message -> Go -> message. Both sides are filled
// by reflection, so a member added on either side and not mapped comes back empty and is named in the difference.
func trip[G any, M proto.Message](t *testing.T, to func(G) M, from func(M) G) {
	t.Run(reflect.TypeFor[G]().String(), func(t *testing.T) {
		var g G
		n := 0
		fill(t, reflect.ValueOf(&g).Elem(), &n)
		var m M
		m = m.ProtoReflect().New().Interface().(M)
		b, err := proto.Marshal(to(g))
		if err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g, from(m), equal...); diff != "" {
			t.Errorf("lost on the way there and back (-want +got):\n%s", diff)
		}
		full := m.ProtoReflect().New()
		n = 0
		fillMessage(full, &n)
		ignore := []cmp.Option{protocmp.Transform(), protocmp.IgnoreMessages(&pb.Call{}, &pb.Wire{}), protocmp.IgnoreFields(&pb.Label{}, "size")}
		if diff := cmp.Diff(full.Interface(), proto.Message(to(from(full.Interface().(M)))), ignore...); diff != "" {
			t.Errorf("members of the message that Go does not know (-want +got):\n%s", diff)
		}
	})
}

var equal = []cmp.Option{
	cmp.Comparer(func(a, b shipping.Decimal) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) }),
}

func fill(t *testing.T, v reflect.Value, n *int) {
	*n++
	switch p := v.Addr().Interface().(type) {
	case *shipping.Decimal:
		*p = shipping.MustDecimal(fmt.Sprintf("%d.50", *n))
		return
	case *shipping.Instant:
		*p = shipping.At(time.UnixMilli(int64(1_700_000_000_000 + *n)))
		return
	case *time.Time:
		*p = time.Unix(1_700_000_000, int64(*n)).UTC()
		return
	case *error:
		*p = fmt.Errorf("cause %d", *n)
		return
	case *http.Header:
		*p = http.Header{fmt.Sprint("X-", *n): {"a", "b"}}
		return
	case *carrier.Effect:
		*p = carrier.EffectApplied // an effect that nobody knows is read as unknown
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Map:
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, k, n)
		fill(t, e, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(k, e)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		t.Fatalf("fill knows no %s", v.Type())
	}
}

var decimals = map[protoreflect.Name]bool{"length": true, "width": true, "height": true, "value": true, "price": true, "sale_price": true}

func fillMessage(m protoreflect.Message, n *int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		*n++
		switch {
		case f.IsMap():
			k := protoreflect.ValueOfString(fmt.Sprint("key ", *n)).MapKey()
			v := m.Mutable(f).Map().NewValue()
			if f.MapValue().Message() != nil {
				fillMessage(v.Message(), n)
			} else {
				v = protoreflect.ValueOfString(fmt.Sprint("value ", *n))
			}
			m.Mutable(f).Map().Set(k, v)
		case f.IsList() && f.Message() != nil:
			fillMessage(m.Mutable(f).List().AppendMutable().Message(), n)
		case f.IsList():
			m.Mutable(f).List().Append(scalar(f, *n))
		case f.Message() != nil:
			fillMessage(m.Mutable(f).Message(), n)
		default:
			m.Set(f, scalar(f, *n))
		}
	}
}

func scalar(f protoreflect.FieldDescriptor, n int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(n))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(n) + 0.5)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{byte(n)})
	}
	switch {
	case decimals[f.Name()] && f.ContainingMessage().Name() != "HeaderValues":
		return protoreflect.ValueOfString(fmt.Sprint(n, ".5"))
	case f.Name() == "effect":
		return protoreflect.ValueOfString("applied")
	}
	return protoreflect.ValueOfString(fmt.Sprint("text ", n))
}

func TestNothingIsLost(t *testing.T) {
	trip(t, ToManifest, FromManifest)
	trip(t, ToQuoteRequest, FromQuoteRequest)
	trip(t, ToQuoteAnswer, FromQuoteAnswer)
	trip(t, ToBookRequest, FromBookRequest)
	trip(t, ToBooking, FromBooking)
	trip(t, ToCancelRequest, FromCancelRequest)
	trip(t, ToCancellation, FromCancellation)
	trip(t, ToFindRequest, FromFindRequest)
	trip(t, ToBookings, FromBookings)
	trip(t, ToTrackRequest, FromTrackRequest)
	trip(t, ToUpdates, FromUpdates)
	trip(t, ToPush, FromPush)
	trip(t, ToPushAnswer, FromPushAnswer)
	trip(t, ToSubscribeRequest, FromSubscribeRequest)
	trip(t, ToSubscription, FromSubscription)
	trip(t, ToEditRequest, FromEditRequest)
	trip(t, ToAddressRequest, FromAddressRequest)
	trip(t, ToAddressAnswer, FromAddressAnswer)
	trip(t, ToPickupRequest, FromPickupRequest)
	trip(t, ToPickup, FromPickup)
	trip(t, ToManifestRequest, FromManifestRequest)
	trip(t, ToManifestAnswer, FromManifestAnswer)
	trip(t, ToDocumentRequest, FromDocumentRequest)
	trip(t, func(e carrier.Error) *pb.Fault { return ToFault(&e) }, func(f *pb.Fault) carrier.Error { return *FromFault(f) })
	trip(t, toExchange, fromExchange)
}

func TestZeroStaysZero(t *testing.T) {
	for _, tt := range []struct{ want, got any }{
		{carrier.QuoteRequest{}, FromQuoteRequest(ToQuoteRequest(carrier.QuoteRequest{}))},
		{carrier.QuoteAnswer{}, FromQuoteAnswer(ToQuoteAnswer(carrier.QuoteAnswer{}))},
		{carrier.Booking{}, FromBooking(ToBooking(carrier.Booking{}))},
		{[]carrier.TrackUpdate{{}}, FromUpdates(ToUpdates([]carrier.TrackUpdate{{}}))},
	} {
		if diff := cmp.Diff(tt.want, tt.got, equal...); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestWordsThatAreNotUTF8StillArrive(t *testing.T) {
	b, err := proto.Marshal(ToUpdates([]carrier.TrackUpdate{{Number: "1\xff", Events: []shipping.TrackingEvent{{CarrierWords: "Z\xfcrich"}}}}))
	if err != nil {
		t.Fatal(err)
	}
	var a pb.TrackAnswer
	if err := proto.Unmarshal(b, &a); err != nil {
		t.Fatal(err)
	}
	if got := FromUpdates(&a)[0]; got.Number != "1\uFFFD" || got.Events[0].CarrierWords != "Z\uFFFDrich" {
		t.Errorf("got %+v", got)
	}
}

func TestErrorAndExchangesSurviveTheStatus(t *testing.T) {
	sent := &carrier.Trace{}
	sent.Add(carrier.Exchange{At: time.Unix(1, 0).UTC(), URL: "http://c/", Status: 503, RequestHeader: map[string]string{"A": "b"}})
	sent.Drop(2)
	want := &carrier.Error{Source: carrier.SourceCarrier, Effect: carrier.EffectNone, Retry: carrier.RetryAfter, Code: carrier.CarrierRateLimited,
		Message: "slow down", CarrierCode: "R1", CarrierMessage: "r\xe9p", HTTPStatus: 429, Field: "a.b", RetryAfter: time.Second, Err: errors.New("inner")}
	got, ok := FromStatus(ToStatus(want, sent), nil)
	if !ok {
		t.Fatal("the status has no Fault")
	}
	want.CarrierMessage = "r\uFFFDp"
	if diff := cmp.Diff(want, got, equal...); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	received := &carrier.Trace{}
	FromStatus(ToStatus(want, sent), received)
	xs, dropped := received.Exchanges()
	if len(xs) != 1 || xs[0].Status != 503 || dropped != 2 {
		t.Errorf("exchanges %+v, dropped %d", xs, dropped)
	}
	if _, ok := FromStatus(errors.New("no status"), nil); ok {
		t.Error("an error that is no status was read as a Fault")
	}
}

func TestEffectThatNobodyKnowsIsUnknown(t *testing.T) {
	for _, effect := range []string{"", "maybe"} {
		if got := FromFault(&pb.Fault{Effect: effect}).Effect; got != carrier.EffectUnknown {
			t.Errorf("effect %q is read as %q", effect, got)
		}
	}
}

func FuzzFromForeignMessage(f *testing.F) {
	b, _ := proto.Marshal(&pb.QuoteAnswer{Quotes: []*pb.Quote{{ServiceId: "ground", Amount: &pb.Money{Minor: 1034, Currency: "USD"}}}})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var q pb.QuoteAnswer
		if proto.Unmarshal(b, &q) == nil {
			FromQuoteAnswer(&q)
		}
		var r pb.QuoteRequest
		if proto.Unmarshal(b, &r) == nil {
			if d := FromQuoteRequest(&r).Parcels; len(d) > 0 && d[0].Weight != nil && strings.ContainsAny(d[0].Weight.Value.String(), " x") {
				t.Errorf("weight %q is no number", d[0].Weight.Value)
			}
		}
	})
}
