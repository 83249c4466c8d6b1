// Command gotest runs go test with the arguments given and shows what matters of it: each package, what is skipped and
// why, what passing tests report, and, last of all, each test that failed with its messages.
//
// Tests that talk to a builder or an editor depend on when the machine lets them run. So a few tests that failed are
// run once more, and one that passes then is reported as UNSTABLE: to be looked into, but no reason to stop all work.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// event is a line of go test -json; see go doc test2json.
type event struct {
	Action, Package, ImportPath, FailedBuild, Test, Output string
	Elapsed                                                float64 // seconds
}

// reportLines and failureLines are how much of what one test says is shown: its head and its tail.
const reportLines, failureLines = 12, 60

// mostAgain is how many failed tests are run once more at most: where more fail, the cause is not the machine.
const mostAgain = 3

func main() {
	failed, ok := run(os.Args[1:])
	if ok {
		return
	}
	again, all := secondRuns(os.Args[1:], failed)
	for _, args := range again {
		fmt.Println("\nonce more: go test", strings.Join(args, " "))
		_, ok := run(args)
		all = all && ok
	}
	if !all {
		os.Exit(1)
	}
	for _, t := range failed {
		fmt.Printf("UNSTABLE: %s %s failed, and passed at the second run\n", t.pkg, t.name)
	}
}

// run runs go test with some arguments, shows what matters, and returns which tests failed and whether all was well.
func run(args []string) ([]test, bool) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	failed := show(out, os.Stdout)
	return failed, cmd.Wait() == nil
}

// secondRuns returns the arguments that run failed tests once more, by package, and whether that may settle it: not
// where too many failed, or something that is not a test.
func secondRuns(args []string, failed []test) ([][]string, bool) {
	names := map[string][]string{}
	for _, t := range failed {
		if t.name == "" {
			return nil, false
		}
		top, _, _ := strings.Cut(t.name, "/")
		if !slices.Contains(names[t.pkg], regexp.QuoteMeta(top)) {
			names[t.pkg] = append(names[t.pkg], regexp.QuoteMeta(top))
		}
	}
	if len(failed) == 0 || len(failed) > mostAgain {
		return nil, false
	}
	flags, rest := args, []string(nil)
	if i := slices.Index(args, "-args"); i >= 0 {
		flags, rest = args[:i], args[i:]
	}
	flags = slices.DeleteFunc(slices.Clone(flags), func(arg string) bool { return strings.HasPrefix(arg, "./") })
	var runs [][]string
	for _, pkg := range slices.Sorted(maps.Keys(names)) {
		only := "^(" + strings.Join(names[pkg], "|") + ")$"
		runs = append(runs, slices.Concat(flags, []string{"-run", only, pkg}, rest))
	}
	return runs, true
}

// test is a test of a package; without a name, what happened outside of its tests.
type test struct{ pkg, name string }

// show reads the events of go test -json, writes what matters, and returns what failed.
func show(events io.Reader, w io.Writer) []test {
	var failed []test
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
			failed = append(failed, test{pkg: e.ImportPath})
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
					failed = append(failed, t)
					failures = append(failures, failure(e.Package, "", said[t]))
				}
				break
			}
			failedIn[e.Package] = true
			if len(said[t]) > 0 { // else its subtests have the reasons
				if slices.Contains(said[t], "WARNING: DATA RACE") { // never the machine's fault
					t.name = ""
				}
				failed = append(failed, t)
				failures = append(failures, failure(e.Package, e.Test, said[test{e.Package, e.Test}]))
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
	return failed
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
