package conformance

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// Limits say what an oracle can build.
type Limits struct {
	// Real is set for a daemon without network: commands must succeed, and only the made-up base images exist.
	// Otherwise URLs, git repositories, other platforms and any image are used too.
	Real bool
}

// Sketch is a build as the generator and the shrinker handle it: instructions with identities that edits keep.
type Sketch struct {
	Insts    []Inst
	Files    map[string]File
	Extra    map[string]File // the named context
	Args     map[string]string
	Target   string
	Platform string
	NoCache  bool
	Name     string
	CRLF     bool
	Escape   bool // continuation by backtick
}

// Inst is one instruction, comment or blank line; Text may have several lines, continued by a backslash.
type Inst struct {
	ID   int
	Text string
}

// Clone copies everything that edits change.
func (s Sketch) Clone() Sketch {
	s.Insts, s.Files, s.Extra, s.Args = slices.Clone(
		s.Insts,
	), maps.Clone(
		s.Files,
	), maps.Clone(
		s.Extra,
	), maps.Clone(
		s.Args,
	)
	return s
}

// Build renders the sketch.
func (s Sketch) Build() Build {
	var text strings.Builder
	if s.Escape {
		text.WriteString("# escape=`\n")
	}
	for _, in := range s.Insts {
		text.WriteString(in.Text + "\n")
	}
	df := text.String()
	if s.Escape {
		df = strings.ReplaceAll(df, "\\\n", "`\n")
	}
	if s.CRLF {
		df = strings.ReplaceAll(df, "\n", "\r\n")
	}
	return Build{
		Name:       s.Name,
		Dockerfile: df,
		Files:      s.Files,
		Extra:      s.Extra,
		Args:       s.Args,
		Target:     s.Target,
		Platform:   s.Platform,
		NoCache:    s.NoCache,
	}.Clone()
}

// Generator makes builds and edits them. Equal seeds give equal cases.
type Generator struct {
	*rand.Rand
	limits Limits
	nextID int
	stages []stage // of the case in hand
	extra  bool    // it has the named context
}

// stage is what later instructions may count on.
type stage struct {
	name  string
	base  string
	shell bool     // there is a shell to RUN with
	outs  []string // paths that exist in it
}

// NewGenerator seeds a generator.
func NewGenerator(seed uint64, limits Limits) *Generator {
	return &Generator{Rand: rand.New(rand.NewPCG(seed, 0x6c61796572776973)), limits: limits}
}

// Case makes a sequence of builds, each an edit of an earlier one, and names the edits that led to each.
func (g *Generator) Case() ([]Sketch, [][]string) {
	sketches := []Sketch{g.sketch()}
	edits := [][]string{nil}
	builds := 2
	if g.chance(5) {
		builds += 1 + g.IntN(2)
	}
	for len(sketches) < builds {
		from := sketches[len(sketches)-1]
		if g.chance(4) {
			from = sketches[g.IntN(len(sketches))]
		}
		next := from.Clone()
		names := g.edit(&next)
		sketches, edits = append(sketches, next), append(edits, names)
	}
	return sketches, edits
}

func (g *Generator) chance(oneIn int) bool { return g.IntN(oneIn) == 0 }

func (g *Generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *Generator) inst(text string) Inst {
	g.nextID++
	return Inst{g.nextID, text}
}

// sketch makes a whole new build.
func (g *Generator) sketch() Sketch {
	s := Sketch{Files: g.context(), Args: map[string]string{}, Name: "Dockerfile"}
	g.stages = nil
	if g.chance(12) {
		s.Name = g.pick("app.Dockerfile", "docker/Dockerfile")
	}
	if g.chance(8) {
		s.Files[s.Name+".dockerignore"] = File{Mode: 0o644, Data: g.ignore()}
	}
	if g.chance(3) {
		s.Extra = map[string]File{
			"e.txt":    {Mode: 0o644, Data: g.data()},
			"in/f.txt": {Mode: 0o644, Data: g.data()},
			"in/g.md":  {Mode: 0o644, Data: g.data()},
		}
		if g.chance(4) {
			s.Extra[".dockerignore"] = File{Mode: 0o644, Data: g.pick("*.md\n", "**/*.md\n", "in\n!in/f.txt\n")}
		}
	}
	g.extra = s.Extra != nil
	s.CRLF, s.Escape = g.chance(25), g.chance(25)
	for range g.IntN(3) {
		s.Insts = append(s.Insts, g.inst(g.globalArg()))
	}
	stages, start := 1+g.IntN(4), len(s.Insts)
	for i := range stages {
		from, st := g.from(i, stages)
		above := s.Insts[start:]
		start = len(s.Insts)
		s.Insts = append(s.Insts, g.inst(from))
		g.stages = append(g.stages, st)
		if i > 0 && g.chance(8) { // the stage above once more, perhaps spelled a little differently
			for _, in := range above {
				if !is(in.Text, "FROM") {
					s.Insts = append(
						s.Insts,
						g.inst(strings.Replace(in.Text, " a.txt", g.pick(" a.txt", " ./a.txt"), 1)),
					)
				}
			}
		}
		for range 1 + g.IntN(7) {
			s.Insts = append(s.Insts, g.inst(g.instruction(&g.stages[i])))
		}
		if i > 0 && !g.chance(5) { // most stages are of use to a later one
			if ref, path, ok := g.stageAt(i - 1); ok {
				s.Insts = append(
					s.Insts,
					g.inst(g.pick("COPY --from="+ref+" "+path+" /d/", "COPY --link --from="+ref+" "+path+" /out/")),
				)
			}
		}
	}
	for range g.IntN(3) {
		k, v := g.buildArg()
		s.Args[k] = v
	}
	if g.chance(8) && len(g.stages) > 1 {
		st := g.stages[g.IntN(len(g.stages))]
		s.Target = st.name
	}
	if !g.limits.Real && g.chance(12) {
		s.Platform = g.pick("linux/arm64", "linux/amd64", "linux/arm/v7")
	}
	s.NoCache = g.chance(60)
	return s
}

var pool = []string{"V", "W", "VERSION"}

func (g *Generator) name() string { return g.pick(pool...) }

func (g *Generator) value() string {
	return g.pick("1", "2", "3", "1", "2", `"two words"`, "$V", "${W:-w}", "${VERSION}", `''`, "x$V", "${V:+set}", "1")
}

func (g *Generator) globalArg() string {
	switch g.IntN(8) {
	case 0:
		return "ARG SOURCE_DATE_EPOCH=" + g.pick("0", "1000000000")
	case 1:
		return "# " + g.pick("check=skip=all", "a comment", "syntax=docker/dockerfile:1", "a comment")
	case 2:
		return "ARG BASE=base"
	case 3:
		return "ARG " + g.name()
	default:
		return "ARG " + g.name() + "=" + g.pick("1", "2", "3", `"two words"`)
	}
}

func (g *Generator) buildArg() (string, string) {
	switch g.IntN(10) {
	case 0:
		return "SOURCE_DATE_EPOCH", g.pick("0", "1000000000", "1600000000")
	case 1:
		return g.pick("http_proxy", "HTTP_PROXY", "no_proxy", "ALL_PROXY"), g.pick("http://p:1", "http://p:2", "*")
	case 2:
		return "BUILDKIT_SANDBOX_HOSTNAME", g.pick("h1", "h2")
	case 3:
		return "BUILDKIT_CACHE_MOUNT_NS", g.pick("ns1", "ns2")
	case 4:
		if g.chance(2) {
			return g.pick("BUILDKIT_INLINE_CACHE", "BUILDKIT_CONTEXT_KEEP_GIT_DIR"), "1"
		}
		return "TARGETARCH", g.pick("amd64", "special")
	case 5:
		return "UNUSED", g.pick("1", "2")
	default:
		return g.name(), g.pick("1", "2", "3", "two words", "")
	}
}

func (g *Generator) from(i, stages int) (string, stage) {
	st := stage{name: fmt.Sprintf("s%d", i)}
	kw := g.pick("FROM", "FROM", "FROM", "from", "From")
	platform := ""
	if g.chance(8) {
		platform = "--platform=" + g.pick("$BUILDPLATFORM", "$TARGETPLATFORM", "linux/amd64") + " "
	}
	base := ""
	switch n := g.IntN(12); {
	case n == 0 && g.extra && g.chance(2):
		base, platform, st.outs = "extra", "", []string{"/e.txt", "/in"}
	case n == 0:
		base, platform = "scratch", ""
	case n <= 4 && i > 0:
		parent := g.stages[g.IntN(i)]
		base, st.shell, st.outs = parent.name, parent.shell, slices.Clone(parent.outs)
		platform = ""
	case n == 5 && !g.limits.Real:
		base, st.shell, st.outs = g.pick(
			"alpine:3.19",
			"alpine",
			"docker.io/library/alpine",
			"ghcr.io/x/y:$V",
			"busybox@sha256:"+strings.Repeat("ab", 32),
		), true, []string{
			"/etc",
		}
	default:
		base, st.shell = g.pick(
			"base",
			"base",
			"base",
			"base",
			"base",
			"base",
			"base2",
			"base3",
			"odd",
			"triggers",
		), true
		st.outs = []string{"/etc/passwd", "/src/seven", "/src"}
	}
	st.base = base
	as := " AS " + st.name
	if i == stages-1 && g.chance(2) {
		as, st.name = "", ""
	} else if g.chance(10) {
		as = " as " + strings.ToUpper(st.name)
	}
	return kw + " " + platform + base + as, st
}

var writes = regexp.MustCompile(`> (/out/[a-z0-9/]+)`)

// instruction makes one for a stage, which learns what it leaves behind.
func (g *Generator) instruction(st *stage) string {
	text := g.anyInstruction(st)
	for _, m := range writes.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(strings.ToUpper(text), "RUN") && !strings.Contains(text, "|| true") {
			st.outs = append(st.outs, m[1])
		}
	}
	return text
}

func (g *Generator) anyInstruction(st *stage) string {
	switch n := g.IntN(100); {
	case n < 30 && st.shell:
		return g.run(st)
	case n < 54:
		return g.copy(st)
	case n < 60:
		return g.keyword(
			"WORKDIR",
		) + " " + g.pick(
			"/w",
			"/w/",
			"w",
			"/w/sub",
			"sub",
			".",
			"/",
			"/$V",
			"/out",
			"/x/../w",
			"${W:-/w}",
			"/w",
		)
	case n < 69:
		return g.env()
	case n < 77:
		return g.arg()
	case n < 81:
		return g.keyword("USER") + " " + g.pick("root", "0", "1000", "app", "1000:1000", "app:app", "${V:-0}", "root")
	case n < 84:
		return g.keyword(
			"SHELL",
		) + " " + g.pick(
			`["/bin/sh", "-c"]`,
			`["/bin/sh", "-ec"]`,
			`["/bin/sh","-c"]`,
			`["/bin/busybox", "sh", "-c"]`,
		)
	case n < 94:
		return g.config()
	case n < 97:
		return g.keyword("ONBUILD") + " " + g.trigger(st)
	default:
		return g.pick("", "# a comment", "   # indented", "\t")
	}
}

func (g *Generator) keyword(k string) string {
	switch g.IntN(14) {
	case 0:
		return strings.ToLower(k)
	case 1:
		return k[:1] + strings.ToLower(k[1:])
	case 2:
		return k + " "
	case 3:
		return "  " + k
	}
	return k
}

func (g *Generator) env() string {
	kv := func() string { return g.name() + "=" + g.value() }
	switch g.IntN(9) {
	case 0:
		return "ENV " + g.name() + " " + g.pick("1", "2", "some words", "$V")
	case 1:
		return "ENV " + kv() + " " + kv()
	case 2:
		return "ENV " + kv() + " \\\n    " + kv()
	case 3:
		return "ENV PATH=" + g.pick("/extra:$PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	case 4:
		return "ENV " + g.pick("http_proxy", "TARGETARCH", "SOURCE_DATE_EPOCH", "HOME") + "=" + g.pick("1", "2")
	}
	return g.keyword("ENV") + " " + kv()
}

func (g *Generator) arg() string {
	switch g.IntN(12) {
	case 0:
		return "ARG " + g.name()
	case 1:
		return "ARG " + g.name() + " " + g.name() + "=" + g.value()
	case 2:
		return "ARG " + g.pick(
			"TARGETARCH",
			"TARGETPLATFORM",
			"BUILDPLATFORM",
			"TARGETSTAGE",
			"TARGETVARIANT",
			"BUILDOS",
		)
	case 3:
		return "ARG " + g.pick("http_proxy", "HTTP_PROXY", "no_proxy", "ALL_PROXY=http://d:1")
	case 4:
		return "ARG " + g.pick("SOURCE_DATE_EPOCH", "SOURCE_DATE_EPOCH=5")
	case 5:
		return "ARG " + g.pick(
			"BUILDKIT_INLINE_CACHE",
			"BUILDKIT_SBOM_SCAN_STAGE=true",
			"BUILDKIT_SANDBOX_HOSTNAME",
			"TARGETARCH=mine",
			"PATH",
		)
	case 6:
		return "ARG " + g.name()
	}
	return g.keyword("ARG") + " " + g.name() + "=" + g.value()
}

func (g *Generator) config() string {
	return g.pick(
		"LABEL "+g.name()+"="+g.value(),
		"LABEL a=1 b=\"two\" \\\n  c="+g.value(),
		`CMD ["/bin/sh"]`, "CMD echo "+g.value(),
		`ENTRYPOINT ["/bin/true"]`, "ENTRYPOINT exec "+g.pick("top", "sh"),
		"EXPOSE "+g.pick("80", "8080/udp", "80 443"),
		"VOLUME "+g.pick("/data", `["/data","/more"]`),
		"STOPSIGNAL "+g.pick("SIGTERM", "9"),
		"HEALTHCHECK "+g.pick("NONE", "--interval=5s CMD true", `CMD ["true"]`),
		"MAINTAINER "+g.pick("someone", "someone else"))
}

// command is a shell command that succeeds for any user and always writes the same, unless it says random.
func (g *Generator) command() string {
	out := g.pick("a", "b", "c")
	return g.pick(
		"true",
		"echo "+g.pick("hi", "$V", "\"$V $W\"", "'q'", "${VERSION}")+" > /out/o"+out,
		"echo hi > /out/o"+out,
		"mkdir -p /out/d"+out+" && echo 1 > /out/d"+out+"/f",
		"env > /out/env",
		"cat /proc/sys/kernel/random/uuid > /out/random",
		"ls /src > /out/ls || true",
		"echo one \\\n    two > /out/o"+out,
		"true && \\\n    # why\n    echo hi > /out/o"+out,
		"echo a \\\n\n  b > /out/o"+out,
		"true \\\n && true \\\n && true",
		"echo 'a  b' > /out/o"+out,
		"echo a;  echo b",
		"echo hi \\\n> /out/o"+out,
		"chmod 755 /out/oa || true",
	)
}

func (g *Generator) run(st *stage) string {
	kw := g.keyword("RUN")
	flags := ""
	for g.chance(3) {
		f := g.runFlag(st)
		if name, _, _ := strings.Cut(f, "="); name == "--mount" || !strings.Contains(flags, name) {
			flags += " " + f
		}
	}
	switch g.IntN(12) {
	case 0:
		return kw + flags + ` ["/bin/sh", "-c", "` + g.pick("true", "echo e > /out/oe", "echo hi > /out/oa") + `"]`
	case 1:
		return kw + flags + ` [ "/bin/true" ]`
	case 2:
		return kw + flags + " " + g.heredoc("EOF", "echo "+g.pick("1", "2", "$V")+" > /out/oh\n")
	case 3:
		return kw + flags + " " + g.heredoc(g.pick("EOF", "SCRIPT"), "#!/bin/sh\n# note\necho hi > /out/oh\n")
	case 4:
		return kw + flags + " cat <<" + g.pick(
			"EOF",
			"'EOF'",
			`"EOF"`,
		) + " > /out/oh\n" + g.pick(
			"body",
			"$V",
			"  body",
		) + "\nEOF"
	}
	return kw + flags + " " + g.command()
}

// heredoc has the body behind a delimiter spelled in some way.
func (g *Generator) heredoc(delim, body string) string {
	start := g.pick("<<"+delim, "<<"+delim, "<<'"+delim+"'", "<<\""+delim+"\"", "<<-"+delim)
	if strings.HasPrefix(start, "<<-") {
		body = "\t" + strings.ReplaceAll(strings.TrimSuffix(body, "\n"), "\n", "\n\t") + "\n"
	}
	return start + "\n" + body + delim
}

func (g *Generator) runFlag(st *stage) string {
	if g.extra && g.chance(10) {
		return "--mount=from=extra,target=/m" + g.pick("", ",source=in", ",source=e.txt", ",rw")
	}
	switch g.IntN(14) {
	case 0:
		return "--mount=type=cache,target=" + g.pick("/c", "/c/", "/c2", "c")
	case 1:
		return "--mount=type=cache,target=/c" + g.pick(
			"",
			",id=one",
			",id=two",
			",id=/c",
			",sharing=locked",
			",sharing=private",
			",sharing=shared",
			",id=one,sharing=locked",
			",mode=0700",
			",uid=1000",
			",ro",
			",readonly=true",
		)
	case 2:
		return "--mount=type=bind,target=/m" + g.pick(
			"",
			",rw",
			",readwrite",
			",ro",
			",source=src",
			",source=src,rw",
			",source=a.txt",
			",source=/src/sub",
			",source=lib",
		)
	case 3:
		return "--mount=" + g.pick(
			"target=/m,source=src",
			"source=src,target=/m",
			"type=bind,src=src,dst=/m",
			"type=bind,source=./src,target=/m/",
		)
	case 4, 5:
		// an index is no stage here
		if src, path, ok := g.otherStage(); ok && (src[0] == 's' || !g.limits.Real && g.chance(8)) {
			return g.pick("--mount=type=bind,from="+src+",source="+path+",target=/m",
				"--mount=from="+src+",target=/m",
				"--mount=type=bind,from="+src+",source="+path+",target=/m,rw",
				"--mount=type=cache,from="+src+",target=/c",
				"--mount=type=cache,from="+src+",source="+"/out"+",target=/c")
		}
		return "--mount=from=base,source=/src,target=/m"
	case 6:
		return "--mount=type=tmpfs,target=" + g.pick("/t", "/t2", "/t,size=1m", "/t,size=2m")
	case 7:
		return "--mount=type=secret," + g.pick(
			"id=token",
			"id=token,target=/s",
			"id=token,env=TOKEN",
			"id=other",
			"id=token,required",
			"id=token,mode=0400",
			"target=/run/secrets/token",
			"id=token,uid=1000",
		)
	case 8:
		return "--mount=type=ssh" + g.pick("", ",id=default", ",id=k", ",mode=0666", ",target=/agent")
	case 9:
		return "--network=" + g.pick("none", "host", "default")
	case 10:
		return "--security=" + g.pick("sandbox", "insecure")
	case 11:
		return "--network=none"
	case 12:
		if st.base != "" && g.chance(2) { // what the stage itself is based on
			return "--mount=from=" + st.base + g.pick("", ",source=/src", ",source=/src,rw", ",rw") + ",target=/m"
		}
		return "--mount=from=" + g.pick("base", "base2") + ",source=" + g.pick("/src", "/etc/passwd") + ",target=/m"
	default:
		return "--mount=type=" + g.pick("cache", "tmpfs") + ",target=/${V:-c}"
	}
}

// otherStage is an earlier stage and a path in it.
func (g *Generator) otherStage() (ref, path string, ok bool) {
	if len(g.stages) < 2 {
		return "", "", false
	}
	return g.stageAt(g.IntN(len(g.stages) - 1))
}

func (g *Generator) stageAt(i int) (ref, path string, ok bool) {
	st := g.stages[i]
	if len(st.outs) == 0 {
		return "", "", false
	}
	ref = st.name
	if ref == "" || g.chance(5) {
		ref = fmt.Sprint(i)
	}
	return ref, g.pick(st.outs...), true
}

func (g *Generator) source() string {
	return g.pick(
		"a.txt",
		"a.txt",
		"b.txt",
		"./a.txt",
		"/a.txt",
		"src",
		"src/",
		"src/x.go",
		"src/sub",
		"lib",
		"run.sh",
		"link",
		"*.txt",
		"src/*.go",
		"s?c",
		".",
		"./",
		"src/dl",
		"empty",
		"a*",
		"[ab].txt",
		"lib/../src",
		"src/dl/z.txt",
		"**/z.txt",
		"src/./x.go",
	)
}

func (g *Generator) copy(st *stage) string {
	kw := g.keyword("COPY")
	if g.chance(4) {
		kw = g.keyword("ADD")
	}
	add := strings.Contains(strings.ToUpper(kw), "ADD")
	flags := ""
	if g.chance(4) {
		flags += " --link" + g.pick("", "", "=true", "=false")
	}
	if g.chance(7) {
		flags += " --chown=" + g.pick("0:0", "1000:1000", "1000", "${V:-0}", "0")
		if !strings.Contains(flags, "--link") && g.chance(2) {
			flags += g.pick("", ":0", ":app")
		}
	}
	if g.chance(7) {
		flags += " --chmod=" + g.pick("755", "0644", "u=rwX,go=rX", "u+x", "${V:-7}00")
	}
	dest := g.pick("/d", "/d/", "d/", "./", "/out/", "/out/d/", "/d/$V/", "/", "/d/.", "/w/")
	if g.extra && !add && g.chance(8) {
		return kw + " --from=extra" + flags + " " + g.pick(
			"e.txt",
			"in",
			"/in/f.txt",
			".",
			"in/*",
			"*.txt",
		) + " " + dest
	}
	switch g.IntN(14) {
	case 0, 1, 2:
		if ref, path, ok := g.otherStage(); ok && !add {
			if g.chance(6) {
				path += "/"
			}
			if g.chance(6) {
				path = strings.TrimPrefix(path, "/")
			}
			return kw + " --from=" + ref + flags + " " + path + " " + dest
		}
	case 3:
		if !add {
			return kw + " --from=" + g.pick(
				"base",
				"base2",
			) + flags + " " + g.pick(
				"/etc/passwd",
				"/src",
				"/src/*",
				"src/seven",
			) + " " + dest
		}
	case 4:
		if flags == "" && g.chance(2) {
			return "COPY <<" + g.pick("EOF", "'EOF'") + " <<E2 " + g.pick("/d/", "/out/") + "\nbody $V\nEOF\nmore\nE2"
		}
		return kw + flags + " " + strings.Replace(
			g.heredoc(g.pick("EOF", "FILE"), g.pick("body\n", "body $V\n", "  a\n\n# b\n")),
			"\n",
			" "+g.pick("/h", "/d/", "/out/h")+"\n",
			1,
		)
	case 5:
		return kw + flags + " " + g.source() + " " + g.source() + " " + g.pick("/d/", "/out/", "./")
	case 6:
		return kw + flags + ` ["` + g.pick("a.txt", "b.txt", "src") + `", "` + g.pick("/d/", "/e f/") + `"]`
	case 7:
		if !add {
			return kw + flags + " --parents " + g.pick(
				"src/x.go",
				"./src/x.go",
				"src/./sub",
				"src/sub",
				"**/*.txt",
				"a.txt src/y.go",
				"src",
				"lib/./q.txt",
				"src/**/z.txt",
			) + " " + g.pick(
				"/d/",
				"/out/",
			)
		}
	case 8:
		return kw + flags + " --exclude=" + g.pick(
			"*.md",
			"sub",
			"**/*.go",
			"x.go",
			"*.txt --exclude=*.md",
			"src/sub",
		) + " " + g.pick(
			"src",
			".",
			"lib",
			"src/",
		) + " /d/"
	case 9:
		if add {
			return kw + flags + g.pick("", "", " --unpack=true", " --unpack=false", " --unpack") + " pkg.tar " + dest
		}
	case 10:
		if add && !g.limits.Real {
			return kw + flags + g.pick(
				" http://example.com/f.txt",
				" https://example.com/a/f.tgz",
				" --checksum=sha256:"+strings.Repeat("12", 32)+" http://example.com/f.txt",
				" https://github.com/x/y.git",
				" https://github.com/x/y.git#v1",
				" --keep-git-dir=true https://github.com/x/y.git#v1:sub",
				" git@github.com:x/y.git",
				" a.txt http://example.com/f.txt",
			) + " /d/"
		}
	}
	src := g.source()
	return kw + flags + " " + src + " " + dest
}

func (g *Generator) trigger(st *stage) string {
	switch g.IntN(6) {
	case 0:
		return "COPY a.txt /onbuild/"
	case 1:
		return "ENV " + g.name() + "=" + g.pick("1", "2")
	case 2:
		return "WORKDIR /onbuild"
	case 3:
		return "ARG " + g.name() + "=1"
	case 4:
		return "USER " + g.pick("root", "1000")
	}
	if !st.shell {
		return "LABEL onbuild=" + g.pick("1", "2")
	}
	return "RUN " + g.pick("true", "echo hi > /out/ob || true", "echo $V")
}

// context makes the files; sources above name them.
func (g *Generator) context() map[string]File {
	files := map[string]File{
		"a.txt":         {Mode: 0o644, Data: g.data()},
		"b.txt":         {Mode: 0o644, Data: g.data()},
		"c.md":          {Mode: 0o644, Data: g.data()},
		"src/x.go":      {Mode: 0o644, Data: g.data()},
		"src/y.go":      {Mode: 0o644, Data: g.data()},
		"src/sub/z.txt": {Mode: 0o644, Data: g.data()},
		"src/sub/n.md":  {Mode: 0o600, Data: g.data()},
		"lib/q.txt":     {Mode: 0o644, Data: g.data()},
		"run.sh":        {Mode: 0o755, Data: "#!/bin/sh\n"},
		"link":          {Mode: fs.ModeSymlink | 0o777, Link: "a.txt"},
		"src/dl":        {Mode: fs.ModeSymlink | 0o777, Link: "sub"},
		"empty":         {Mode: fs.ModeDir | 0o755},
		"pkg.tar":       {Mode: 0o644, Data: archive(g.data())},
	}
	if g.chance(3) {
		files[".dockerignore"] = File{Mode: 0o644, Data: g.ignore()}
	}
	if g.chance(6) {
		files["out"] = File{Mode: fs.ModeSymlink | 0o777, Link: g.pick("nowhere", "../outside", "/src", "src/sub")}
	}
	return files
}

func (g *Generator) data() string { return g.pick("1\n", "2\n", "3\n", "", "longer content\n") }

func (g *Generator) ignore() string {
	var s strings.Builder
	for range 1 + g.IntN(3) {
		s.WriteString(
			g.pick(
				"*.md",
				"src/sub",
				"!src/sub/z.txt",
				"**/*.md",
				"Dockerfile",
				"Dockerfile*",
				".dockerignore",
				"lib",
				"!lib/q.txt",
				"# comment",
				"",
				"  c.md  ",
				"/b.txt",
				"*",
				"!a.txt",
				"!src",
				"**/n.*",
				"empty",
				"run.sh",
				"./lib/",
				"src/s?b",
			) + "\n",
		)
	}
	return s.String()
}

func archive(data string) string {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	_ = w.WriteHeader(&tar.Header{Name: "packed.txt", Mode: 0o644, Size: int64(len(data))})
	_, _ = w.Write([]byte(data))
	_ = w.Close()
	return buf.String()
}
