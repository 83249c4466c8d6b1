package cachemodel

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"golang.org/x/tools/txtar"
)

// A modelCase is a build A, whose steps the cache holds, and a build B that is judged.
//
// An archive in testdata holds any number of cases. A file "case: PROSE" begins one; its lines are settings, which
// begin with "A " or "B " where they are for one of the builds only. "A/PATH" and "B/PATH" are files of the contexts,
// "A:NAME/PATH" those of a context called NAME, "A:@NAME/PATH" those of the build that makes such a context; B has all
// files of A that it does not have itself. Builds "A2", "A3" that the cache holds too, made after A, likewise. "want"
// is the verdict on each line.
type modelCase struct {
	prose string
	a, b  *testBuild
	later []*testBuild // A2, A3, ...
	want  string
}

// testBuild is a build as a case describes it.
type testBuild struct {
	settings Settings
	files    map[string]map[string]testFile // by context, "" is the main one
	images   map[string]Image
	none     bool // there is no build
	// elsewhere are the named contexts that are made by builds of which nothing is known.
	elsewhere []string
	unknown   UnknownParts
	past      Past // but for the plan
}

type testFile struct {
	data string
	mode fs.FileMode
	link string
}

func parseCases(t *testing.T, a *txtar.Archive) []*modelCase {
	var cases []*modelCase
	var settings []string
	flush := func() {
		if len(cases) > 0 {
			cases[len(cases)-1].apply(t, settings)
		}
	}
	for _, f := range a.Files {
		if prose, ok := strings.CutPrefix(f.Name, "case: "); ok {
			flush()
			settings = strings.Split(string(f.Data), "\n")
			cases = append(cases, &modelCase{prose: prose, a: newTestBuild(), b: newTestBuild()})
			continue
		}
		c := cases[len(cases)-1]
		side, name, _ := strings.Cut(f.Name, "/")
		side, context, _ := strings.Cut(side, ":")
		b := c.b
		switch side {
		case "want":
			c.want = string(f.Data)
			continue
		case "A":
			b = c.a
		case "B":
		case "A2", "A3":
			b = c.earlier(side)
		default:
			t.Fatalf("%s: what is the file %q?", c.prose, f.Name)
		}
		if b.files[context] == nil {
			b.files[context] = map[string]testFile{}
		}
		b.files[context][name] = testFile{data: string(f.Data), mode: 0o644}
	}
	flush()
	return cases
}

// earlier is the build called A, A2 or A3.
func (c *modelCase) earlier(name string) *testBuild {
	n, _ := strconv.Atoi(name[1:])
	for len(c.later) < n-1 {
		c.later = append(c.later, newTestBuild())
	}
	return c.later[n-2]
}

func newTestBuild() *testBuild {
	return &testBuild{
		past:     Past{Results: map[int]Result{}},
		unknown:  UnknownParts{Args: map[string]string{}, Contexts: map[string]string{}},
		files:    map[string]map[string]testFile{"": {}},
		images:   map[string]Image{},
		settings: Settings{Args: map[string]string{}},
	}
}

func (c *modelCase) apply(t *testing.T, settings []string) {
	for _, b := range append(c.later, c.b) {
		for context, files := range c.a.files {
			merged := maps.Clone(files)
			maps.Copy(merged, b.files[context])
			b.files[context] = merged
		}
	}
	for _, line := range settings {
		if rest, ok := strings.CutPrefix(line, "A "); ok {
			c.a.apply(t, rest)
		} else if rest, ok := strings.CutPrefix(line, "B "); ok {
			c.b.apply(t, rest)
		} else if strings.HasPrefix(line, "A2 ") || strings.HasPrefix(line, "A3 ") {
			c.earlier(line[:2]).apply(t, line[3:])
		} else if line != "" {
			for _, b := range append(c.later, c.a, c.b) {
				b.apply(t, line)
			}
		}
	}
}

func (b *testBuild) apply(t *testing.T, line string) {
	word, rest, _ := strings.Cut(line, " ")
	name, value, _ := strings.Cut(rest, " ")
	file := b.files[""][name]
	switch word {
	case "none":
		b.none = true
	case "elsewhere":
		b.elsewhere = append(b.elsewhere, rest)
	case "engine":
		b.settings.Engine = Engine(rest)
	case "target":
		b.settings.Target = rest
	case "platform":
		b.settings.Platform = rest
	case "no-cache":
		b.settings.NoCache = true
	case "no-cache-filter":
		b.settings.NoCacheFilter = append(b.settings.NoCacheFilter, rest)
	case "network":
		b.settings.Network = rest
	case "shm-size":
		b.settings.ShmSize, _ = strconv.ParseInt(rest, 10, 64)
	case "ulimit":
		b.settings.Ulimits = append(b.settings.Ulimits, rest)
	case "add-host":
		b.settings.ExtraHosts = append(b.settings.ExtraHosts, rest)
	case "hostname":
		b.settings.Hostname = rest
	case "cgroup-parent":
		b.settings.CgroupParent = rest
	case "allow":
		b.settings.Entitlements = append(b.settings.Entitlements, rest)
	case "syntax":
		b.settings.Syntax = rest
	case "failed":
		b.past.FailedAt, _ = strconv.Atoi(rest)
	case "exported":
		b.past.Exported = CacheMode(rest)
	case "there", "perhaps", "gone":
		at, _ := strconv.Atoi(name)
		b.past.Results[at] = Result{map[string]Presence{"there": There, "perhaps": Perhaps, "gone": Gone}[word], value}
	case "all-perhaps":
		b.past.Perhaps = rest
	case "unknown":
		b.unknownPart(t, name, value)
	case "arg":
		k, v, _ := strings.Cut(rest, "=")
		b.settings.Args[k] = v
	case "remove":
		delete(b.files[""], name)
	case "mode":
		mode, err := strconv.ParseUint(value, 8, 32)
		if err != nil {
			t.Fatal(err)
		}
		file.mode = fs.FileMode(mode)
		b.files[""][name] = file
	case "link":
		b.files[""][name] = testFile{mode: fs.ModeSymlink, link: value}
	case "dir":
		b.files[""][name] = testFile{mode: fs.ModeDir | 0o755}
	case "crlf":
		file.data = strings.ReplaceAll(file.data, "\n", "\r\n")
		b.files[""][name] = file
	case "image":
		image := b.images[name]
		k, v, _ := strings.Cut(value, "=")
		switch k {
		case "digest":
			image.Digest = v
		case "env":
			image.Env = append(image.Env, v)
		case "workdir":
			image.WorkingDir = v
		case "user":
			image.User = v
		case "shell":
			image.Shell = strings.Fields(v)
		case "onbuild":
			image.OnBuild = append(image.OnBuild, v)
		}
		b.images[name] = image
	default:
		t.Fatalf("unknown setting %q", line)
	}
}

func (b *testBuild) unknownPart(t *testing.T, what, reason string) {
	name, rest, _ := strings.Cut(reason, " ")
	switch what {
	case "dockerfile":
		b.unknown.Dockerfile = reason
	case "target":
		b.unknown.Target = reason
	case "platform":
		b.unknown.Platform = reason
	case "arg":
		b.unknown.Args[name] = rest
	case "args":
		b.unknown.AllArgs = reason
	case "context":
		b.unknown.Context = reason
	case "named":
		b.unknown.Contexts[name] = rest
	case "contexts":
		b.unknown.AllContexts = reason
	case "run":
		b.unknown.Run = reason
	default:
		t.Fatalf("unknown part %q", what)
	}
}

func (b *testBuild) dockerfile() string { return b.files[""]["Dockerfile"].data }

func (b *testBuild) plan() *Plan {
	build := Build{
		File: dockerfile.Parse(source.New(b.dockerfile()), nil), Context: tree(b.files[""]),
		Settings: b.settings, Images: b.images, Contexts: map[string]*buildcontext.Tree{}, Unknown: b.unknown,
	}
	for name, files := range b.files {
		if made, ok := strings.CutPrefix(name, "@"); ok && !slices.Contains(b.elsewhere, made) {
			if build.ContextBuilds == nil {
				build.ContextBuilds = map[string]*Build{}
			}
			file := dockerfile.Parse(source.New(files["Dockerfile"].data), nil)
			build.ContextBuilds[made] = &Build{File: file, Context: tree(files), Images: b.images}
		} else if name != "" && !ok {
			build.Contexts[name] = tree(files)
		}
	}
	for _, name := range b.elsewhere {
		if build.ContextImages == nil {
			build.ContextImages = map[string]string{}
		}
		build.ContextImages[name] = ""
	}
	return NewPlan(build)
}

// tree makes a context of files by their path, less those that its .dockerignore names.
func tree(files map[string]testFile) *buildcontext.Tree {
	ignore, err := buildcontext.ParseIgnore(".dockerignore", []byte(files[".dockerignore"].data))
	if err != nil {
		panic(err)
	}
	children := map[string][]*buildcontext.Node{}
	all := map[string]testFile{}
	for name, f := range files {
		if ignore.Ignores(name) {
			continue
		}
		all[name] = f
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			all[dir] = testFile{mode: fs.ModeDir | 0o755}
		}
	}
	names := slices.Sorted(maps.Keys(all))
	slices.SortStableFunc(names, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, name := range names {
		f := all[name]
		meta := buildcontext.Meta{Mode: uint32(f.mode.Perm()), Size: int64(len(f.data)), Link: f.link}
		switch {
		case f.mode.IsDir():
			meta.Type = buildcontext.Dir
		case f.link != "":
			meta.Type, meta.Mode = buildcontext.Symlink, 0o777
		}
		n := buildcontext.NewNode(path.Base(name), meta, children[name])
		if meta.Type == buildcontext.File {
			n.SetContent(buildcontext.HashContent([]byte(f.data)))
		}
		children[path.Dir(name)] = append(children[path.Dir(name)], n)
	}
	return buildcontext.NewTree(
		buildcontext.NewNode("", buildcontext.Meta{Type: buildcontext.Dir}, children["."]),
		ignore,
		nil,
		nil,
	)
}

// verdicts writes steps as the golden files have them.
func verdicts(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%d %s", s.Line, s.Status)
		if !s.Certain {
			b.WriteString("?")
		}
		if s.Cause != nil {
			fmt.Fprintf(&b, " %s@%d %s", s.Cause.Kind, s.Cause.Line, s.Cause.Detail)
			if len(s.Cause.Paths) > 0 {
				fmt.Fprintf(&b, " %q", s.Cause.Paths)
			}
		}
		if s.Detail != "" {
			b.WriteString(" | " + s.Detail)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
