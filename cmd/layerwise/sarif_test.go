package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The schema is OASIS's and is not kept here: sarif-2.1/schema/sarif-schema-2.1.0.json of
// github.com/oasis-tcs/sarif-spec.
var sarifSchema = flag.String(
	"sarif-schema",
	"",
	"the file of SARIF 2.1.0's schema: go test ./cmd/layerwise -run SARIF -args -sarif-schema FILE",
)

// A report of every rule's example, with ShellCheck's codes and failures, is valid by the schema of SARIF 2.1.0.
func TestSARIFIsValid(t *testing.T) {
	if *sarifSchema == "" {
		t.Skip("SKIPPED: needs -args -sarif-schema FILE")
	}
	dir := t.TempDir()
	var paths []string
	for _, r := range rules.All {
		path := filepath.Join(dir, r.ID+".Dockerfile")
		if err := os.WriteFile(path, []byte(r.Doc.Example), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	report := check(t.Context(), append(paths, filepath.Join(dir, "none")), checking{})
	report.files = append(
		report.files,
		checkedFile{path: "a b/Dockerfile", text: source.New("RUN $X\n"), findings: []analysis.Finding{
			{
				Rule:     "shellcheck",
				Code:     "SC2086",
				Severity: analysis.Hint,
				Span:     source.Span{Start: 4, End: 6},
				Message:  "Quote it.",
			},
		}},
	)
	if len(report.files) < len(rules.All) || len(report.failures) != 1 {
		t.Fatalf("%d files, failures %v", len(report.files), report.failures)
	}
	var out bytes.Buffer
	if err := printSARIF(&out, report); err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile(*sarifSchema)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(out.Bytes(), &value); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Error(err)
	}
}

// What a stranger's names hide is seen where a report is shown; what a fix writes is as it is.
func TestSARIFHidesNothing(t *testing.T) {
	const bad = "a\u202eb\u2066c\u200b"
	var out bytes.Buffer
	err := printSARIF(&out, checkReport{failures: []error{errors.New(bad)}, files: []checkedFile{{
		path: "Dockerfile", text: source.New("RUN x\n"), findings: []analysis.Finding{{
			Rule: "unknown-instruction", Message: bad, Fixes: []analysis.Fix{{Title: bad}},
		}},
	}}})
	if err != nil || bytes.Contains(out.Bytes(), []byte(bad)) || !bytes.Contains(out.Bytes(), []byte("a�b")) {
		t.Errorf("%v\n%s", err, out.Bytes()[max(0, out.Len()-2000):])
	}
}
