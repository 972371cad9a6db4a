package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/waybill-dev/waybill/core/clock"
	"github.com/waybill-dev/waybill/simulator"
)

func TestLayOutKeepsEdits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	files := func(yaml, rules string) fstest.MapFS {
		return fstest.MapFS{"waybill.yaml": {Data: []byte(yaml)}, "rules/a.rules.yaml": {Data: []byte(rules)}}
	}
	lay := func(f fstest.MapFS) {
		t.Helper()
		path, err := layOut(f, dir)
		if err != nil {
			t.Fatal(err)
		}
		if path != filepath.Join(dir, "waybill.yaml") {
			t.Fatalf("the configuration is at %s", path)
		}
	}
	holds := func(name, want string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(b) != want {
			t.Fatalf("%s holds %q (%v), want %q", name, b, err, want)
		}
	}
	lay(files("one", "rules one"))
	holds("waybill.yaml", "one")
	lay(files("two", "rules two")) // a newer program: what nobody has touched is renewed
	holds("waybill.yaml", "two")
	holds("rules/a.rules.yaml", "rules two")
	if err := os.WriteFile(filepath.Join(dir, "waybill.yaml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // an edit stays, however often a newer program comes
		lay(files("three", "rules three"))
		holds("waybill.yaml", "mine")
		holds("rules/a.rules.yaml", "rules three")
	}
	if err := os.Remove(filepath.Join(dir, "waybill.yaml")); err != nil {
		t.Fatal(err)
	}
	lay(files("four", "rules four")) // deleted to have the example back
	holds("waybill.yaml", "four")
}

// TestLayOutLeavesOwnRulesAlone: the rules of a folder are merged, so that those of the examples must not come back beside a merchant's own.
func TestLayOutLeavesOwnRulesAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config [old]") // which is a pattern, and does not match itself
	files := fstest.MapFS{"waybill.yaml": {Data: []byte("one")}, "rules/demo.rules.yaml": {Data: []byte("demo")}, "rules/demo.test.yaml": {Data: []byte("tests")},
		"rules/lists/near.csv": {Data: []byte("MA")}, "rules/parcel/parcel.rules.yaml": {Data: []byte("parcel")}}
	lay := func(want ...string) {
		t.Helper()
		if _, err := layOut(files, dir); err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := fs.WalkDir(os.DirFS(dir), "rules", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				got = append(got, name)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("the folder has %v, want %v", got, want)
		}
	}
	all := []string{"rules/demo.rules.yaml", "rules/demo.test.yaml", "rules/lists/near.csv", "rules/parcel/parcel.rules.yaml"}
	lay(all...)
	files["rules/lists/far.csv"] = &fstest.MapFile{Data: []byte("CA")} // a newer program, whose rules may need it
	lay(append([]string{all[0], all[1], "rules/lists/far.csv"}, all[2:]...)...)
	empty := func() {
		t.Helper()
		if err := os.RemoveAll(filepath.Join(dir, "rules")); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "rules"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	empty()
	lay(append([]string{all[0], all[1], "rules/lists/far.csv"}, all[2:]...)...)
	empty()
	if err := os.WriteFile(filepath.Join(dir, "rules", "shop.rules.yaml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		lay("rules/shop.rules.yaml")
	}
	empty()
	files["rules/parcel/why/heavy.txt"] = &fstest.MapFile{Data: []byte("why")} // a part of an example, as its lists are
	if err := os.MkdirAll(filepath.Join(dir, "rules", "parcel"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rules", "parcel", "shop.rules.yaml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	lay(all[0], all[1], "rules/lists/far.csv", "rules/lists/near.csv", "rules/parcel/shop.rules.yaml")
}

func TestEngineClockRunsAtTheWorldsSpeed(t *testing.T) {
	world, err := simulator.NewRealClock(simulator.MaxSpeed)
	if err != nil {
		t.Fatal(err)
	}
	c := engineClock{world}
	begun := time.Now()
	before := c.Now()
	if err := clock.Sleep(t.Context(), c, time.Hour); err != nil { // 36 ms of wall time
		t.Fatal(err)
	}
	if passed := c.Now().Sub(before); passed < time.Hour {
		t.Errorf("the timer fired after %v of the world's time, want an hour", passed)
	}
	if wall := time.Since(begun); wall > 20*time.Second {
		t.Errorf("an hour took %v", wall)
	}
}

func TestEngineClockTimersStop(t *testing.T) {
	world, err := simulator.NewRealClock(1)
	if err != nil {
		t.Fatal(err)
	}
	c := engineClock{world}
	timer := c.NewTimer(time.Hour)
	if !timer.Stop() || timer.Stop() {
		t.Error("Stop must tell once that it kept the timer from firing")
	}
	if timer.Reset(-time.Second) {
		t.Error("Reset says that a stopped timer was waiting")
	}
	<-timer.C() // what is due at once fires at once
	if timer.Reset(0) {
		t.Error("Reset says that a fired timer was waiting")
	}
	if timer.Stop() {
		t.Error("Stop says that it stopped a timer that had fired")
	}
	select {
	case <-timer.C():
		t.Error("something stale is in the channel after Stop")
	default:
	}
	if timer.Reset(time.Hour); !timer.Reset(0) {
		t.Error("Reset says that a waiting timer was not")
	}
	<-timer.C()
}

func TestPushSecretStaysWithItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := pushSecret(dir)
	if err != nil || len(first) < 16 {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := pushSecret(dir); again != first || err != nil {
		t.Errorf("the second start has %q (%v), want %q", again, err, first)
	}
	if other, err := pushSecret(t.TempDir()); other == first || err != nil {
		t.Errorf("another folder has the same secret (%v)", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "push-secret")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("everybody may read it: %v, %v", info, err)
	}
	if _, err := pushSecret(filepath.Join(dir, "push-secret")); err == nil {
		t.Error("a file is taken for a folder")
	}
}
