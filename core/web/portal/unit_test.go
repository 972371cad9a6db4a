package portal

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/core/config"
)

// TestTokens: what is sealed is unsealed, and with no other secret.
func TestTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "secret")
		r := ref{rapid.SampledFrom([]kind{ofShipment, ofTracker}).Draw(t, "kind"), rapid.StringMatching(`[0-9a-f]{24}`).Draw(t, "id"),
			rapid.StringMatching(`[a-z][a-z0-9_-]{0,50}`).Draw(t, "tenant")}
		token := seal(secret, r)
		if got, ok := unseal(secret, token); !ok || got != r {
			t.Fatalf("%+v came back as %+v, %v", r, got, ok)
		}
		secret[rapid.IntRange(0, 31).Draw(t, "at")] ^= 1
		if _, ok := unseal(secret, token); ok {
			t.Fatal("another secret opens it")
		}
	})
	for _, id := range []string{"", "xyz", "0123456789abcdef0123456789", "not hex, 24 characters__"} {
		if got := seal([]byte("s"), ref{ofTracker, id, "t"}); got != "" {
			t.Errorf("%q is sealed as %s", id, got)
		}
	}
}

func FuzzToken(f *testing.F) {
	secret := []byte("a secret of the tests")
	f.Add(seal(secret, ref{ofShipment, "0123456789abcdef01234567", "shop"}))
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if r, ok := unseal(secret, token); ok && seal(secret, r) != token {
			t.Errorf("%q is another writing of the token of %+v", token, r)
		}
	})
}

// TestColorsCanBeRead: whatever a tenant chooses, what is written in or on it has the contrast of WCAG 2 AA.
func TestColorsCanBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := parseColor(rapid.StringMatching(`#[0-9a-f]{6}`).Draw(t, "colour"))
		if got := contrast(onto(c), c); got < 4.5 {
			t.Fatalf("text on %s: %.2f", c, got)
		}
		for _, ground := range []rgb{lightGround, lightPage, darkGround, darkPage} {
			for _, ratio := range []float64{3, 4.5} {
				if got := contrast(parseColor(readable(c, ground, ratio).String()), ground); got < ratio {
					t.Fatalf("%s on %s: %.2f, want %g", c, ground, got, ratio)
				}
			}
		}
	})
	style(&config.Portal{}) // no colours at all are no fault
}
