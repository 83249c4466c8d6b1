package main

import (
	"io"
	"strings"
	"testing"
)

// What go test -json said of a package, and what is shown of it.
func TestShow(t *testing.T) {
	for _, c := range []struct{ prose, events, want string }{
		{"a test that passes in silence is not shown", `
			{"Action":"run","Package":"m/a","Test":"TestOK"}
			{"Action":"output","Package":"m/a","Test":"TestOK","Output":"=== RUN   TestOK\n"}
			{"Action":"output","Package":"m/a","Test":"TestOK","Output":"--- PASS: TestOK (0.00s)\n"}
			{"Action":"pass","Package":"m/a","Test":"TestOK"}
			{"Action":"output","Package":"m/a","Output":"PASS\n"}
			{"Action":"pass","Package":"m/a","Elapsed":0.25}`,
			"ok m/a 0.2 s\n"},
		{"what a passing test reports is shown, what is skipped with its reason", `
			{"Action":"output","Package":"m/a","Test":"TestTally","Output":"    a_test.go:7: 3 of 3\n"}
			{"Action":"pass","Package":"m/a","Test":"TestTally"}
			{"Action":"output","Package":"m/a","Test":"TestRoot","Output":"    a_test.go:9: not root\n"}
			{"Action":"skip","Package":"m/a","Test":"TestRoot"}
			{"Action":"pass","Package":"m/a"}`,
			"TestTally:\n    a_test.go:7: 3 of 3\n--- SKIP: m/a TestRoot\n    a_test.go:9: not root\nok m/a 0.0 s\n"},
		{"failures are shown as they come and again at the end, those of parallel tests apart", `
			{"Action":"output","Package":"m/a","Test":"TestA","Output":"=== CONT  TestA\n"}
			{"Action":"output","Package":"m/a","Test":"TestB/sub","Output":"FAILED: b\n"}
			{"Action":"output","Package":"m/a","Test":"TestA","Output":"    a_test.go:3: a\n"}
			{"Action":"fail","Package":"m/a","Test":"TestA"}
			{"Action":"fail","Package":"m/a","Test":"TestB/sub"}
			{"Action":"fail","Package":"m/a","Test":"TestB"}
			{"Action":"fail","Package":"m/a"}`,
			"--- FAIL: m/a TestA\n    a_test.go:3: a\n--- FAIL: m/a TestB/sub\nFAILED: b\nFAIL m/a 0.0 s\n\n" +
				"What failed:\n--- FAIL: m/a TestA\n    a_test.go:3: a\n--- FAIL: m/a TestB/sub\nFAILED: b\n"},
		{"a package that is not built fails once", `
			{"ImportPath":"m/c [m/c.test]","Action":"build-output","Output":"c.go:1:1: no\n"}
			{"ImportPath":"m/c [m/c.test]","Action":"build-fail"}
			{"Action":"output","Package":"m/c","Output":"FAIL\tm/c [build failed]\n"}
			{"Action":"fail","Package":"m/c","FailedBuild":"m/c [m/c.test]"}`,
			"FAIL m/c 0.0 s\n\nWhat failed:\n--- FAIL: m/c [m/c.test] \nc.go:1:1: no\n"},
		{"what ends a package outside of its tests is its failure", `
			{"Action":"output","Package":"m/d","Output":"main: no network\n"}
			{"Action":"fail","Package":"m/d"}`,
			"FAIL m/d 0.0 s\n\nWhat failed:\n--- FAIL: m/d \nmain: no network\n"},
		{"what is no event is passed on", "go: downloading x", "go: downloading x"},
	} {
		var got strings.Builder
		show(strings.NewReader(strings.TrimLeft(c.events, "\n")), &got)
		if got.String() != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.prose, got.String(), c.want)
		}
	}
}

// A data race is no reason to try again.
func TestRace(t *testing.T) {
	events := `{"Action":"output","Package":"m/a","Test":"TestA","Output":"WARNING: DATA RACE\n"}
		{"Action":"fail","Package":"m/a","Test":"TestA"}`
	failed := show(strings.NewReader(events), io.Discard)
	if _, may := secondRuns(nil, failed); may || len(failed) != 1 {
		t.Errorf("got %v, %v", failed, may)
	}
}

// Of a long report the head and the tail are shown.
func TestExcerpt(t *testing.T) {
	if got, want := excerpt(strings.Fields("a b c d e f"), 4), "a\nb\n    ... 2 more lines ...\ne\nf\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Which failed tests are run once more, and how.
func TestSecondRuns(t *testing.T) {
	args := []string{"-race", "-timeout", "20m", "./a/...", "./b", "-args", "-pairs", "600"}
	for _, c := range []struct {
		prose  string
		failed []test
		want   string
	}{
		{"tests of one package together, a test once, its arguments kept",
			[]test{{"m/a", "TestX/one"}, {"m/a", "TestX/two"}, {"m/a", "TestY"}},
			"-race -timeout 20m -run ^(TestX|TestY)$ m/a -args -pairs 600"},
		{"each package apart", []test{{"m/b", "TestX"}, {"m/a", "TestY"}},
			"-race -timeout 20m -run ^(TestY)$ m/a -args -pairs 600\n" +
				"-race -timeout 20m -run ^(TestX)$ m/b -args -pairs 600"},
		{"not many tests", []test{{"m/a", "A"}, {"m/a", "B"}, {"m/a", "C"}, {"m/a", "D"}}, ""},
		{"nothing that is not a test", []test{{"m/a", "A"}, {"m/a", ""}}, ""},
		{"nothing where nothing is named", nil, ""},
	} {
		runs, may := secondRuns(args, c.failed)
		var got []string
		for _, run := range runs {
			got = append(got, strings.Join(run, " "))
		}
		if strings.Join(got, "\n") != c.want || may != (c.want != "") {
			t.Errorf("%s: got %q %v", c.prose, got, may)
		}
	}
}
