package clock

import (
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
)

// A Source makes the engine's ids, secrets and random draws. It is safe for concurrent use.
type Source interface {
	// ID answers 24 lower-case hexadecimal characters: the unix second in 8, then 64 random bits in 16. Ids therefore
	// sort by the second in which they were made.
	ID() string
	// Token answers a secret of n random bytes in unpadded URL-safe base64, (4n+2)/3 characters. It panics when n is
	// not positive, which is a mistake of the program.
	Token(n int) string
	// Rand answers a generator of its own, which one goroutine may use. Names say what it is for: a seeded source
	// answers the same sequence whenever it is asked for the same names, whatever else was drawn in between.
	Rand(names ...string) *rand.Rand
}

// Crypto is the source of a real engine: nobody can foretell it.
func Crypto(c Clock) Source { return &source{clock: c, random: crand.Reader, stream: cryptoStream} }

// Seeded is the source of a virtual run: one seed, one run. Its tokens can be foretold by who knows the seed, so it
// is never for an engine that strangers reach.
func Seeded(seed uint64, c Clock) Source {
	stream := func(names []string) rand.Source { return seededStream(seed, names) }
	return &source{clock: c, random: byteReader{stream([]string{"clock", "bytes"})}, stream: stream}
}

type source struct {
	clock  Clock
	mu     sync.Mutex // guards random
	random io.Reader
	stream func(names []string) rand.Source
}

var _ Source = (*source)(nil)

func (s *source) ID() string {
	var id [12]byte
	binary.BigEndian.PutUint32(id[:4], uint32(s.clock.Now().Unix()))
	s.fill(id[4:])
	return hex.EncodeToString(id[:])
}

func (s *source) Token(n int) string {
	if n <= 0 {
		panic(fmt.Sprintf("clock: a token of %d bytes is no secret", n))
	}
	b := make([]byte, n)
	s.fill(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *source) Rand(names ...string) *rand.Rand { return rand.New(s.stream(names)) }

// fill panics when there is no randomness: no id can be made then, and crypto/rand ends the program itself.
func (s *source) fill(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.ReadFull(s.random, b); err != nil {
		panic(fmt.Sprintf("clock: read randomness: %v", err))
	}
}

func cryptoStream([]string) rand.Source {
	var seed [32]byte
	crand.Read(seed[:]) // never fails: it ends the program instead
	return rand.NewChaCha8(seed)
}

// seededStream hashes each name with its length, so that ("ab", "c") and ("a", "bc") are two streams.
func seededStream(seed uint64, names []string) rand.Source {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, seed))
	for _, name := range names {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(name))))
		io.WriteString(h, name)
	}
	sum := h.Sum(nil)
	return rand.NewPCG(binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:]))
}

// byteReader reads a stream as bytes.
type byteReader struct{ src rand.Source }

func (r byteReader) Read(b []byte) (int, error) {
	var word [8]byte
	for i := 0; i < len(b); i += len(word) {
		binary.BigEndian.PutUint64(word[:], r.src.Uint64())
		copy(b[i:], word[:])
	}
	return len(b), nil
}
