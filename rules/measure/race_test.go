//go:build race

package measure_test

// The race detector's own memory is counted with what is allocated.
func init() { allocated *= 2 }
