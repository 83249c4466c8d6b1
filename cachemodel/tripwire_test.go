package cachemodel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// A BuildKit that knows more than the planner fails these tests: docs/following-buildkit.md says what to do then.

// Each field of BuildKit's commands is known, and with it each flag's value.
func TestFieldsOfCommands(t *testing.T) {
	for _, test := range []struct {
		command any
		fields  string // exported ones, of embedded structs too
	}{
		{instructions.AddCommand{}, "Chown Chmod Link KeepGitDir Checksum ExcludePatterns Unpack DestPath " +
			"SourcePaths SourceContents"},
		{instructions.CopyCommand{}, "From Chown Chmod Link ExcludePatterns Parents DestPath SourcePaths " +
			"SourceContents"},
		{instructions.RunCommand{}, "FlagsUsed CmdLine Files PrependShell"},
		{instructions.EnvCommand{}, "Env"},
		{instructions.ArgCommand{}, "Args"},
		{instructions.WorkdirCommand{}, "Path"},
		{instructions.UserCommand{}, "User"},
		{instructions.ShellCommand{}, "Shell"},
		{instructions.OnbuildCommand{}, "Expression"},
		{instructions.LabelCommand{}, "Labels"},
		{instructions.ExposeCommand{}, "Ports"},
		{instructions.VolumeCommand{}, "Volumes"},
		{instructions.StopSignalCommand{}, "Signal"},
		{instructions.HealthCheckCommand{}, "Health"},
		{instructions.MaintainerCommand{}, "Maintainer"},
		{instructions.CmdCommand{}, "CmdLine Files PrependShell"},
		{instructions.EntrypointCommand{}, "CmdLine Files PrependShell"},
		{instructions.Stage{}, "Name OrigCmd BaseName Commands Comments Platform Location SourceCode DocComment"},
		{instructions.Mount{}, "Type From Source Target ReadOnly SizeLimit CacheID CacheSharing Required Env Mode " +
			"UID GID"},
		{instructions.KeyValuePairOptional{}, "DocComment Key Value"},
		{instructions.SourceContent{}, "Path Data Expand"},
		{instructions.ShellInlineFile{}, "Name Data Chomp"},
		{instructions.Device{}, "Name Required"},
	} {
		known := strings.Fields(test.fields)
		var got []string
		var walk func(reflect.Type)
		walk = func(typ reflect.Type) {
			for i := range typ.NumField() {
				f := typ.Field(i)
				if f.Anonymous && f.Type.Kind() == reflect.Struct {
					walk(f.Type)
				} else if f.IsExported() {
					got = append(got, f.Name)
				}
			}
		}
		walk(reflect.TypeOf(test.command))
		slices.Sort(got)
		slices.Sort(known)
		if !slices.Equal(got, known) {
			t.Errorf("%T has the fields\n%q, known are\n%q", test.command, got, known)
		}
	}
}

// Each flag and each key of a mount that BuildKit's parser reads is known.
func TestFlagsOfParser(t *testing.T) {
	dir := buildkitDir(t)
	flags, keys := map[string]bool{}, map[string]bool{}
	inspect(t, dir, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr: // req.flags.AddString("from", "")
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"AddString", "AddStrings", "AddBool"}, sel.Sel.Name) ||
				len(n.Args) == 0 {
				return
			}
			if name := literal(n.Args[0]); name != "" {
				flags[name] = true
			}
		case *ast.FuncDecl:
			if n.Name.Name != "parseMount" {
				return
			}
			ast.Inspect(n, func(n ast.Node) bool {
				if c, ok := n.(*ast.CaseClause); ok {
					for _, e := range c.List {
						if key := literal(e); key != "" {
							keys[key] = true
						}
					}
				}
				return true
			})
		}
	})
	known := map[string]bool{"mount": true, "network": true, "security": true, "device": true}
	for _, names := range plannedFlags {
		for _, name := range names {
			known[name] = true
		}
	}
	for name := range flags {
		if !known[name] {
			t.Errorf("BuildKit has a flag --%s, which the planner does not know", name)
		}
	}
	if len(flags) < 10 || len(keys) < 10 {
		t.Fatalf("only the flags %v and the keys %v were found: BuildKit's parser looks different now", flags, keys)
	}
	for key := range keys {
		if !slices.Contains(plannedMountKeys, key) && key != "true" && key != "false" && key != "1" && key != "0" {
			t.Errorf("BuildKit's mounts have a key %s, which the planner does not know", key)
		}
	}
	for name, names := range plannedFlags {
		for _, flag := range dockerfile.FlagNames(name) {
			if !slices.Contains(names, flag) {
				t.Errorf("the document model knows %s --%s, the planner does not", name, flag)
			}
		}
	}
}

// What has a flag or a key of a mount that the planner does not know is never certainly cached, nor certainly rebuilt.
func TestUnknownFlag(t *testing.T) {
	for _, text := range []string{"FROM base\nCOPY --link f /f\n", "FROM base\nRUN --mount=type=tmpfs,target=/t a\n"} {
		file := dockerfile.Parse(source.New(text), nil)
		in := file.Instructions[1]
		if strange(in) {
			t.Errorf("%s: nothing is unknown of it", text)
		}
		in.Flags[0].Name.Text = "newer"
		steps := Compare(Pasts(NewPlan(Build{File: file})), NewPlan(Build{File: file}))
		if s := steps[1]; s.Status != Rebuilt || s.Certain {
			t.Errorf("%s", verdicts(steps))
		}
	}
}

func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

func inspect(t *testing.T, dir string, see func(ast.Node)) {
	files, _ := filepath.Glob(filepath.Join(dir, "frontend/dockerfile/instructions/*.go"))
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			see(n)
			return true
		})
	}
}

func buildkitDir(t *testing.T) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/buildkit").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
