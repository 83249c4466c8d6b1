// Command gotest runs go test with the arguments given and shows what matters of it: each package, what is skipped and
// why, what passing tests report, and, last of all, each test that failed with its messages.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// event is a line of go test -json; see go doc test2json.
type event struct {
	Action, Package, ImportPath, FailedBuild, Test, Output string
	Elapsed                                                float64 // seconds
}

// reportLines and failureLines are how much of what one test says is shown: its head and its tail.
const reportLines, failureLines = 12, 60

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	show(out, os.Stdout)
	if cmd.Wait() != nil {
		os.Exit(1)
	}
}

// show reads the events of go test -json and writes what matters.
func show(events io.Reader, w io.Writer) {
	type test struct{ pkg, name string }
	said := map[test][]string{}
	failedIn := map[string]bool{} // the packages with a failed test
	var failures []string
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			fmt.Fprint(w, line)
		}
		t := test{e.Package, e.Test}
		switch e.Action {
		case "build-output":
			t.pkg = e.ImportPath
			fallthrough
		case "output":
			if s := strings.TrimRight(e.Output, "\n"); !isFrame(s) {
				said[t] = append(said[t], s)
			}
		case "build-fail":
			failures = append(failures, failure(e.ImportPath, "", said[test{pkg: e.ImportPath}]))
		case "skip":
			if e.Test != "" {
				fmt.Fprintf(w, "--- SKIP: %s %s\n%s", e.Package, e.Test, excerpt(said[t], failureLines))
			}
			delete(said, t)
		case "pass":
			if e.Test == "" {
				fmt.Fprintf(w, "ok %s %.1f s\n", e.Package, e.Elapsed)
			} else if len(said[t]) > 0 {
				fmt.Fprintf(w, "%s:\n%s", e.Test, excerpt(said[t], reportLines))
			}
			delete(said, t)
		case "fail":
			if e.Test == "" {
				fmt.Fprintf(w, "FAIL %s %.1f s\n", e.Package, e.Elapsed)
				if e.FailedBuild == "" && !failedIn[e.Package] { // a panic, or the end of TestMain
					failures = append(failures, failure(e.Package, "", said[t]))
				}
				break
			}
			failedIn[e.Package] = true
			if len(said[t]) > 0 { // else its subtests have the reasons
				failures = append(failures, failure(e.Package, e.Test, said[t]))
				fmt.Fprint(w, failures[len(failures)-1])
			}
		}
		if err != nil {
			break
		}
	}
	if len(failures) > 0 {
		fmt.Fprint(w, "\nWhat failed:\n", strings.Join(failures, ""))
	}
}

// isFrame says whether a line is go test's own account of a test's beginning and end.
func isFrame(line string) bool {
	line = strings.TrimLeft(line, " ")
	for _, prefix := range []string{"=== ", "--- PASS: ", "--- FAIL: ", "--- SKIP: ", "FAIL\t", "ok  \t", "?   \t"} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return line == "PASS" || line == "FAIL"
}

func failure(pkg, name string, said []string) string {
	return fmt.Sprintf("--- FAIL: %s %s\n%s", pkg, name, excerpt(said, failureLines))
}

// excerpt is the head and the tail of some lines, at most so many.
func excerpt(said []string, most int) string {
	if len(said) > most {
		left := fmt.Sprintf("    ... %d more lines ...", len(said)-most)
		tail := said[len(said)-most/2:]
		said = append(append(said[:most/2:most/2], left), tail...)
	}
	if len(said) == 0 {
		return ""
	}
	return strings.Join(said, "\n") + "\n"
}
