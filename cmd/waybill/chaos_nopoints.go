//go:build !failpoint

package main

// failpoints are none in this build.
func failpoints() []string { return nil }

// nextPoint arms nothing in this build.
func (c *chaos) nextPoint() func() []string { return nil }
