package dispatch

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
)

// reference derives the reference under which an account is asked a question in a quote round: 26 characters [a-z2-7]. It needs no commit of
// its own, and so a walk that died may have asked in rounds that nobody has counted: what the order has become since is another question, and
// has another reference.
func reference(shipment, account string, round int, question string) string {
	sum := sha256.Sum256([]byte(shipment + "\x00" + account + "\x00" + strconv.Itoa(round) + question))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}
