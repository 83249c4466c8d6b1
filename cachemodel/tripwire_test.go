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
	"github.com/layerwise/layerwise/analysis/reference"
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
	flags, keys := map[string]bool{}, map[string]bool{}
	inspect(t, "frontend/dockerfile/instructions/*.go", func(n ast.Node) {
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

// Each parser directive is documented, and nothing else is: what the scanner takes for one is compared with BuildKit
// in analysis/dockerfile.
func TestDirectivesOfParser(t *testing.T) {
	var got, known []string
	inspect(t, "frontend/dockerfile/parser/directives.go", func(n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "key") {
			got = append(got, literal(spec.Values[0]))
		}
	})
	for _, d := range reference.Directives {
		known = append(known, d.Name)
		f := dockerfile.Parse(source.New("# "+d.Name+"=`\nFROM a\n"), nil)
		if len(f.Directives) != 1 {
			t.Errorf("the document model does not know the directive %s", d.Name)
		}
	}
	slices.Sort(got)
	slices.Sort(known)
	if !slices.Equal(got, known) {
		t.Errorf("BuildKit's directives are %q, known are %q", got, known)
	}
}

// Each option of the Dockerfile frontend is known, and each build argument that the frontend obeys is documented.
func TestOptionsOfFrontend(t *testing.T) {
	// What each option is here.
	known := map[string]string{
		"build-arg:": "Settings.Args", "label:": "in no key", "local-sessionid:": "in no key",
		"target": "Settings.Target", "platform": "Settings.Platform", "no-cache": "Settings.NoCache and its filter",
		"cgroup-parent": "RunSettings", "force-network-mode": "RunSettings", "add-hosts": "RunSettings",
		"hostname": "RunSettings", "shm-size": "RunSettings", "ulimit": "RunSettings",
		"memory": "metadata: in no key", "memswap": "metadata: in no key", "cpushares": "metadata: in no key",
		"cpuperiod": "metadata: in no key", "cpuquota": "metadata: in no key", "cpusetcpus": "metadata: in no key",
		"cpusetmems": "metadata: in no key", "image-resolve-mode": "an assumption of the mark",
		"multi-platform": "in no key", "cache-from": "invocation.Build", "cache-imports": "invocation.Build",
		"filename": "invocation.Build", "contextsubdir": "of a remote context", "contextkey": "invocation.Build",
		"dockerfilekey": "invocation.Build", "context:": "invocation.Build", "sharedkey:localdir:": "in no key",
		"input:": "of the builder's own callers", "input-metadata:": "of the builder's own callers",
		"frontend.caps": "in no key", "requestid": "which answer is asked for",
		"cmdline": "the frontend that is asked for", "source": "the same",
		"override-copy-image": "refused since 0.11", "build-arg:BUILDKIT_DISABLE_FILEOP": "refused since 0.11",
		"build-arg:BUILDKIT_SYNTAX": "Settings.Args",
	}
	got := map[string]bool{}
	see := func(n ast.Node) {
		switch n := n.(type) {
		case *ast.ValueSpec: // const keyTarget = "target", const buildArgPrefix = "build-arg:"
			name := n.Names[0].Name
			if len(n.Values) == 1 && (strings.HasPrefix(name, "key") || strings.HasSuffix(name, "Prefix")) {
				got[literal(n.Values[0])] = true
			}
		case *ast.IndexExpr: // opts["cmdline"]
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "opts" {
				key := n.Index
				if sum, ok := key.(*ast.BinaryExpr); ok {
					key = sum.X
				}
				got[literal(key)] = true
			}
		}
	}
	inspect(t, "frontend/dockerui/*.go", see)
	inspect(t, "frontend/dockerfile/builder/*.go", see)
	inspect(t, "frontend/dockerfile/dockerfile2llb/*.go", see)
	delete(got, "") // those that a constant names
	for option := range got {
		if arg, ok := strings.CutPrefix(option, "build-arg:"); ok && known[option] == "" && arg != "" {
			if !slices.ContainsFunc(reference.PredefinedArgs, func(e reference.Entry) bool { return e.Name == arg }) {
				t.Errorf("BuildKit obeys a build argument %s, which the reference does not know", arg)
			}
		} else if known[option] == "" {
			t.Errorf("BuildKit's frontend has an option %q, which nothing here knows", option)
		}
	}
	if len(got) < 30 {
		t.Fatalf("only the options %v were found: BuildKit's frontend looks different now", got)
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

// inspect shows the syntax of BuildKit's files that match, without its tests.
func inspect(t *testing.T, pattern string, see func(ast.Node)) {
	files, _ := filepath.Glob(filepath.Join(buildkitDir(t), pattern))
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
