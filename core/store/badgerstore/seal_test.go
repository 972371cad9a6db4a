package badgerstore

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
)

// FuzzUnseal reads anything as a backup: it is refused, or it is what was sealed.
func FuzzUnseal(f *testing.F) {
	key := bytes.Repeat([]byte("k"), 32)
	plain := []byte("what was sealed")
	sealed := func(salt []byte) []byte {
		line, err := backupHead{Format: backupFormat, Schema: Schema, Salt: salt}.line()
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		b.Write(line)
		var w io.Writer = &b
		end := func() error { return nil }
		if salt != nil {
			aead, err := sealing(key, salt, line)
			if err != nil {
				f.Fatal(err)
			}
			s := newSealer(&b, aead)
			w, end = s, s.Close
		}
		z := gzip.NewWriter(w)
		_, err = z.Write(plain)
		for _, e := range []error{err, z.Close(), end()} {
			if e != nil {
				f.Fatal(e)
			}
		}
		return b.Bytes()
	}
	f.Add(sealed(nil))
	f.Add(sealed(newSalt()))
	f.Add([]byte(backupMagic + "{\"format\":1,\"schema\":1,\"salt\":\"AAAA\"}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := unseal(Config{EncryptionKey: key}, bytes.NewReader(b))
		if err != nil {
			return
		}
		got, err := io.ReadAll(io.LimitReader(r, 1<<20))
		// Without a salt anybody can write a backup; with one, only who has the key.
		if err == nil && bytes.Contains(b[:bytes.IndexByte(b, '\n')], []byte(`"salt"`)) && !bytes.Equal(got, plain) {
			t.Errorf("%d bytes were read that nobody has sealed", len(got))
		}
	})
}
