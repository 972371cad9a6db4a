package ups

import (
	"fmt"
	"math/rand/v2"
)

// A 1Z number is "1Z", six characters of the shipper account, two of the service, seven digits and a check digit.
const numberLength = 18

// newNumber draws a tracking number from a random stream.
func newNumber(account, service string, rng *rand.Rand) string {
	body := fmt.Sprintf("%s%s%07d", account, service, rng.IntN(10_000_000))
	return "1Z" + body + string(checkDigit(body))
}

// checkDigit computes the last digit of a 1Z number from the 15 characters between "1Z" and it. Letters count as
// (ASCII-3) mod 10, every second character counts twice, and no digits are summed; twelve published numbers agree.
func checkDigit(body string) byte {
	sum := 0
	for i := range len(body) {
		v := int(body[i] - '0')
		if body[i] >= 'A' {
			v = (int(body[i]) - 3) % 10
		}
		if i%2 == 1 {
			v *= 2
		}
		sum += v
	}
	return '0' + byte((10-sum%10)%10)
}

// isNumber tells whether s looks like a 1Z number. The check digit is not looked at: UPS's own test numbers fail it.
func isNumber(s string) bool {
	if len(s) != numberLength || s[:2] != "1Z" {
		return false
	}
	return isAlphanumeric(s)
}

func isAlphanumeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}
