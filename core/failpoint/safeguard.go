package failpoint

// The safeguards of dispatch that a build may be made without, by a tag, to prove that the chaos run sees their absence. A build
// without tags has them all.
const (
	// WithoutIntent: the intent to book is not committed before the carrier is asked (tag nointent).
	WithoutIntent = noIntent
	// WithoutDoubt: an outcome that nobody knows is taken for a refusal, so another carrier is asked (tag nodoubtrule).
	WithoutDoubt = noDoubtRule
	// WithoutReconcile: nobody finds out what became of an attempt in doubt (tag noreconcile).
	WithoutReconcile = noReconcile
	// WithoutWatch: what was believed to be absent is never looked for again (tag nowatch).
	WithoutWatch = noWatch
)
