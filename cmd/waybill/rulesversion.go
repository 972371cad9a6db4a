package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/waybill-dev/waybill/rules"
)

// ruleVersion is the engine's answer for a version of the rules.
type ruleVersion struct {
	Version string `json:"version"`
	Files   []struct {
		Name string `json:"name"`
		Data []byte `json:"data"`
	} `json:"files"`
	Accounts []struct {
		ID       string `json:"id"`
		Services []struct {
			ID       string   `json:"id"`
			Mode     string   `json:"mode"`
			Supports []string `json:"supports"`
		} `json:"services"`
	} `json:"accounts"`
}

// deciders finds the rules that have made decisions: the built-in ones, those of a folder, or those that a running engine has kept.
type deciders struct {
	folder *rules.Bundle // nil for none
	client *client       // nil where no engine is to be asked
	absent error         // why there is no client
	known  map[string]*rules.Bundle
}

// deciders reads the folder, where one is named.
func (p *program) deciders(ctx context.Context, f *clientFlags, dir string) (*deciders, error) {
	d := &deciders{known: map[string]*rules.Bundle{rules.Default().Hash(): rules.Default()}}
	var err error
	if dir != "" {
		d.folder, err = p.loadRules(ctx, dir, "")
		if _, faulty := errors.AsType[*rules.CheckError](err); faulty { // they may have decided when entries of lists were not looked at
			d.folder, err = rules.LoadDir(os.DirFS(dir), rules.Options{Taken: true})
		}
		if err == nil {
			d.known[d.folder.Hash()] = d.folder
		}
		return d, err
	}
	d.client, d.absent = p.client(f)
	return d, nil
}

// of returns the rules that have made a decision.
func (d *deciders) of(ctx context.Context, record *rules.Decision) (*rules.Bundle, error) {
	if b := d.known[record.Rules]; b != nil {
		return b, nil
	}
	if d.absent != nil {
		return nil, d.absent
	}
	if d.client == nil {
		return nil, fmt.Errorf("the decision was made by rules %s, and the folder holds %s; leave --rules out to ask the engine for those", record.Rules, d.folder.Hash())
	}
	var v ruleVersion
	if err := d.client.get(ctx, "/rules/versions/"+url.PathEscape(record.Rules), &v); err != nil {
		return nil, fmt.Errorf("the rules %s that decided: %w; where their files are in a folder, name it with --rules", record.Rules, err)
	}
	b, err := v.load(record)
	if err == nil {
		d.known[record.Rules] = b
	}
	return b, err
}

// load loads the version as it was when it decided: with the accounts that it names itself, else with those of now and those that were candidates.
func (v *ruleVersion) load(record *rules.Decision) (*rules.Bundle, error) {
	var files []rules.File
	for _, f := range v.Files {
		files = append(files, rules.File{Name: f.Name, Data: f.Data})
	}
	if hash := rules.HashOf(files); hash != record.Rules {
		return nil, fmt.Errorf("the engine answered rules %s for %s", hash, record.Rules)
	}
	b, err := rules.Load(files, rules.Options{Taken: true})
	if _, faulty := errors.AsType[*rules.CheckError](err); !faulty {
		return b, err
	}
	accounts := map[string]rules.Provider{}
	for _, a := range v.Accounts {
		var p rules.Provider
		for _, s := range a.Services {
			p.Services = append(p.Services, rules.ServiceInfo{ID: s.ID, Mode: s.Mode, Supports: s.Supports})
		}
		accounts[a.ID] = p
	}
	for _, c := range record.Plan.Candidates {
		accounts[c.Account] = rules.Provider{Services: c.Services}
	}
	return rules.Load(files, rules.Options{Providers: accounts, Taken: true})
}
