package complete

import (
	"fmt"
	slashpath "path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/tools"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// made is a path that a stage most likely has, by what its instructions say.
type made struct {
	path   string // absolute; a directory ends with "/"
	detail string
	// program says that it may be what a container starts.
	program bool
	copied  bool // by COPY or ADD
	foreign bool // from another stage or image
	inside  bool // of a directory of the build context that was copied
}

// maker goes through the instructions of stages and notes what they make.
type maker struct {
	c   *cursor
	cwd string
	all []made
	// packages are the names of what is installed, with where.
	packages []made
	left     *int           // how many more instructions are read, also of other stages
	of       map[int][]made // of other stages

	copying, foreign, inside bool // what is noted now
}

// Bounds on what is noted of a stage, and on the instructions that are read for it.
const (
	mostMade = 500
	mostRead = 2000
)

// made returns what a stage makes in front of the cursor, the newest first, and its working directory there.
func (c *cursor) made(stage int) (list []made, cwd string) {
	m := c.read(stage)
	return m.newest(), m.cwd
}

// read notes what a stage makes in front of the cursor, from all commands above.
func (c *cursor) read(stage int) *maker {
	left := mostRead
	m := &maker{c: c, cwd: "/", left: &left, of: map[int][]made{}}
	m.stage(stage)
	return m
}

// newest is what a stage makes, each path once, the newest first.
func (m *maker) newest() (list []made) {
	seen := map[string]bool{}
	for _, p := range slices.Backward(m.all) {
		if !seen[p.path] {
			seen[p.path] = true
			list = append(list, p)
		}
	}
	return list
}

// stage notes what a stage makes; there is none above the first FROM.
func (m *maker) stage(stage int) {
	if stage < 0 {
		return
	}
	if base := m.c.variables.Bases[stage]; base >= 0 {
		m.stage(base)
	} else if image := m.c.image(stage); image != nil {
		for _, dir := range strings.Fields(image.Volumes) {
			m.add(dir+"/", "of the image "+image.Name)
		}
	}
	for _, in := range m.c.file.Stages[stage].Instructions {
		if in.Span.Start >= m.c.offset || in == m.c.in || *m.left <= 0 {
			break
		}
		*m.left--
		at := fmt.Sprintf("line %d", in.Line)
		switch command := in.Command.(type) {
		case *instructions.WorkdirCommand:
			if dir, ok := m.path(stage, in, command.Path); ok {
				m.cwd = dir
				m.add(strings.TrimSuffix(dir, "/")+"/", "WORKDIR of "+at)
			}
		case *instructions.CopyCommand:
			m.copied(stage, in, command.SourcesAndDest, command.From, at)
		case *instructions.AddCommand:
			m.copied(stage, in, command.SourcesAndDest, "", at)
		case *instructions.RunCommand:
			if script := shellscript.Of(m.c.file, in); script != nil && len(script.Text) < 20_000 {
				if parsed, _ := script.Parse(); parsed != nil {
					m.script(parsed, at)
				}
			}
		}
	}
}

// path is a path of an instruction as an absolute one.
func (m *maker) path(stage int, in *dockerfile.Instruction, text string) (string, bool) {
	text, known := m.c.variables.Expand(stage, in.Span.Start, text)
	if !known || text == "" || strings.ContainsAny(text, "$`") {
		return "", false
	}
	return resolved(m.cwd, text), true
}

func resolved(cwd, text string) string {
	if strings.HasPrefix(text, "/") {
		return slashpath.Clean(text)
	}
	return slashpath.Join(cwd, text)
}

func (m *maker) add(path, detail string) {
	if len(m.all) < mostMade && path != "/" && !strings.ContainsAny(path, "*?$=\\\"'\n :") {
		m.all = append(m.all, made{path: path, detail: detail, copied: m.copying, foreign: m.foreign, inside: m.inside})
	}
}

// copied notes what a COPY or ADD puts into the stage.
func (m *maker) copied(stage int, in *dockerfile.Instruction, paths instructions.SourcesAndDest, from, at string) {
	dest, ok := m.path(stage, in, paths.DestPath)
	if !ok {
		return
	}
	at = "copied in " + at
	m.copying, m.foreign = true, from != ""
	defer func() { m.copying, m.foreign = false, false }()
	for _, heredoc := range paths.SourceContents {
		m.copiedFile(dest, paths.DestPath, heredoc.Path, at)
	}
	origin := -1
	if from != "" {
		origin = m.c.file.Stage(from, dockerfile.ByCopy, stage)
	}
	for _, source := range paths.SourcePaths {
		switch {
		case strings.Contains(source, "://"):
			m.copiedFile(dest, paths.DestPath, source[strings.LastIndexByte(source, '/')+1:], at)
		case from == "":
			m.copiedContext(dest, paths.DestPath, strings.Trim(slashpath.Clean("/"+source), "/"), at)
		case origin >= 0 && origin < stage:
			all, known := m.of[origin]
			if !known {
				other := &maker{c: m.c, cwd: "/", left: m.left, of: m.of}
				other.stage(origin)
				all = other.all
				m.of[origin] = all
			}
			m.copiedStage(dest, paths.DestPath, source, all, at)
		default:
			m.copiedFile(dest, paths.DestPath, slashpath.Base(source), at)
		}
	}
}

// copiedFile notes a file that is copied: into a directory, or under another name.
func (m *maker) copiedFile(dest, asWritten, name, at string) {
	if strings.HasSuffix(asWritten, "/") || asWritten == "." || dest == m.cwd || slices.Contains(inPath, dest) {
		dest = slashpath.Join(dest, name)
	}
	m.add(dest, at)
}

// copiedContext notes a path of the build context that is copied; of a directory, what is in it.
func (m *maker) copiedContext(dest, asWritten, source, at string) {
	list := m.c.world.Context
	var children []Entry
	if list != nil {
		children = list(source)
	}
	if len(children) == 0 {
		if source != "" {
			m.copiedFile(dest, asWritten, slashpath.Base(source), at)
		}
		return
	}
	m.add(strings.TrimSuffix(dest, "/")+"/", at)
	m.inside = true
	defer func() { m.inside = false }()
	for i, child := range children {
		if path := slashpath.Join(dest, child.Name); i < 100 && child.Dir {
			m.add(path+"/", at)
			if slices.Contains(programDirs, child.Name) {
				for _, file := range list(slashpath.Join(source, child.Name)) {
					if !file.Dir {
						m.add(slashpath.Join(path, file.Name), at)
					}
				}
			}
		} else if i < 100 {
			m.add(path, at)
		}
	}
}

// programDirs are where projects keep what containers start.
var programDirs = []string{"bin", "scripts", "script", "docker"}

// copiedStage notes what is copied of another stage, which makes all of these.
func (m *maker) copiedStage(dest, asWritten, source string, all []made, at string) {
	path := resolved("/", source)
	below := strings.TrimSuffix(path, "/") + "/"
	dir := strings.HasSuffix(source, "/") || slices.Contains(inPath, path)
	for _, p := range all {
		if rest, ok := strings.CutPrefix(p.path, below); ok {
			dir = true
			if m.inside = p.inside; rest != "" {
				m.add(strings.TrimSuffix(dest, "/")+"/"+rest, at)
			}
		}
	}
	m.inside = false
	if dir {
		m.add(strings.TrimSuffix(dest, "/")+"/", at)
		return
	}
	m.copiedFile(dest, asWritten, slashpath.Base(source), at)
}

// script notes what the commands of a script make.
func (m *maker) script(script *syntax.File, at string) {
	cwd := m.cwd
	defer func() { m.cwd = cwd }()
	syntax.Walk(script, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.Redirect:
			if n.Op == syntax.RdrOut || n.Op == syntax.AppOut {
				if path := n.Word.Lit(); path != "" && !strings.HasPrefix(path, "/dev/") {
					m.add(resolved(m.cwd, path), "made in "+at)
				}
			}
		case *syntax.CallExpr:
			var words []string
			for _, arg := range n.Args {
				words = append(words, literal(arg))
			}
			if len(words) > 0 {
				m.command(words, "made in "+at)
			}
		}
		return true
	})
}

// literal is a word without its quotes, "$" where it holds what only the shell knows.
func literal(word *syntax.Word) string {
	text := ""
	for _, part := range word.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			text += p.Value
		case *syntax.SglQuoted:
			text += p.Value
		case *syntax.DblQuoted:
			text += literal(&syntax.Word{Parts: p.Parts})
		default:
			text += "$"
		}
	}
	return text
}

// outputs are the options that name what a command makes, "/" behind them where that is a directory.
var outputs = map[string]string{
	"-o": "", "--output": "", "-O": "", "--output-document": "", "--out-dir": "/", "--outDir": "/",
	"--output-path": "/", "--outdir": "/", "--prefix": "/", "--target-dir": "/", "--install-dir": "/", "-C": "/",
	"--directory": "/", "--bin": "", "--root": "/", "--wheel-dir": "/", "--destination": "/",
}

// otherwise are commands whose options of these names say something else.
var otherwise = []string{"set", "grep", "ls", "ps", "ssh", "apt-get", "apt", "useradd", "docker-php-ext-configure"}

// command notes what one command makes.
func (m *maker) command(words []string, at string) {
	add := func(path string) {
		if strings.Contains(path, "$") || path == "" || path == "-" || strings.HasPrefix(path, "/dev/") {
			return
		}
		dir := strings.HasSuffix(path, "/")
		if path = resolved(m.cwd, path); dir && path != "/" {
			path += "/"
		}
		m.add(path, at)
	}
	name := slashpath.Base(words[0])
	plain := named(name, words[1:], add)
	if len(plain) == 0 {
		m.tool(words, at, add)
		return
	}
	last := plain[len(plain)-1]
	folder := func(path string) string { return strings.TrimSuffix(path, "/") + "/" }
	switch name {
	case "cd":
		if !strings.Contains(last, "$") {
			m.cwd = resolved(m.cwd, last)
		}
	case "mkdir":
		for _, dir := range plain {
			if !digits.MatchString(dir) { // the value of -m
				add(folder(dir))
			}
		}
	case "touch", "tee":
		for _, file := range plain {
			add(file)
		}
	case "chmod":
		m.chmod(plain, add)
	case "cp", "mv", "ln", "install":
		if strings.HasSuffix(last, "/") && len(plain) > 1 {
			last += slashpath.Base(plain[len(plain)-2])
		}
		if len(plain) > 1 {
			add(last)
		}
	case "git":
		if len(plain) == 2 {
			last = strings.TrimSuffix(slashpath.Base(last), ".git")
		}
		if len(plain) > 1 && plain[0] == "clone" {
			add(folder(last))
		}
	case "go":
		if program, _, _ := strings.Cut(last, "@"); len(plain) > 1 && plain[0] == "install" {
			add("/go/bin/" + slashpath.Base(program))
		}
	case "python", "python3":
		if len(plain) > 1 && plain[0] == "venv" {
			add(folder(last))
		}
	default:
		m.tool(words, at, add)
	}
}

// named adds what options of a command say that it makes, and returns the arguments that are no options.
func named(command string, args []string, add func(string)) (plain []string) {
	for i, arg := range args {
		option, value, given := strings.Cut(arg, "=")
		kind, output := outputs[option]
		if !output {
			if !strings.HasPrefix(arg, "-") {
				plain = append(plain, arg)
			}
			continue
		}
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		if option == "-o" && command == "dotnet" || kind == "/" {
			value = strings.TrimSuffix(value, "/") + "/"
		}
		if !slices.Contains(otherwise, command) && !strings.HasPrefix(value, "-") {
			add(value)
		}
	}
	return plain
}

// chmod notes the files that it makes programs.
func (m *maker) chmod(plain []string, add func(string)) {
	if !strings.Contains(plain[0], "x") && !strings.HasPrefix(plain[0], "7") && !strings.HasPrefix(plain[0], "07") {
		return
	}
	for _, file := range plain[1:] {
		if !strings.HasSuffix(file, "/") {
			add(file)
			m.programs(file)
		}
	}
}

// programs notes that a path may be started.
func (m *maker) programs(path string) {
	path = resolved(m.cwd, path)
	for i := range m.all {
		if m.all[i].path == path {
			m.all[i].program = true
		}
	}
}

// builds are where tools put what they build, by the words of their commands. What installs make is in analysis/tools.
var builds = map[string][]string{
	"npm build": {"dist/", "build/"}, "yarn build": {"dist/", "build/"}, "pnpm build": {"dist/", "build/"},
	"bun build": {"dist/", "build/"}, "ng build": {"dist/"}, "vite build": {"dist/"}, "hugo": {"public/"},
	"next build":  {".next/", ".next/standalone/", ".next/static/", "out/"},
	"mvn package": {"target/"}, "mvn install": {"target/"},
	"mvnw package": {"target/"}, "gradle build": {"build/libs/"}, "gradlew build": {"build/libs/"},
	"gradle bootJar": {"build/libs/"}, "gradlew bootJar": {"build/libs/"}, "cargo build": {"target/release/"},
	"mix release": {"_build/prod/rel/"}, "make install": {"/usr/local/"},
	"bundle install": {"/usr/local/bundle/"}, "cmake build": {"build/"},
}

// tool notes what known tools make in their working directory, and install.
func (m *maker) tool(words []string, detail string, add func(string)) {
	program := slashpath.Base(words[0])
	for _, arg := range append([]string{""}, words[1:]...) {
		for _, made := range builds[strings.TrimSpace(program+" "+arg)] {
			add(made)
		}
	}
	if tool := tools.Of(words[0]); tool != nil {
		verb := tool.Verb(words[1:])
		isVerb := func(word string) bool { return word == "install" || word == "add" }
		if at := slices.IndexFunc(words, isVerb); at > 0 && verb != nil && verb.Downloads {
			m.installs(words[at+1:], detail)
		}
		if verb != nil {
			for _, made := range verb.Writes {
				add(made)
			}
		}
	}
}

// installs notes the packages that a command names.
func (m *maker) installs(words []string, detail string) {
	for _, word := range words {
		word, _, _ = strings.Cut(word, "==")
		if packageName.MatchString(word) && len(m.packages) < most {
			m.packages = append(m.packages, made{path: word, detail: "installed" + strings.TrimPrefix(detail, "made")})
		}
	}
}
