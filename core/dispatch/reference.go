package dispatch

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
)

// reference derives the reference under which an account is asked in a quote round: 26 characters [a-z2-7]. It needs no commit
// of its own: whoever knows the shipment knows every reference that may have been used.
func reference(shipment, account string, round int) string {
	sum := sha256.Sum256([]byte(shipment + "\x00" + account + "\x00" + strconv.Itoa(round)))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}
