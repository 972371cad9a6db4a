package node

import "encoding/hex"

// decodeHex reads a key that the configuration has checked.
func decodeHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil
	}
	return b
}
