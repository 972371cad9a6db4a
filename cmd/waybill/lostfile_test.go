package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// bulky is an order whose record stands in a file of the value log: what it says does not compress.
func bulky(t *testing.T, id string) string {
	t.Helper()
	noise := rand.NewChaCha8([32]byte{1})
	attributes := map[string]string{}
	for i := range 14 {
		b := make([]byte, 7000)
		_, _ = noise.Read(b) // never fails
		attributes["noise"+strconv.Itoa(i)] = base64.StdEncoding.EncodeToString(b)
	}
	b, err := json.Marshal(attributes)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(boston(id), "}") + `,"orderAttributes":` + string(b) + "}"
}

// TestFilesLostWhileServing does harm to a complete file of the value log under a running engine: it accepts nothing more, says which file
// it is and which order, and does not start again on what is left.
func TestFilesLostWhileServing(t *testing.T) {
	t.Parallel()
	r := newDiskRun(t, filepath.Join(t.TempDir(), "store"))
	d := r.serve(t)
	acknowledge(t, d, "small-", 1)
	code, b := d.Request(t, http.MethodPost, "/shipments", bulky(t, "bulky"))
	if code != http.StatusCreated {
		t.Fatalf("%d %s", code, b)
	}
	id := parseOrder(t, b).ID
	d.Stop(t)
	whole := r.data
	for name, harm := range map[string]func(path string) error{
		"removed": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 0) },
		"flipped": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte{b[len(b)-200] ^ 1}, int64(len(b)-200))
			return errors.Join(err, f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := *r
			r.data = filepath.Join(t.TempDir(), "store")
			copyStore(t, whole, r.data)
			d := r.serve(t)
			path := filepath.Join(r.data, "000001.vlog")
			if err := harm(path); err != nil {
				t.Fatal(err)
			}
			if name == "flipped" { // which only reading tells
				if code, b := d.Request(t, http.MethodGet, "/shipments/bulky", ""); code != http.StatusInternalServerError || !strings.Contains(string(b), "shipment "+id) {
					t.Errorf("a damaged order: %d %s", code, b)
				}
			}
			code, b := d.Request(t, http.MethodGet, "/readyz", "")
			if code != http.StatusServiceUnavailable || !strings.Contains(string(b), "damaged") || !strings.Contains(string(b), "restore a backup") {
				t.Errorf("ready: %d %s", code, b)
			}
			if code, b := d.Request(t, http.MethodPost, "/shipments", boston("next")); code != http.StatusInternalServerError {
				t.Errorf("an order was accepted: %d %s", code, b)
			}
			if code, b := d.Request(t, http.MethodGet, "/shipments/small-0", ""); code != http.StatusOK {
				t.Errorf("an order that is whole: %d %s", code, b)
			}
			if err := d.end(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			r.refused(t, r.command(t, r.binary, r.args()...), path, "damaged", "restore a backup")
		})
	}
}
