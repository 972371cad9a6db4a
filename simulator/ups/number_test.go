package ups

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Numbers that were published or recorded elsewhere.
func TestCheckDigitOfKnownNumbers(t *testing.T) {
	for _, n := range []string{"1Z5R89390357567127", "1Z879E930346834440", "1Z410E7W0392751591", "1Z8V92A70367203024", "1ZXX3150YW44070023"} {
		if got := checkDigit(n[2:17]); got != n[17] {
			t.Errorf("%s: check digit %c", n, got)
		}
	}
	if n := "1Z12345E0392508488"; checkDigit(n[2:17]) == n[17] {
		t.Errorf("%s is wrong by design but passes", n)
	}
}

func TestNewNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		account := rapid.StringMatching(`[0-9A-Z]{6}`).Draw(t, "account")
		n := newNumber(account, "03", rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
		if !isNumber(n) || !strings.HasPrefix(n, "1Z"+account+"03") {
			t.Fatalf("%q is no number of account %s", n, account)
		}
		if n[17] != checkDigit(n[2:17]) {
			t.Fatalf("%q has a wrong check digit", n)
		}
		// One wrong digit in an odd place never passes; in an even place, doubled, five more or less does.
		at := rapid.IntRange(0, 14).Draw(t, "at")
		digit := rapid.IntRange(0, 9).Draw(t, "digit")
		wrong := []byte(n[2:17])
		was := value(wrong[at])
		wrong[at] = byte('0' + digit)
		differs := digit != was && (at%2 == 0 || (digit-was)%5 != 0)
		if passes := checkDigit(string(wrong)) == n[17]; passes == differs {
			t.Fatalf("%q with %d at %d: passes is %v", n, digit, at, passes)
		}
	})
}

func value(c byte) int {
	if c >= 'A' {
		return (int(c) - 3) % 10
	}
	return int(c - '0')
}
