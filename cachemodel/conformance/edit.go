package conformance

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// edit applies one to four edits and names them.
func (g *Generator) edit(s *Sketch) []string {
	if g.chance(20) {
		return []string{"none"}
	}
	n := 1
	for g.chance(3) && n < 4 {
		n++
	}
	var done []string
	for tries := 0; len(done) < n && tries < 50; tries++ {
		e := edits[g.IntN(len(edits))]
		before := s.Clone()
		if e.apply(g, s) && !equal(before, *s) {
			done = append(done, e.name)
		} else {
			*s = before
		}
	}
	return done
}

func equal(a, b Sketch) bool {
	return slices.Equal(a.Insts, b.Insts) && maps.Equal(a.Files, b.Files) && maps.Equal(a.Extra, b.Extra) &&
		maps.Equal(a.Args, b.Args) && a.Target == b.Target &&
		a.Platform == b.Platform && a.NoCache == b.NoCache && a.Name == b.Name &&
		a.CRLF == b.CRLF &&
		a.Escape == b.Escape
}

// An edit changes a sketch, or says that it cannot.
type edit struct {
	name  string
	apply func(g *Generator, s *Sketch) bool
}

var edits = []edit{
	{"insert", func(g *Generator, s *Sketch) bool {
		i, st := g.place(s)
		if st == nil {
			return false
		}
		s.Insts = slices.Insert(s.Insts, i, g.inst(g.instruction(st)))
		return true
	}},
	{"insert", func(g *Generator, s *Sketch) bool { // as likely again
		i, st := g.place(s)
		if st == nil {
			return false
		}
		s.Insts = slices.Insert(s.Insts, i, g.inst(g.anyInstruction(st)))
		return true
	}},
	{"delete", func(g *Generator, s *Sketch) bool {
		i := g.any(s, func(t string) bool { return !is(t, "FROM") })
		if i < 0 {
			return false
		}
		s.Insts = slices.Delete(s.Insts, i, i+1)
		return true
	}},
	{"duplicate", func(g *Generator, s *Sketch) bool {
		i := g.any(s, func(t string) bool { return !is(t, "FROM") })
		if i < 0 {
			return false
		}
		s.Insts = slices.Insert(s.Insts, i+1, g.inst(s.Insts[i].Text))
		return true
	}},
	{"swap", func(g *Generator, s *Sketch) bool {
		i := g.any(s, func(t string) bool { return !is(t, "FROM") })
		if i < 1 || is(s.Insts[i-1].Text, "FROM") {
			return false
		}
		s.Insts[i], s.Insts[i-1] = s.Insts[i-1], s.Insts[i]
		return true
	}},
	{"move", func(g *Generator, s *Sketch) bool {
		i := g.any(s, func(t string) bool { return !is(t, "FROM") })
		j, st := g.place(s)
		if i < 0 || st == nil {
			return false
		}
		in := s.Insts[i]
		s.Insts = slices.Delete(s.Insts, i, i+1)
		if j > i {
			j--
		}
		s.Insts = slices.Insert(s.Insts, j, in)
		return true
	}},
	{"replace", func(g *Generator, s *Sketch) bool {
		i := g.any(s, func(t string) bool { return !is(t, "FROM") && !is(t, "ARG") })
		if i < 0 || g.stageOf(s, i) < 0 {
			return false
		}
		s.Insts[i].Text = g.instruction(&g.stages[g.stageOf(s, i)])
		return true
	}},
	text("blanks after keyword", nil, func(g *Generator, t string) string {
		k, rest, ok := strings.Cut(t, " ")
		if !ok || k == "" {
			return t
		}
		return k + g.pick("  ", "\t", "   ") + rest
	}),
	text("keyword case", nil, func(g *Generator, t string) string {
		k, rest, ok := strings.Cut(t, " ")
		if !ok {
			return t
		}
		return g.pick(strings.ToLower(k), strings.ToUpper(k)) + " " + rest
	}),
	text("indent", nil, func(g *Generator, t string) string { return g.pick(" ", "\t", "    ") + t }),
	text(
		"trailing blanks",
		func(t string) bool { return !strings.Contains(t, "\n") && !strings.Contains(t, "<<") },
		func(g *Generator, t string) string { return t + g.pick(" ", "  ", "\t") },
	),
	{"comment line", func(g *Generator, s *Sketch) bool {
		i := g.IntN(len(s.Insts) + 1)
		s.Insts = slices.Insert(s.Insts, i, g.inst(g.pick("# new", "", "  # note", "#")))
		return true
	}},
	text("break line, same text", runs, func(g *Generator, t string) string { return g.nth(t, " && ", " \\\n&& ") }),
	text("break line, same text", runs, func(g *Generator, t string) string { return g.nth(t, " && ", " \\\n&& ") }),
	text("break line, indented", runs, func(g *Generator, t string) string { return g.nth(t, " && ", " && \\\n    ") }),
	text(
		"break arguments",
		func(t string) bool { return is(t, "COPY", "ADD", "ENV", "LABEL") && !strings.Contains(t, "<<") },
		func(g *Generator, t string) string {
			return g.nth(t, " ", " \\\n  ")
		},
	),
	text("join line", nil, func(g *Generator, t string) string { return strings.Replace(t, "\\\n", "", 1) }),
	text("join line", nil, func(g *Generator, t string) string { return strings.Replace(t, "\\\n", "", 1) }),
	text("re-indent continuation", nil, func(g *Generator, t string) string {
		return strings.Replace(t, "\\\n    ", "\\\n"+g.pick("  ", "\t", "        "), 1)
	}),
	text("re-indent continuation", nil, func(g *Generator, t string) string {
		return strings.Replace(t, "\\\n    ", "\\\n"+g.pick("  ", "\t", "        "), 1)
	}),
	text("comment in continuation", nil, func(g *Generator, t string) string {
		return strings.Replace(t, "\\\n", "\\\n# "+g.pick("inner", "other")+"\n", 1)
	}),
	text("comment in continuation", nil, func(g *Generator, t string) string {
		return strings.Replace(t, "\\\n", "\\\n# "+g.pick("inner", "other")+"\n", 1)
	}),
	text("double blank inside", runs, func(g *Generator, t string) string { return g.nth(t, " ", "  ") }),
	text("change command", runs, func(g *Generator, t string) string {
		return g.nthOf(
			t,
			[][2]string{
				{"hi", "ho"},
				{"true", "true;"},
				{"echo", "echo  "},
				{"1", "2"},
				{"o", "o"},
				{"/out/oa", "/out/ob"},
				{"-c", "-ec"},
			},
		)
	}),
	text("exec form", runs, func(g *Generator, t string) string {
		if strings.ContainsAny(t, "\n\"[\\") || strings.Contains(t, "--") || strings.Contains(t, "<<") {
			return t
		}
		k, rest, _ := strings.Cut(strings.TrimSpace(t), " ")
		return k + ` ["/bin/sh","-c","` + strings.TrimSpace(rest) + `"]`
	}),
	text(
		"change value",
		func(t string) bool { return is(t, "ENV", "ARG", "LABEL") },
		func(g *Generator, t string) string {
			i := strings.LastIndex(t, "=")
			if i < 0 {
				return t + "=" + g.pick("1", "2")
			}
			return t[:i+1] + g.value()
		},
	),
	text(
		"ARG to ENV",
		func(t string) bool { return is(t, "ARG") && strings.Contains(t, "=") },
		func(g *Generator, t string) string {
			return regexp.MustCompile(`(?i)^\s*ARG`).ReplaceAllString(t, "ENV")
		},
	),
	text(
		"ENV to ARG",
		func(t string) bool { return is(t, "ENV") && !strings.Contains(t, "\n") },
		func(g *Generator, t string) string {
			return regexp.MustCompile(`(?i)^\s*ENV`).ReplaceAllString(t, "ARG")
		},
	),
	{"join ENV", func(g *Generator, s *Sketch) bool {
		for i := 1; i < len(s.Insts); i++ {
			a, b := s.Insts[i-1].Text, s.Insts[i].Text
			if is(a, "ENV") && is(b, "ENV") && strings.Contains(a, "=") && strings.Contains(b, "=") {
				s.Insts[i-1].Text = a + " " + strings.TrimSpace(strings.TrimSpace(b)[3:])
				s.Insts = slices.Delete(s.Insts, i, i+1)
				return true
			}
		}
		return false
	}},
	text("COPY to ADD", func(t string) bool {
		return is(t, "COPY") && !strings.Contains(t, "--from") && !strings.Contains(t, "--parents")
	}, func(g *Generator, t string) string {
		return regexp.MustCompile(`(?i)^\s*COPY`).ReplaceAllString(t, "ADD")
	}),
	text("spell source", copies, func(g *Generator, t string) string {
		return g.nthOf(
			t,
			[][2]string{
				{" a.txt", " ./a.txt"},
				{" ./", " "},
				{" src ", " src/ "},
				{" src/ ", " ./src "},
				{" lib ", " /lib "},
				{" a.txt ", " a.tx* "},
				{"src/x.go", "src/*.go"},
			},
		)
	}),
	text("destination", copies, func(g *Generator, t string) string {
		return g.nthOf(
			t,
			[][2]string{{" /d/", " /d"}, {" /d", " /d2"}, {" ./", " /d/"}, {" /out/", " /out/n/"}, {" /d/", " /d/."}},
		)
	}),
	text("add flag", func(t string) bool { return is(t, "COPY", "ADD") }, func(g *Generator, t string) string {
		k, rest, _ := strings.Cut(strings.TrimSpace(t), " ")
		return k + " " + g.pick(
			"--link",
			"--chown=0:0",
			"--chmod=755",
			"--chown=1000:1000",
			"--exclude=*.md",
		) + " " + rest
	}),
	text("add RUN flag", runs, func(g *Generator, t string) string {
		k, rest, _ := strings.Cut(strings.TrimSpace(t), " ")
		return k + " " + g.runFlag(&stage{base: "base"}) + " " + rest
	}),
	text("drop flag", nil, func(g *Generator, t string) string {
		return regexp.MustCompile(` --\S+`).ReplaceAllLiteralString(t, "")
	}),
	text(
		"change mount",
		func(t string) bool { return strings.Contains(t, "--mount") },
		func(g *Generator, t string) string {
			return g.nthOf(
				t,
				[][2]string{
					{"id=one", "id=two"},
					{"target=/c", "target=/c,id=one"},
					{"target=/c", "target=/c,sharing=locked"},
					{"target=/m", "target=/m2"},
					{
						",rw",
						"",
					},
					{"source=src", "source=lib"},
					{"source=src", "source=./src"},
					{"/t", "/t,size=3m"},
					{"id=token", "id=token,target=/x"},
					{"target=/m", "target=/m,rw"},
				},
			)
		},
	),
	text(
		"heredoc delimiter",
		func(t string) bool { return strings.Contains(t, "<<") },
		func(g *Generator, t string) string {
			return strings.ReplaceAll(t, "EOF", g.pick("END", "FILE", "X"))
		},
	),
	text(
		"heredoc quoting",
		func(t string) bool { return strings.Contains(t, "<<EOF") },
		func(g *Generator, t string) string {
			return strings.Replace(t, "<<EOF", g.pick("<<'EOF'", `<<"EOF"`, "<<-EOF"), 1)
		},
	),
	text("heredoc body", func(t string) bool { return strings.Contains(t, "<<") }, func(g *Generator, t string) string {
		return g.nthOf(
			t,
			[][2]string{
				{"body", "body2"},
				{"echo", "echo "},
				{"hi", "ho"},
				{"# note", "# other"},
				{"\nEOF", "\n\nEOF"},
				{"more", "less"},
			},
		)
	}),
	{"rename stage", func(g *Generator, s *Sketch) bool {
		if len(g.stages) == 0 {
			return false
		}
		old := fmt.Sprintf("s%d", g.IntN(len(g.stages)))
		name := old + "new"
		word := regexp.MustCompile(`(?i)\b` + old + `\b`)
		for i, in := range s.Insts {
			if is(in.Text, "FROM", "COPY", "RUN") {
				s.Insts[i].Text = word.ReplaceAllString(in.Text, name)
			}
		}
		if strings.EqualFold(s.Target, old) {
			s.Target = name
		}
		return true
	}},
	{"stage by index", func(g *Generator, s *Sketch) bool {
		name := regexp.MustCompile(`from=s(\d)\b`)
		i := g.any(s, func(t string) bool { return name.MatchString(t) })
		if i < 0 {
			return false
		}
		s.Insts[i].Text = name.ReplaceAllString(s.Insts[i].Text, "from=$1")
		return true
	}},
	{"reorder stages", func(g *Generator, s *Sketch) bool {
		var at []int
		for i, in := range s.Insts {
			if is(in.Text, "FROM") {
				at = append(at, i)
			}
		}
		if len(at) < 3 {
			return false
		}
		k := g.IntN(len(at) - 2)
		a, b, c := at[k], at[k+1], at[k+2]
		s.Insts = slices.Concat(s.Insts[:a], s.Insts[b:c], s.Insts[a:b], s.Insts[c:])
		return true
	}},
	text("change base", func(t string) bool { return is(t, "FROM") }, func(g *Generator, t string) string {
		return regexp.MustCompile(`\b(base\d?|extra)\b`).ReplaceAllString(t, g.pick("base", "base2", "base3", "odd"))
	}),
	text("platform of FROM", func(t string) bool {
		return is(t, "FROM") && !strings.Contains(t, "--") && !strings.Contains(t, "scratch")
	}, func(g *Generator, t string) string {
		k, rest, _ := strings.Cut(strings.TrimSpace(t), " ")
		return k + " --platform=" + g.pick("$BUILDPLATFORM", "linux/amd64", "$TARGETPLATFORM") + " " + rest
	}),
	{"base by ARG", func(g *Generator, s *Sketch) bool {
		i := g.any(s, func(t string) bool { return strings.Contains(t, "FROM base ") })
		if i < 0 {
			return false
		}
		s.Insts[i].Text = strings.Replace(s.Insts[i].Text, "FROM base ", "FROM ${BASE} ", 1)
		s.Insts = slices.Insert(s.Insts, 0, g.inst("ARG BASE="+g.pick("base", "base2")))
		return true
	}},
	{"global ARG", func(g *Generator, s *Sketch) bool {
		s.Insts = slices.Insert(s.Insts, 0, g.inst(g.globalArg()))
		return true
	}},
	{"CRLF", func(g *Generator, s *Sketch) bool { s.CRLF = !s.CRLF; return true }},
	{"escape", func(g *Generator, s *Sketch) bool { s.Escape = !s.Escape; return true }},
	{"target", func(g *Generator, s *Sketch) bool {
		if len(g.stages) < 2 {
			return false
		}
		s.Target = g.pick("", g.stages[g.IntN(len(g.stages))].name)
		return true
	}},
	{"build arg", setArg}, {"build arg", setArg}, {"build arg", setArg},
	{"drop build arg", func(g *Generator, s *Sketch) bool {
		for _, k := range slices.Sorted(maps.Keys(s.Args)) {
			if g.chance(2) {
				delete(s.Args, k)
				return true
			}
		}
		return false
	}},
	{"no-cache", func(g *Generator, s *Sketch) bool {
		if g.chance(2) {
			return false
		}
		s.NoCache = !s.NoCache
		return true
	}},
	{"platform", func(g *Generator, s *Sketch) bool {
		if g.limits.Real {
			return false
		}
		s.Platform = g.pick("", "linux/amd64", "linux/arm64", "linux/arm/v7")
		return true
	}},
	{"file content", changeFile}, {"file content", changeFile}, {"file content", changeFile},
	{"named context", func(g *Generator, s *Sketch) bool {
		if s.Extra == nil {
			return false
		}
		s.Extra[g.pick("e.txt", "in/f.txt", "in/g.md", "new.txt")] = File{Mode: g.mode(), Data: g.data()}
		return true
	}},
	{"file touched", func(g *Generator, s *Sketch) bool {
		p := g.file(s, fs.FileMode.IsRegular)
		f := s.Files[p]
		f.Touched++
		s.Files[p] = f
		return true
	}},
	{"file mode", func(g *Generator, s *Sketch) bool {
		p := g.file(s, fs.FileMode.IsRegular)
		f := s.Files[p]
		f.Mode = 0o644 ^ 0o111*fs.FileMode(g.IntN(2)) ^ 0o044*fs.FileMode(g.IntN(2))
		s.Files[p] = f
		return true
	}},
	{"directory mode", func(g *Generator, s *Sketch) bool {
		s.Files[g.pick("src", "src/sub", "lib", "empty")] = File{Mode: fs.ModeDir | fs.FileMode(0o700+0o055*g.IntN(2))}
		return true
	}},
	{"file added", func(g *Generator, s *Sketch) bool {
		s.Files[g.pick("new.txt", "src/new.go", "src/sub/new.txt", "new.md", "fresh/f.txt", "lib/z.md",
			"empty/e")] = File{
			Mode: 0o644,
			Data: g.data(),
		}
		return true
	}},
	{"file removed", func(g *Generator, s *Sketch) bool {
		delete(s.Files, g.file(s, func(fs.FileMode) bool { return true }))
		return true
	}},
	{"file renamed", func(g *Generator, s *Sketch) bool {
		p := g.file(s, func(fs.FileMode) bool { return true })
		f := s.Files[p]
		if f.Mode.IsDir() {
			return false
		}
		delete(s.Files, p)
		s.Files[g.pick(p+"2", "moved/"+p[strings.LastIndex(p, "/")+1:], "src/sub/"+p[strings.LastIndex(p, "/")+1:])] = f
		return true
	}},
	{"link target", func(g *Generator, s *Sketch) bool {
		if g.chance(2) {
			s.Files["link"] = File{Mode: fs.ModeSymlink | 0o777, Link: g.pick("b.txt", "./a.txt", "/a.txt", "src/x.go")}
		} else {
			s.Files["src/dl"] = File{Mode: fs.ModeSymlink | 0o777, Link: g.pick("../lib", "./sub", "../src/sub")}
		}
		return true
	}},
	{"file to link", func(g *Generator, s *Sketch) bool {
		s.Files["b.txt"] = File{Mode: fs.ModeSymlink | 0o777, Link: "a.txt"}
		return true
	}},
	{"ignore file", func(g *Generator, s *Sketch) bool {
		s.Files[".dockerignore"] = File{Mode: 0o644, Data: g.ignore()}
		return true
	}},
	{"ignore file of the Dockerfile", func(g *Generator, s *Sketch) bool {
		s.Files[s.Name+".dockerignore"] = File{Mode: 0o644, Data: g.pick("# nothing\n", g.ignore())}
		return true
	}},
}

func (g *Generator) mode() fs.FileMode {
	if g.chance(4) {
		return 0o755
	}
	return 0o644
}

func setArg(g *Generator, s *Sketch) bool {
	if k := slices.Sorted(maps.Keys(s.Args)); len(k) > 0 && g.chance(2) {
		s.Args[g.pick(k...)] = g.pick("1", "2", "4")
		return true
	}
	k, v := g.buildArg()
	s.Args[k] = v
	return true
}

func changeFile(g *Generator, s *Sketch) bool {
	p := g.file(s, fs.FileMode.IsRegular)
	f := s.Files[p]
	if p == "pkg.tar" {
		f.Data = archive(g.data())
	} else {
		f.Data = g.data()
	}
	s.Files[p] = f
	return true
}

// text makes an edit of one instruction's text.
func text(name string, which func(string) bool, change func(*Generator, string) string) edit {
	return edit{name, func(g *Generator, s *Sketch) bool {
		i := g.any(s, func(t string) bool {
			return strings.TrimSpace(t) != "" && !strings.HasPrefix(strings.TrimSpace(t), "#") &&
				(which == nil || which(t))
		})
		if i < 0 {
			return false
		}
		s.Insts[i].Text = change(g, s.Insts[i].Text)
		return true
	}}
}

func runs(t string) bool { return is(t, "RUN") }

func copies(t string) bool { return is(t, "COPY", "ADD") && !strings.Contains(t, "<<") }

// is tells whether an instruction has one of the keywords.
func is(t string, keywords ...string) bool {
	f := strings.Fields(t)
	return len(f) > 0 && slices.Contains(keywords, strings.ToUpper(f[0]))
}

// any is the index of an instruction that which accepts, or -1.
func (g *Generator) any(s *Sketch, which func(string) bool) int {
	var at []int
	for i, in := range s.Insts {
		if which(in.Text) {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return -1
	}
	return at[g.IntN(len(at))]
}

// place is somewhere below a FROM, with the stage there.
func (g *Generator) place(s *Sketch) (int, *stage) {
	i := 1 + g.IntN(len(s.Insts))
	if n := g.stageOf(s, i-1); n >= 0 {
		return i, &g.stages[n]
	}
	return 0, nil
}

// stageOf is the index of the stage that holds the instruction, -1 above the first or where edits have made more
// stages.
func (g *Generator) stageOf(s *Sketch, i int) int {
	n := -1
	for _, in := range s.Insts[:i+1] {
		if is(in.Text, "FROM") {
			n++
		}
	}
	if n >= len(g.stages) {
		return -1
	}
	return n
}

func (g *Generator) file(s *Sketch, which func(fs.FileMode) bool) string {
	var all []string
	for _, p := range slices.Sorted(maps.Keys(s.Files)) {
		if which(s.Files[p].Mode) {
			all = append(all, p)
		}
	}
	return g.pick(all...)
}

// nth replaces one of the places where old stands.
func (g *Generator) nth(t, old, new string) string {
	parts := strings.Split(t, old)
	if len(parts) < 2 {
		return t
	}
	n := 1 + g.IntN(len(parts)-1)
	return strings.Join(parts[:n], old) + new + strings.Join(parts[n:], old)
}

// nthOf applies one of the replacements that apply.
func (g *Generator) nthOf(t string, replacements [][2]string) string {
	var fit [][2]string
	for _, r := range replacements {
		if strings.Contains(t, r[0]) {
			fit = append(fit, r)
		}
	}
	if len(fit) == 0 {
		return t
	}
	r := fit[g.IntN(len(fit))]
	return g.nth(t, r[0], r[1])
}
