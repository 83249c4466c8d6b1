package main

import (
	"os"
	"testing"

	"github.com/layerwise/layerwise/analysis/golden"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"layerwise": func() { os.Exit(run()) },
		"docker":    standIn, "podman": standIn, "buildctl": standIn, "nothing": standIn,
	})
}

// Each script in testdata/script runs the command as a user does.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: golden.Updating(),
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"mode": mode, "crlf": crlf},
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
	})
}
