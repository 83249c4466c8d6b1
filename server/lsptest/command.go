package lsptest

import (
	"os"
	"os/exec"
	"testing"
)

// Command starts a server that is a program of its own and connects to its standard streams without sending anything.
// It ends with the test, if it has not ended by then.
func Command(t testing.TB, cmd *exec.Cmd) *Editor {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return New(t, in, out)
}
