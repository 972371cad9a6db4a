package clock_test

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"pgregory.net/rapid"
)

func sources(c clock.Clock) map[string]clock.Source {
	return map[string]clock.Source{"crypto": clock.Crypto(c), "seeded": clock.Seeded(7, c)}
}

func TestIDIsTheSecondAndThenChance(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{24}$`)
	for name, src := range sources(clock.NewManual(time.Unix(0x60c0ffee, 999))) {
		t.Run(name, func(t *testing.T) {
			seen := map[string]bool{}
			for range 1000 {
				id := src.ID()
				if !form.MatchString(id) || id[:8] != "60c0ffee" || seen[id] {
					t.Fatalf("id %q: want 24 hex characters, the second first, never twice", id)
				}
				seen[id] = true
			}
		})
	}
}

func TestIDsSortByTime(t *testing.T) {
	c := clock.NewManual(start)
	for name, src := range sources(c) {
		before := src.ID()
		c.Advance(time.Second)
		if after := src.ID(); after <= before {
			t.Errorf("%s: %s made after %s sorts before it", name, after, before)
		}
	}
}

func TestTokenHoldsItsBytes(t *testing.T) {
	for name, src := range sources(clock.NewManual(start)) {
		t.Run(name, func(t *testing.T) {
			for n := 1; n < 40; n++ {
				token := src.Token(n)
				raw, err := base64.RawURLEncoding.DecodeString(token)
				if err != nil || len(raw) != n || len(token) != (4*n+2)/3 {
					t.Fatalf("Token(%d) = %q: %d bytes, %v", n, token, len(raw), err)
				}
			}
			if first, second := src.Token(16), src.Token(16); first == second {
				t.Error("two tokens are the same")
			}
			defer func() {
				if recover() == nil {
					t.Error("Token(0) answered")
				}
			}()
			src.Token(0)
		})
	}
}

// TestSeededRunsRepeat says that a run is its seed: same seed, same draws; and that streams do not disturb each other.
func TestSeededRunsRepeat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		names := rapid.SliceOf(rapid.String()).Draw(t, "names")
		c := clock.NewManual(start)
		a, b := clock.Seeded(seed, c), clock.Seeded(seed, c)
		b.Rand("other").Uint64()
		for range 3 {
			if x, y := a.ID()+a.Token(9), b.ID()+b.Token(9); x != y {
				t.Fatalf("same seed, %s and %s", x, y)
			}
		}
		if x, y := a.Rand(names...).Uint64(), b.Rand(names...).Uint64(); x != y {
			t.Fatalf("same stream, %d and %d", x, y)
		}
		if x, y := a.Rand(names...).Uint64(), clock.Seeded(seed+1, c).Rand(names...).Uint64(); x == y {
			t.Fatal("two seeds, one stream")
		}
		if x, y := a.Rand(names...).Uint64(), a.Rand(append(names, "")...).Uint64(); x == y {
			t.Fatal("two names, one stream")
		}
	})
	src := clock.Seeded(1, clock.NewManual(start))
	if src.Rand("ab", "c").Uint64() == src.Rand("a", "bc").Uint64() {
		t.Error("names run into each other")
	}
}

func TestCryptoStreamsDiffer(t *testing.T) {
	src := clock.Crypto(clock.Real())
	if src.Rand("x").Uint64() == src.Rand("x").Uint64() {
		t.Error("a crypto source repeated itself")
	}
}

func ExampleSeeded() {
	src := clock.Seeded(42, clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
	weather := src.Rand("world", "weather")
	again := src.Rand("world", "weather")
	fmt.Println(src.ID()[:8], weather.IntN(100) == again.IntN(100))
	// Output: 6955b900 true
}
