package ship24

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/waybill-dev/waybill/core/tracker"
)

// Ship24's ids are UUIDs, and its clients may keep them as such. Ours are 24 hex digits, so a UUID of version 8 (RFC 9562, whose
// content is the maker's own) holds them, with zeros behind.
const padding = "000000"

// uuidOf is a tracker's id as this surface shows it.
func uuidOf(id tracker.ID) string {
	h := string(id)
	if !isHex(h, 24) {
		return h
	}
	return h[:8] + "-" + h[8:12] + "-8" + h[12:15] + "-8" + h[15:18] + "-" + h[18:] + padding
}

// idOf reads what uuidOf has shown, or the engine's own form. ok is false for what is no tracker's id.
func idOf(text string) (id tracker.ID, ok bool) {
	text = strings.ToLower(text)
	if isHex(text, 24) {
		return tracker.ID(text), true
	}
	if len(text) != 36 {
		return "", false
	}
	id = tracker.ID(text[:8] + text[9:13] + text[15:18] + text[20:23] + text[24:30])
	return id, isHex(string(id), 24) && uuidOf(id) == text
}

func isHex(s string, n int) bool {
	return len(s) == n && !strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}

// named is a UUID that is always the same for the same parts.
func named(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		size := [4]byte{byte(len(p) >> 24), byte(len(p) >> 16), byte(len(p) >> 8), byte(len(p))}
		h.Write(size[:])
		h.Write([]byte(p))
	}
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
