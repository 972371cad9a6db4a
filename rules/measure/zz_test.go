package measure_test
import ("testing";"github.com/waybill-dev/waybill/rules/measure")
func BenchmarkTwins(b *testing.B){ for b.Loop() { measure.Twins(b.Context(), 1000,1,1,nil)}}
