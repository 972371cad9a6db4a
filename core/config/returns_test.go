package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/core/config"
)

func TestReturns(t *testing.T) {
	dir := t.TempDir()
	c, err := config.Load(write(t, dir, "a.yaml", minimal), env(map[string]string{"SECRET": "s"}))
	if err != nil {
		t.Fatal(err)
	}
	r := &c.Tenants["demo"].Returns
	if _, known := r.Reason("damaged"); !r.On() || r.Page || r.Exchanges || r.Window != 30*24*time.Hour || !known || len(r.ReasonIDs()) != 7 {
		t.Errorf("defaults: %+v", r)
	}
	c, err = config.Load(write(t, dir, "b.yaml", minimal+"    returns: { enabled: false, window: 14d, location: a, page: true, reasons: [{ id: why, text: Because }] }\n"),
		env(map[string]string{"SECRET": "s"}))
	if err != nil {
		t.Fatal(err)
	}
	r = &c.Tenants["demo"].Returns
	if _, known := r.Reason("damaged"); r.On() || !r.Page || r.Window != 14*24*time.Hour || known || r.Location != "a" {
		t.Errorf("as written: %+v", r)
	}
	_, err = config.Load(write(t, dir, "c.yaml", minimal+`    returns:
      location: nowhere
      reasons: [{ id: Why!, text: x }, { id: twice, text: x }, { id: twice, text: y }, { id: mute }]
      words: { title: "a\nb" }
`), env(map[string]string{"SECRET": "s"}))
	if err == nil {
		t.Fatal("a faulty configuration was taken")
	}
	for _, want := range []string{`no location "nowhere"`, `"Why!" cannot be`, `"twice" is named twice`, "reasons[3].text", "words.title"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %q:\n%v", want, err)
		}
	}
	if _, err = config.Load(write(t, dir, "d.yaml", minimal+"    returns: { reasons: [] }\n"), env(map[string]string{"SECRET": "s"})); err == nil || !strings.Contains(err.Error(), "at least one reason") {
		t.Errorf("no reasons at all: %v", err)
	}
}

func TestThePackageOfReturns(t *testing.T) {
	dir := t.TempDir()
	const presets = "    packages:\n      Box: { size: { length: 6, width: 6, height: 6, unit: in }, weight: { value: 2, unit: lb } }\n      flat: { size: { length: 6, width: 6, height: 1, unit: in } }\n"
	for name, want := range map[string]string{"box": "", "Bax": `no package "Bax"`, "flat": `"flat" needs a size and a weight`} {
		_, err := config.Load(write(t, dir, name+".yaml", minimal+presets+"    returns: { package: "+name+" }\n"), env(map[string]string{"SECRET": "s"}))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
