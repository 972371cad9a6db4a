package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script with the program that `make build` has built, and a folder of adapters that holds one.
func TestScripts(t *testing.T) {
	binary, plugins := built(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			const name = "waybill-carrier-selfdelivery"
			return copyFile(filepath.Join(e.WorkDir, "plugins", name), filepath.Join(plugins, name))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// append FILE adds a byte to a program, which runs all the same.
			"append": func(ts *testscript.TestScript, _ bool, args []string) {
				f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND, 0)
				ts.Check(err)
				_, err = f.Write([]byte{0})
				ts.Check(err)
				ts.Check(f.Close())
			},
		},
	})
}

func copyFile(to, from string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}
