package main

import (
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the goldens of the scripts")

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
		UpdateScripts: *update,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"mode": mode, "crlf": crlf},
	})
}
