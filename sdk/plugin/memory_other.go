//go:build !linux

package plugin

import "errors"

func limitMemory(int, int64) error {
	return errors.New("a memory limit for adapters needs Linux; leave it out on this system")
}
