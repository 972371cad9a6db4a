package ruleset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/core/failpoint"
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

// VersionPrefix begins the names of the documents with the versions of a tenant's rules; the hash follows.
const VersionPrefix = "rules/version/"

// versionName names the document with one version of a tenant's rules.
func versionName(hash string) string { return VersionPrefix + hash }

// InUse returns the versions of a tenant that decide or look on now.
func (r *Set) InUse(tenant string) []string {
	var out []string
	for f, b := range *r.live.Load() {
		if f.tenant == tenant {
			out = append(out, b.Hash())
		}
	}
	return out
}

// Files returns the files of a version of a tenant's rules by its hash, store.ErrNotFound where it was not kept or no decision names it any more.
func (r *Set) Files(ctx context.Context, tenant, hash string) ([]rules.File, error) {
	if hash == rules.Default().Hash() {
		return rules.DefaultFiles(), nil
	}
	if r.Kept == nil {
		return nil, store.ErrNotFound
	}
	return r.keptFiles(ctx, tenant, versionName(hash))
}

// keep keeps the files of rules that were taken: the live ones for a start after which the folder is faulty, and every version for orders that
// stay on it. That it could not does no harm now.
func (r *Set) keep(f folder, files []rules.File, hash string) {
	if r.Kept == nil {
		return
	}
	k := keptRules{Schema: keptSchema}
	for _, file := range files {
		k.Files = append(k.Files, keptFile(file))
	}
	data, err := json.Marshal(k)
	if err == nil {
		tx := &store.Tx{Documents: []store.Document{{Name: versionName(hash), Data: data}}}
		if !f.trial {
			tx.Documents = append(tx.Documents, store.Document{Name: lastGood, Data: data})
		}
		err = r.commit(f.tenant, tx)
	}
	if err != nil {
		r.Log.Warn("the rules that were taken could not be kept; should their files be faulty at the next start, earlier ones stand in", "tenant", f.tenant, "err", err)
	}
}

func (r *Set) commit(tenant string, tx *store.Tx) error {
	if err := failpoint.Hit("ruleset", failpoint.Before, "keep"); err != nil {
		return err
	}
	if err := r.Kept.Commit(context.Background(), tenant, tx); err != nil {
		return err
	}
	return failpoint.Hit("ruleset", failpoint.After, "keep")
}

// maxVersions is how many old versions of all tenants' rules stay in memory; the others are read again.
const maxVersions = 16

// version is one that an order stays on.
type version struct {
	tenant, hash string
	bundle       *rules.Bundle
}

// Version returns a version of a tenant's rules by its hash: one that is live or on trial, or was so since the store was made. It is nil where
// that is not known any more, or cannot be used with the accounts that there are.
func (r *Set) Version(tenant, hash string) *rules.Bundle {
	if hash == rules.Default().Hash() {
		return rules.Default()
	}
	for f, b := range *r.live.Load() {
		if f.tenant == tenant && b.Hash() == hash {
			return b
		}
	}
	r.oldMu.Lock()
	defer r.oldMu.Unlock()
	if i := slices.IndexFunc(r.old, func(v version) bool { return v.tenant == tenant && v.hash == hash }); i >= 0 {
		return r.old[i].bundle
	}
	if r.Kept == nil || r.Config().Tenants[tenant] == nil {
		return nil
	}
	b, err := r.kept(folder{tenant: tenant}, versionName(hash))
	if err != nil {
		r.Log.Warn("an earlier version of the rules cannot be used", "tenant", tenant, "version", hash, "err", err)
		return nil
	}
	if r.old = append(r.old, version{tenant, hash, b}); len(r.old) > maxVersions {
		r.old = slices.Delete(r.old, 0, 1)
	}
	return b
}

// restore returns the rules that were kept before this start, nil where there are none that can be used.
func (r *Set) restore(f folder) *rules.Bundle {
	if r.Kept == nil {
		return nil
	}
	b, err := r.kept(f, lastGood)
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

func (r *Set) kept(f folder, name string) (*rules.Bundle, error) {
	files, err := r.keptFiles(context.Background(), f.tenant, name)
	if err != nil {
		return nil, err
	}
	opt := r.options(f)
	opt.Taken = true
	return rules.Load(files, opt)
}

func (r *Set) keptFiles(ctx context.Context, tenant, name string) ([]rules.File, error) {
	data, err := r.Kept.Document(ctx, tenant, name)
	if err != nil {
		return nil, err
	}
	var k keptRules
	if err := json.Unmarshal(data, &k); err != nil {
		return nil, fmt.Errorf("read kept rules: %w", err)
	}
	if k.Schema != keptSchema {
		return nil, fmt.Errorf("the kept rules have schema %d, this program reads %d", k.Schema, keptSchema)
	}
	files := make([]rules.File, len(k.Files))
	for i, file := range k.Files {
		files[i] = rules.File(file)
	}
	return files, nil
}
