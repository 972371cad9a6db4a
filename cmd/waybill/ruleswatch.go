package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-dev/waybill/core/clock"
)

// watchPause is how often folders are looked at: a person has just saved a file.
const watchPause = 300 * time.Millisecond

func addWatch(cmd *cobra.Command, watch *bool) {
	cmd.Flags().BoolVar(watch, "watch", false, "run again whenever a file of the folder changes, until interrupted")
}

// watching does something, and once more whenever a file of the folders changes, until ctx ends. What goes wrong is printed, and does not end it;
// a mistake in the command line does.
func (p *program) watching(ctx context.Context, watch bool, dirs []string, do func() error) error {
	if !watch {
		return do()
	}
	var last [sha256.Size]byte
	for {
		now := filesBelow(dirs)
		if now != last {
			last = now
			if err := do(); err != nil {
				if code, ok := errors.AsType[*exitError](err); ok && code.code == exitUsage {
					return err
				}
				fmt.Fprintf(p.err, "%v\n", err)
			}
			fmt.Fprintln(p.err, "watching; interrupt to end")
		}
		if clock.Sleep(ctx, clock.Real(), watchPause) != nil {
			return nil
		}
	}
}

// filesBelow tells one state of the rule and test files below folders from another.
func filesBelow(dirs []string) [sha256.Size]byte {
	h := sha256.New()
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") && !strings.HasSuffix(path, ".csv") {
				return nil // what cannot be read is for the command to say
			}
			text, err := os.ReadFile(path)
			fmt.Fprintf(h, "%s\x00%d\x00%v\x00", path, len(text), err)
			h.Write(text)
			return nil
		})
	}
	return [sha256.Size]byte(h.Sum(nil))
}
