package rules

import (
	"fmt"
	"io/fs"
	"strings"
)

// TestError says which tests of a bundle failed.
type TestError struct{ Failed []Result }

// Error names every test that failed, with what was not as expected.
func (e *TestError) Error() string {
	var b strings.Builder
	for i, r := range e.Failed {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d: test %q failed", r.File, r.Line, r.Name)
		for _, f := range r.Failures {
			fmt.Fprintf(&b, "\n      = %s", f)
		}
	}
	return b.String()
}

// Verify runs the *.test.yaml of the folder that a bundle was loaded from, as whoever takes rules into use should before. The error is a
// *CheckError where a test cannot be read and a *TestError where one fails; a folder without tests is sound.
func (b *Bundle) Verify(fsys fs.FS) error {
	suites, err := LoadSuites(b, fsys)
	if err != nil {
		return err
	}
	var failed []Result
	for _, s := range suites {
		for _, r := range s.Run(func(name string) ([]byte, error) { return fs.ReadFile(fsys, name) }) {
			if !r.Passed() {
				failed = append(failed, r)
			}
		}
	}
	if len(failed) > 0 {
		return &TestError{failed}
	}
	return nil
}
