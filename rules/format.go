package rules

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

var topLevel = regexp.MustCompile(`^[a-z]+:`)

// Format lays a rule or test file out in the usual way: no spaces at the ends of lines, no two empty lines together, one before each top-level
// member that follows a block. Words, values, comments and the order of things stay as they are.
func Format(data []byte) ([]byte, error) {
	lines := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	var out []string
	for _, line := range lines {
		line = strings.TrimRight(line, " \t")
		last := ""
		if len(out) > 0 {
			last = out[len(out)-1]
		}
		if line == "" && last == "" {
			continue // at the beginning too
		}
		if topLevel.MatchString(line) && last != "" && strings.HasPrefix(last, " ") {
			out = append(out, "")
		}
		out = append(out, line)
	}
	text := []byte(strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n")
	var before, after any
	if err := yaml.Unmarshal(data, &before); err != nil {
		return nil, fmt.Errorf("this is not YAML: %w", err)
	}
	if err := yaml.Unmarshal(text, &after); err != nil || !reflect.DeepEqual(before, after) {
		return nil, errors.New("it cannot be laid out without changing a value; look for spaces at the end of a line inside a text")
	}
	return text, nil
}
