package ruleset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/core/store"
	"github.com/waybill-dev/waybill/rules"
)

// Keeper is the part of a store.Store that the last good rules are kept in.
type Keeper interface {
	Commit(ctx context.Context, tenant string, tx *store.Tx) error
	Document(ctx context.Context, tenant, name string) ([]byte, error)
}

// lastGood names the document with a tenant's last good rules.
const lastGood = "rules/last-good"

// keptRules is what the document holds. Every schema that was ever written is read for ever.
type keptRules struct {
	Schema int        `json:"schema"`
	Files  []keptFile `json:"files"`
}

type keptFile struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

const keptSchema = 1

// keep keeps the files of rules that were taken, for a start after which the folder is faulty. That it could not does no harm now.
func (r *Set) keep(f folder, files []rules.File) {
	if r.Kept == nil || f.trial {
		return
	}
	k := keptRules{Schema: keptSchema}
	for _, file := range files {
		k.Files = append(k.Files, keptFile(file))
	}
	data, err := json.Marshal(k)
	if err == nil {
		err = r.Kept.Commit(context.Background(), f.tenant, &store.Tx{Documents: []store.Document{{Name: lastGood, Data: data}}})
	}
	if err != nil {
		r.Log.Warn("the rules that were taken could not be kept; should their files be faulty at the next start, earlier ones stand in", "tenant", f.tenant, "err", err)
	}
}

// restore returns the rules that were kept before this start, nil where there are none that can be used.
func (r *Set) restore(f folder) *rules.Bundle {
	if r.Kept == nil {
		return nil
	}
	b, err := r.kept(f)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		r.Log.Error("the last good rules cannot be used", "tenant", f.tenant, "err", err)
		return nil
	}
	r.Log.Warn("the last good rules from before the start stand in for faulty ones", "tenant", f.tenant, "version", b.Hash())
	return b
}

func (r *Set) kept(f folder) (*rules.Bundle, error) {
	data, err := r.Kept.Document(context.Background(), f.tenant, lastGood)
	if err != nil {
		return nil, err
	}
	var k keptRules
	if err := json.Unmarshal(data, &k); err != nil {
		return nil, fmt.Errorf("read the last good rules: %w", err)
	}
	if k.Schema != keptSchema {
		return nil, fmt.Errorf("the last good rules have schema %d, this program reads %d", k.Schema, keptSchema)
	}
	files := make([]rules.File, len(k.Files))
	for i, file := range k.Files {
		files[i] = rules.File(file)
	}
	return rules.Load(files, r.options(f))
}
