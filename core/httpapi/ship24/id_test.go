package ship24_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/httpapi/ship24"
	"github.com/waybill-dev/waybill/core/tracker"
)

// TestIDsComeBack: an id is found by what is shown of it, and nothing else is an id.
func TestIDsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := tracker.ID(rapid.StringMatching(`[0-9a-f]{24}`).Draw(t, "id"))
		shown := ship24.UUIDOf(id)
		if !uuid.MatchString(`"` + shown + `"`) {
			t.Fatalf("%s is no UUID of version 8", shown)
		}
		for _, text := range []string{shown, string(id)} {
			if got, ok := ship24.EngineID(text); !ok || got != id {
				t.Fatalf("%s is shown as %s and read as %s", id, text, got)
			}
		}
		other := []byte(shown)
		other[rapid.IntRange(0, len(other)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("0123456789abcdefg-Z")).Draw(t, "digit")
		if got, ok := ship24.EngineID(string(other)); ok && got == id && string(other) != shown {
			t.Fatalf("%s is read as %s, which is shown as %s", other, got, shown)
		}
	})
}
