package rules

import (
	"errors"
	"io/fs"
	"slices"
)

// formCodes are of problems that a test file has whatever the rules beside it are: its YAML, its keys, the form of its values, what is missing.
var formCodes = []string{"E401", "E402", "E501", "E502", "E503", "E504", "E507"}

// SuiteForms reads the *.test.yaml of a folder without the rules beside them, which may be faulty: it finds what is wrong with their form,
// and leaves names and values to LoadSuites. The error is a *CheckError, or that of reading.
func SuiteForms(fsys fs.FS) error {
	b, err := Load([]File{{Name: "form.rules.yaml", Data: []byte("rules: 1\ncurrency: USD\n")}}, Options{}) // with a currency, as amounts may leave it out
	if err != nil {
		return err
	}
	_, err = LoadSuites(b, fsys)
	check, faulty := errors.AsType[*CheckError](err)
	if !faulty {
		return err
	}
	check.Problems = slices.DeleteFunc(check.Problems, func(p Problem) bool { return !slices.Contains(formCodes, p.Code) })
	if len(check.Problems) == 0 {
		return nil
	}
	return check
}
