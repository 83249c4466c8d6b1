package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// checkTest is one call of BuildKit's own tests of its build checks.
type checkTest struct {
	line               int
	dockerfile, ignore string
	warnings           map[string]bool // "Rule:line"
	refused            bool            // the build fails beside the warnings
}

// differentOnPurpose are the calls, by their line in BuildKit v0.34.2's tests, where ours differ, with the reason.
var differentOnPurpose = map[int]string{
	384:  "BuildKit passes over stages that the target does not need; people want to see those too",
	583:  "BuildKit gives the instruction's last line, we its first, and mark the empty line itself",
	1321: "BuildKit passes over stages that the target does not need; people want to see those too",
}

// BuildKit's own tests of its build checks, read from its module: each Dockerfile there gets the same findings from us
// in the same lines. The tests themselves build and need a daemon, so that their source is read in place of running
// them.
func TestBuildKitsCheckTests(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/buildkit").Output()
	if err != nil {
		t.Fatal(err)
	}
	tests := readCheckTests(
		t,
		filepath.Join(strings.TrimSpace(string(out)), "frontend", "dockerfile", "dockerfile_check_test.go"),
	)
	theirs := map[string]bool{}
	for _, test := range tests {
		for w := range test.warnings {
			rule, _, _ := strings.Cut(w, ":")
			theirs[rule] = true
		}
	}
	same, warnings := 0, 0
	for _, test := range tests {
		file := dockerfile.Parse(source.New(test.dockerfile), nil)
		options := Options{On: []string{FromPlatformFlagConstDisallowed.ID}}
		if test.ignore != "" {
			ignore, err := buildcontext.ParseIgnore(".dockerignore", []byte(test.ignore))
			if err != nil {
				t.Fatal(err)
			}
			options.Ignore = ignore
		}
		ours := map[string]bool{}
		for _, f := range Check(file, options) {
			if !theirs[f.Rule] {
				continue
			}
			line := 1
			if in := file.InstructionAt(f.Span.Start); in != nil {
				line = in.Line
			}
			ours[fmt.Sprintf("%s:%d", f.Rule, line)] = true
		}
		warnings += len(test.warnings)
		diff := cmp.Diff(slices.Sorted(maps.Keys(test.warnings)), slices.Sorted(maps.Keys(ours)))
		why := differentOnPurpose[test.line]
		switch {
		case diff == "" && why != "":
			t.Errorf("line %d agrees by now, so that it needs no reason: %s", test.line, why)
		case diff == "":
			same++
		case why == "" && !test.refused:
			t.Errorf("line %d (-BuildKit +ours):\n%s\n%s", test.line, diff, test.dockerfile)
		}
	}
	t.Logf("%d calls with %d warnings: %d the same", len(tests), warnings, same)
	if len(tests) < 50 {
		t.Errorf("only %d calls were found: has the form of the tests changed?", len(tests))
	}
}

// readCheckTests finds the calls of checkLinterWarnings with what the variables in them hold at that place.
func readCheckTests(t *testing.T, path string) []checkTest {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var tests []checkTest
	for _, decl := range parsed.Decls {
		function, ok := decl.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		values := map[string]string{}
		ast.Inspect(function.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for i, to := range n.Lhs {
					if name, ok := to.(*ast.Ident); ok && i < len(n.Rhs) {
						if text, ok := bytesOf(n.Rhs[i]); ok {
							values[name.Name] = text
						} else {
							delete(values, name.Name)
						}
					}
				}
			case *ast.CompositeLit:
				if name, ok := n.Type.(*ast.Ident); ok && name.Name == "lintTestParams" {
					if test, ok := readCheckTest(n, values); ok {
						test.line = set.Position(n.Pos()).Line
						tests = append(tests, test)
					}
				}
			}
			return true
		})
	}
	return tests
}

func readCheckTest(lit *ast.CompositeLit, values map[string]string) (checkTest, bool) {
	test := checkTest{warnings: map[string]bool{}}
	value := func(e ast.Expr) (string, bool) {
		if name, ok := e.(*ast.Ident); ok {
			text, ok := values[name.Name]
			return text, ok
		}
		return bytesOf(e)
	}
	ok := true
	for _, element := range lit.Elts {
		pair, isPair := element.(*ast.KeyValueExpr)
		if !isPair {
			return test, false
		}
		switch key := pair.Key.(*ast.Ident).Name; key {
		case "Dockerfile":
			test.dockerfile, ok = value(pair.Value)
			if !ok {
				return test, false // made by code
			}
		case "DockerIgnore":
			test.ignore, _ = value(pair.Value)
		case "FrontendAttrs":
			return test, false // build arguments and targets, which a checker is not told
		case "BuildErr", "StreamBuildErrRegexp", "UnmarshalBuildErrRegexp":
			test.refused = true
		case "Warnings":
			list, isList := pair.Value.(*ast.CompositeLit)
			if !isList {
				return test, false
			}
			for _, w := range list.Elts {
				rule, line := "", ""
				warning, isLiteral := w.(*ast.CompositeLit)
				if !isLiteral {
					return test, false
				}
				for _, field := range warning.Elts {
					field := field.(*ast.KeyValueExpr)
					basic, _ := field.Value.(*ast.BasicLit)
					switch {
					case basic == nil:
					case field.Key.(*ast.Ident).Name == "RuleName":
						rule, _ = strconv.Unquote(basic.Value)
					case field.Key.(*ast.Ident).Name == "Line":
						line = basic.Value
					}
				}
				test.warnings[rule+":"+line] = true
			}
		}
	}
	return test, test.dockerfile != ""
}

// bytesOf reads []byte(`...`).
func bytesOf(e ast.Expr) (string, bool) {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return "", false
	}
	if _, isArray := call.Fun.(*ast.ArrayType); !isArray {
		return "", false
	}
	basic, ok := call.Args[0].(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(basic.Value)
	return text, err == nil
}
