package console

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/core/httpapi"
	"github.com/waybill-dev/waybill/core/store"
)

// file is one file of a bundle, or of its tests.
type file struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// folder is a bundle as it stands somewhere, for editing.
type folder struct {
	Name    string `json:"name"`
	Foreign bool   `json:"foreign"` // not the tenant's
	Files   []file `json:"files"`
}

// liveView is the state of the rules in force.
type liveView struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Rules   int    `json:"rules"`
	Since   string `json:"since,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// orderView is an order that was decided, and may be again.
type orderView struct {
	ID       string `json:"id"`
	At       string `json:"at"`
	Status   string `json:"status"`
	Location string `json:"location"`
}

// stateView is what the page shows before anything is tried.
type stateView struct {
	Tenant   string      `json:"tenant"`
	Live     liveView    `json:"live"`
	Folders  []folder    `json:"folders"` // that of the tenant first, then the examples
	Orders   []orderView `json:"orders"`
	Problems []string    `json:"problems,omitempty"` // what could not be read
}

// largest is what package rules takes for one file.
const largest = 256 << 10

// recent is how many orders are offered.
const recent = 30

func (c *console) state(q *httpapi.Request) (httpapi.Answer, error) {
	live := c.Live(q.Tenant.ID)
	v := stateView{Tenant: q.Tenant.ID, Folders: []folder{}, Orders: []orderView{}}
	if b := live.Bundle; b != nil {
		v.Live = liveView{Name: b.Name(), Version: b.Hash(), Rules: b.Size()}
	}
	if !live.Since.IsZero() {
		v.Live.Since = live.Since.UTC().Format(time.RFC3339)
	}
	if live.Problem != nil {
		v.Live.Problem = live.Problem.Error()
	}
	if q.Tenant.Rules != "" {
		f, err := readFolder(os.DirFS(q.Tenant.Rules), ".")
		f.Name = "your rules"
		v.take(f, err)
	}
	if c.Examples != nil {
		err := fs.WalkDir(c.Examples, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			f, err := readFolder(c.Examples, name)
			f.Foreign = true
			f.Name = strings.TrimSuffix("example: "+name, ": .")
			v.take(f, err)
			return nil
		})
		if err != nil {
			return httpapi.Answer{}, fmt.Errorf("read the examples: %w", err)
		}
	}
	p, err := c.Orders.List(q.Context(), q.Caller, store.ShipmentQuery{Limit: recent})
	if err != nil {
		return httpapi.Answer{}, err
	}
	for _, s := range p.Shipments {
		v.Orders = append(v.Orders, orderView{ID: s.Order.ExternalID, At: s.CreatedAt.UTC().Format(time.RFC3339), Status: string(s.Status), Location: s.Order.LocationID})
	}
	return httpapi.Answer{Body: v}, nil
}

// take adds a folder that holds rules.
func (v *stateView) take(f folder, err error) {
	if err != nil {
		v.Problems = append(v.Problems, fmt.Sprintf("%s: %v", f.Name, err))
		return
	}
	if slices.ContainsFunc(f.Files, func(x file) bool { return strings.HasSuffix(x.Name, ".rules.yaml") }) {
		v.Folders = append(v.Folders, f)
	}
}

// readFolder reads the files of a bundle and its tests. Files beyond the limits of rules are left out: the engine does not take them either.
func readFolder(fsys fs.FS, dir string) (folder, error) {
	f := folder{Name: dir, Files: []file{}}
	for _, pattern := range []string{"*.rules.yaml", "*.test.yaml", "lists/*.csv"} {
		names, err := fs.Glob(fsys, path.Join(dir, pattern))
		if err != nil {
			return f, err
		}
		for _, name := range names {
			info, err := fs.Stat(fsys, name)
			if err != nil {
				return f, err
			}
			if info.Size() > largest || !info.Mode().IsRegular() {
				return f, fmt.Errorf("%s is larger than %d KiB, or no file", name, largest>>10)
			}
			data, err := fs.ReadFile(fsys, name)
			if err != nil {
				return f, err
			}
			f.Files = append(f.Files, file{strings.TrimPrefix(name, strings.TrimPrefix(dir+"/", "./")), string(data)})
		}
	}
	return f, nil
}
