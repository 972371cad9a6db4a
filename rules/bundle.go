package rules

import "io/fs"

// File is one file of a bundle: *.rules.yaml, or lists/<name>.csv.
type File struct {
	Name string // relative, with slashes
	Data []byte
}

// Options is what Load checks names against.
type Options struct {
	// Providers maps account ids to what is known of them. Where it is nil the names in the files are only checked against the
	// files' own `providers`, and services not at all.
	Providers map[string]Provider
}

// Provider is what a manifest says of an account. Services may be empty: then services of the account are not checked.
type Provider struct {
	Services []ServiceInfo
}

// Bundle is a checked and compiled set of rule files. It never changes and may be used by many goroutines.
type Bundle struct{ hash string }

// Load checks and compiles a bundle. The error is a *CheckError that holds every problem of every file.
func Load(files []File, opt Options) (*Bundle, error) { panic("being written") }

// LoadDir loads the rule files of a folder: *.rules.yaml and lists/*.csv.
func LoadDir(fsys fs.FS, opt Options) (*Bundle, error) { panic("being written") }

// Default is the bundle of a tenant without rules: cheapest, then fastest.
func Default() *Bundle { panic("being written") }

// Hash names the bundle's contents: "sha256:" and 64 hex digits.
func (b *Bundle) Hash() string { return b.hash }

// NewInput makes what rules see of an order.
func NewInput(src InputSource) (Input, error) { panic("being written") }

// Prepare runs the hold and set rules and every exclusion that needs no quote.
func (b *Bundle) Prepare(in Input, candidates []Candidate) Plan { panic("being written") }

// Decide chooses among the offers. The plan must come from the same bundle.
func (b *Bundle) Decide(p Plan, offers []Offer, refused ...Refused) Decision { panic("being written") }

// Recompute makes a recorded decision again from what it recorded.
func Recompute(b *Bundle, record Decision) (Decision, error) { panic("being written") }

// Sentence says in one sentence what was decided and why, for people.
func (d Decision) Sentence() string { panic("being written") }

// Explain renders the decision with the value of every part of every rule for every option.
func Explain(b *Bundle, d Decision) (string, error) { panic("being written") }
