//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/layerwise/layerwise/server/lsptest"
)

// plainDockerfile is what a hostile folder holds if it says nothing else.
const plainDockerfile = "FROM alpine\nCOPY . /src/\nRUN make\nCOPY sub/a /a\n"

// hostileFolders are folders that a stranger may have made. Of each holds: no program of the folder's runs, every
// command ends, the memory is bounded, and what is printed holds nothing that acts.
var hostileFolders = []struct {
	why  string
	make func(p *hostilePlace)
}{
	// The repository.
	{"a .git file that leads to a repository outside, whose settings name programs", func(p *hostilePlace) {
		other := p.sub("../other")
		other.repository()
		other.programs(".git/config")
		p.write(".git", "gitdir: ../other/.git\n")
	}},
	{"a .git file that leads to itself", func(p *hostilePlace) { p.write(".git", "gitdir: .git\n") }},
	{"a .git file that leads to a device", func(p *hostilePlace) { p.write(".git", "gitdir: /dev/zero\n") }},
	{"a .git that is a link to itself", func(p *hostilePlace) { p.link(".git", ".git") }},
	{"a .git file without an end", func(p *hostilePlace) { p.link("/dev/zero", ".git") }},
	{"a worktree whose common folder is hostile", func(p *hostilePlace) {
		other := p.sub("../other")
		other.repository()
		os.RemoveAll(p.dir)
		other.git("worktree", "add", "-q", p.dir, "HEAD~")
		other.programs(".git/config")
		other.programs(".git/worktrees/folder/config.worktree")
	}},
	{"a common folder that leads to itself", func(p *hostilePlace) {
		p.repository()
		p.write(".git/commondir", ".\n")
		p.programs(".git/config")
	}},
	{"alternates in a circle, and out of the folder", func(p *hostilePlace) {
		p.repository()
		p.write(".git/objects/info/alternates", p.dir+"/.git/objects\n/dev\n../../../..\n\x1b[31m\n")
	}},
	{"100,000 alternates", func(p *hostilePlace) {
		p.repository()
		p.write(".git/objects/info/alternates", strings.Repeat("/tmp/nowhere\n", 100_000))
	}},
	{"a partial clone that lacks objects, with a remote that is a program", func(p *hostilePlace) {
		p.repository()
		p.git("config", "remote.origin.url", "ext::"+p.program)
		p.git("config", "remote.origin.uploadpack", p.program)
		p.git("config", "remote.origin.promisor", "true")
		p.git("config", "protocol.ext.allow", "always")
		p.git("config", "extensions.partialClone", "origin")
		p.git("config", "core.repositoryFormatVersion", "1")
		id := p.git("rev-parse", "HEAD:sub/a")
		p.must(os.Remove(filepath.Join(p.dir, ".git/objects", id[:2], id[2:])))
		p.programs(".git/config")
	}},
	{"filters of every name", func(p *hostilePlace) {
		p.repository()
		var attributes, config strings.Builder
		for i, name := range []string{"lfs", "a=b", "a.b", "a b", "-c", "x\ty", "git-crypt", "\"", "ident", "é", "*"} {
			fmt.Fprintf(&attributes, "sub/* filter=%s diff=%s merge=%s\n*.f%d filter=%[1]s\n", name, name, name, i)
			fmt.Fprintf(&config, "[filter %q]\n\tclean = %s\n\tsmudge = %[2]s\n\tprocess = %[2]s\n", name, p.program)
			p.write(fmt.Sprintf("x.f%d", i), "1")
		}
		p.write(".gitattributes", attributes.String())
		p.commit()
		p.append(".git/config", config.String())
		p.write("sub/a", "3")
	}},
	{"attributes that are a pipe, a device and very many", func(p *hostilePlace) {
		p.repository()
		p.pipe(".gitattributes")
		p.link("/dev/zero", "sub/.gitattributes")
		p.write(".git/info/attributes", strings.Repeat("*.txt filter=x\n", 200_000))
		p.write("sub/a", "3")
	}},
	{"a submodule whose settings name programs", func(p *hostilePlace) {
		module := p.sub("../module")
		module.repository()
		p.repository()
		p.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", module.dir, "mod")
		p.commit()
		p.programs(".git/modules/mod/config")
		p.write("mod/sub/a", "3")
	}},
	{"a repository of SHA-256", func(p *hostilePlace) {
		p.git("init", "-q", "-b", "main", "--object-format=sha256")
		p.commit()
		p.programs(".git/config")
	}},
	{"references in a circle and references that are names of options", func(p *hostilePlace) {
		p.repository()
		p.write(".git/HEAD", "ref: refs/heads/a\n")
		p.write(".git/refs/heads/a", "ref: refs/heads/b\n")
		p.write(".git/refs/heads/b", "ref: refs/heads/a\n")
		p.write(".git/refs/heads/--output=ran", strings.Repeat("1", 40)+"\n")
	}},
	{"an index, a shallow list and grafts that are devices", func(p *hostilePlace) {
		p.repository()
		for _, name := range []string{".git/index", ".git/shallow", ".git/info/grafts", ".git/packed-refs"} {
			os.Remove(filepath.Join(p.dir, name))
			p.link("/dev/zero", name)
		}
	}},
	{"settings of git that include themselves", func(p *hostilePlace) {
		p.repository()
		p.append(".git/config", "[include]\n\tpath = config\n\tpath = ../x\n\tpath = /dev/zero\n")
		p.link("/dev/zero", "x")
	}},
	{"a commit with hostile names and subjects", func(p *hostilePlace) {
		for _, name := range unfriendlyNames {
			p.write("sub/"+name, "1")
		}
		p.repository()
		for i, name := range unfriendlyNames {
			p.write("sub/"+name, "22")
			p.git("add", "-A")
			p.git("-c", "user.name="+strings.ReplaceAll(name, "\n", " ")+"x", "commit", "-q", "--allow-empty", "-m",
				fmt.Sprint(name, i))
		}
		for _, name := range unfriendlyNames {
			p.write("sub/"+name, "333")
		}
	}},
	{"packs, graphs and lists of git that are pipes, devices and damaged", func(p *hostilePlace) {
		p.repository()
		p.git("repack", "-adq")
		packs, _ := filepath.Glob(filepath.Join(p.dir, ".git/objects/pack/*.idx"))
		for _, pack := range packs {
			p.must(os.Chmod(pack, 0o600))
			p.must(os.Truncate(pack, 100))
		}
		p.pipe(".git/objects/pack/multi-pack-index")
		p.pipe(".git/objects/info/commit-graph")
		p.link("/dev/zero", ".git/objects/pack/pack-"+strings.Repeat("1", 40)+".idx")
		p.link("/dev/zero", ".git/objects/pack/pack-"+strings.Repeat("1", 40)+".pack")
	}},
	{"a tree whose names lead out of the folder, and repeat", func(p *hostilePlace) {
		p.repository()
		id, _ := hex.DecodeString(p.git("rev-parse", "HEAD:sub/a"))
		var tree strings.Builder
		for _, name := range []string{"..", "../../evil", ".git", "/etc/passwd", "a", "a", "Dockerfile", "sub/a", "."} {
			tree.WriteString("100644 " + name + "\x00" + string(id))
		}
		p.headOf(p.object("tree", tree.String()))
	}},
	{"a tree that is a blob, and a commit that is its own parent", func(p *hostilePlace) {
		p.repository()
		p.headOf(p.git("rev-parse", "HEAD:sub/a"))
		p.write(".git/shallow", p.git("rev-parse", "HEAD")+"\n")
		p.write(".git/info/grafts", strings.Repeat(p.git("rev-parse", "HEAD")+" ", 1000)+"\n")
	}},
	{"a commit with 20,000 parents and a subject of 10 MB", func(p *hostilePlace) {
		p.repository()
		head, tree := p.git("rev-parse", "HEAD"), p.git("rev-parse", "HEAD^{tree}")
		p.write(".git/refs/heads/main", p.object("commit", "tree "+tree+"\n"+
			strings.Repeat("parent "+head+"\n", 20_000)+"author A <a> 1 +0000\n"+
			"committer A <a> 99999999999999999 +9999\n\n"+
			strings.Repeat("subject ", 10<<20/8))+"\n")
	}},
	{"50,000 references, and settings of git of 2 MB", func(p *hostilePlace) {
		p.repository()
		head := p.git("rev-parse", "HEAD")
		p.write(".git/packed-refs", "# pack-refs with: peeled sorted \n"+numbered(50_000, func(i int) string {
			return fmt.Sprintf("%s refs/tags/t%06d\n", head, i)
		}))
		p.append(".git/config", numbered(20_000, func(i int) string {
			return fmt.Sprintf("[filter \"f%d\"]\n\tclean = %s\n\tsmudge = %[2]s\n", i, p.program)
		}))
	}},
	{"a repository of a version and with extensions that nobody knows", func(p *hostilePlace) {
		p.repository()
		p.programs(".git/config")
		p.append(".git/config", "[core]\n\trepositoryFormatVersion = 99\n\tworktree = /\n"+
			"[extensions]\n\trefStorage = evil\n")
	}},

	// The build context.
	{"links in circles and out of the folder", func(p *hostilePlace) {
		p.link(".", "here")
		p.link("..", "up")
		p.link("/", "root")
		p.link("b", "sub/b1")
		p.link("b1", "sub/b")
		p.link("/etc/passwd", "sub/passwd")
		p.link("/dev/zero", "sub/zero")
		p.write("Dockerfile", "FROM alpine\nCOPY root/etc/passwd sub/passwd sub/zero /\nCOPY here/here/up /x\nCOPY sub/b /\n")
	}},
	{"pipes, sockets and what cannot be read", func(p *hostilePlace) {
		p.pipe("sub/pipe")
		p.pipe("pipe")
		p.socket("s")
		p.write("closed", "1")
		p.must(os.Chmod(filepath.Join(p.dir, "closed"), 0))
		p.must(os.Mkdir(filepath.Join(p.dir, "shut"), 0))
		p.write("Dockerfile", plainDockerfile+"COPY pipe s closed shut /\n")
	}},
	{"a very deep folder, with long names", func(p *hostilePlace) {
		deep := strings.Repeat("d/", 900)
		p.must(os.MkdirAll(filepath.Join(p.dir, deep), 0o700))
		p.must(os.MkdirAll(filepath.Join(p.dir, strings.Repeat(strings.Repeat("e", 250)+"/", 10)), 0o700))
		p.write("Dockerfile", "FROM alpine\nCOPY "+deep+" /x\nCOPY "+strings.Repeat("*/", 200)+" /\n")
	}},
	{"a file of 1 TB", func(p *hostilePlace) {
		p.write("huge", "")
		p.must(os.Truncate(filepath.Join(p.dir, "huge"), 1<<40))
		p.write("Dockerfile", "FROM alpine\nCOPY sub/a /\nRUN make\n")
	}},
	{"very many ignore patterns", func(p *hostilePlace) {
		p.write(".dockerignore", strings.Repeat("**/a*b*c*\n!**/x\n", 50_000))
	}},
	{"ignore patterns that are slow to match", func(p *hostilePlace) {
		p.write("sub/"+strings.Repeat("a", 200), "1")
		p.write(".dockerignore", strings.Repeat("*a", 500)+"b\n"+strings.Repeat("[!", 1000)+"\n\x00\n\\\n")
	}},
	{"a file that grows without an end while it is read", func(p *hostilePlace) {
		p.write("sub/log", "")
		log, err := os.OpenFile(filepath.Join(p.dir, "sub/log"), os.O_APPEND|os.O_WRONLY, 0)
		p.must(err)
		done, ended := make(chan struct{}), make(chan struct{})
		p.Cleanup(func() { close(done); <-ended; log.Close() })
		go func() {
			defer close(ended)
			for tick := time.NewTicker(time.Millisecond); ; {
				select {
				case <-done:
					tick.Stop()
					return
				case <-tick.C:
					_, _ = log.WriteString("line\n")
				}
			}
		}()
	}},
	{"times before 1970 and in 400 years, and bits of all kinds", func(p *hostilePlace) {
		for i, at := range []time.Time{time.Unix(-1<<33, 5), time.Unix(1<<34, 9), {}, time.Unix(1<<62, 0)} {
			name := filepath.Join("sub", fmt.Sprint("t", i))
			p.write(name, "1")
			_ = os.Chtimes(filepath.Join(p.dir, name), at, at) // some file systems know no such time
			p.must(os.Chmod(filepath.Join(p.dir, name), 0o777|os.ModeSetuid|os.ModeSetgid|os.ModeSticky))
		}
		p.repository()
	}},
	{"3,000 files whose names are patterns", func(p *hostilePlace) {
		for i := range 3000 {
			p.write(fmt.Sprintf("sub/[%d]*?{a,b}\\", i), "1")
		}
		p.write(".dockerignore", "sub/\\[*\n!sub/\\[[0-9]*\\]\\*\\?{a,b}\\\\\n[\n")
		p.write("Dockerfile", "FROM alpine\nCOPY sub/[[]1[]]*?{a,b}\\ sub/[0-9 sub/* /x/\n"+
			"ADD --exclude=**/[a-z]** . /y/\n")
	}},
	{"60 Dockerfiles, and ones that are links", func(p *hostilePlace) {
		for i := range 60 {
			p.write(fmt.Sprintf("d/%d/Dockerfile", i), "FROM alpine\nEVN x\nCOPY . /\n")
		}
		p.link("/etc/passwd", "a.Dockerfile")
		p.link("Dockerfile", "b.Dockerfile")
		p.link("../folder", "d/up")
		p.link("/proc/self/mem", "c.Dockerfile")
		p.link("/proc/self/fd/0", "Dockerfile.fd")
	}},
	{"names with line breaks, escapes and what hides", func(p *hostilePlace) {
		for _, name := range unfriendlyNames {
			p.write("sub/"+name, "1")
			p.write(name+".Dockerfile", "FROM alpine\nEVN x\n")
			p.write("Dockerfile."+name, "FROM alpine\nEVN x\n")
		}
	}},

	// Files that people write, each as something that cannot be read.
	{"every file that is read is a device without an end", func(p *hostilePlace) {
		for _, name := range readNames {
			p.link("/dev/zero", name)
		}
	}},
	{"every file that is read is a pipe", func(p *hostilePlace) {
		for _, name := range readNames {
			p.pipe(name)
		}
	}},
	{"every file that is read is a directory", func(p *hostilePlace) {
		for _, name := range readNames {
			p.must(os.MkdirAll(filepath.Join(p.dir, name), 0o700))
		}
	}},
	{"every file that is read is a link to itself", func(p *hostilePlace) {
		for _, name := range readNames {
			p.link(filepath.Base(name), name)
		}
	}},
	{"every file that is read is 1 TB long", func(p *hostilePlace) {
		for _, name := range readNames {
			p.write(name, "")
			p.must(os.Truncate(filepath.Join(p.dir, name), 1<<40))
		}
	}},
	{"every file that is read is a deep list", func(p *hostilePlace) {
		for _, name := range readNames {
			p.write(name, strings.Repeat("[", 200_000))
		}
	}},
	{"every file that is read is a deep object", func(p *hostilePlace) {
		for _, name := range readNames {
			p.write(name, strings.Repeat(`{"a":`, 100_000))
		}
	}},
	{"every file that is read is deep in YAML's own way", func(p *hostilePlace) {
		for _, name := range readNames {
			p.write(name, strings.Repeat("- ", 100_000)+"a\n")
		}
	}},
	{"every file that is read has aliases that double", func(p *hostilePlace) {
		for _, name := range readNames {
			p.write(name, doublingYAML("jobs", "services", "rules", "ignored"))
		}
	}},
	{"every file that is read holds escapes and no UTF-8", func(p *hostilePlace) {
		for _, name := range readNames {
			p.write(name, "\x1b[31m\xff\xfe: [\u202e\r\n::error::evil\n\x00")
		}
	}},
	{"the settings are a device", func(p *hostilePlace) { p.link("/dev/zero", ".layerwise.yaml") }},
	{"the settings are a pipe", func(p *hostilePlace) { p.pipe(".layerwise.yaml") }},
	{"the settings double", func(p *hostilePlace) { p.write(".layerwise.yaml", doublingYAML("rules", "exclude")) }},
	{"the settings have hostile names and patterns", func(p *hostilePlace) {
		p.write(".layerwise.yaml", "rules:\n  \"\\e[31m\\u202e\": off\n  better-order: \"\\n::error::evil\"\n"+
			"baseline: \"git:--output=ran\"\n")
	}},
	{"the Dockerfile is a device", func(p *hostilePlace) { p.link("/dev/zero", "Dockerfile") }},
	{"the Dockerfile is a pipe", func(p *hostilePlace) { p.pipe("Dockerfile") }},
	{"the Dockerfile is 4 MB of stages", func(p *hostilePlace) {
		p.write("Dockerfile", strings.Repeat("# FROM a AS b\n", 300_000)+plainDockerfile)
	}},

	// Files that describe builds.
	{"Compose files that include and extend one another in circles", func(p *hostilePlace) {
		p.write("compose.yaml", "include: [a.yaml, compose.yaml]\nservices:\n  web:\n    extends: {service: web}\n")
		p.write("a.yaml", "include: [compose.yaml]\nservices:\n  x:\n    extends: {file: b.yaml, service: y}\n")
		p.write("b.yaml", "services:\n  y:\n    extends: {file: a.yaml, service: x}\n")
	}},
	{"Compose files that include others without an end", func(p *hostilePlace) {
		p.write("compose.yaml", "include: [0.yaml, 0.yaml]\nservices: {web: {build: .}}\n")
		for i := range 40 {
			p.write(fmt.Sprintf("%d.yaml", i), fmt.Sprintf("include: [%d.yaml, ./%[1]d.yaml, {path: %[1]d.yaml}]\n", i+1))
		}
		p.write("40.yaml", "services: {x: {build: .}}\n")
	}},
	{"environment files that are pipes, devices and in circles", func(p *hostilePlace) {
		p.pipe("pipe.env")
		p.write("a.env", "A=${A}${B}\nB=${A}${B}\nCOMPOSE_FILE=a.env\nCOMPOSE_ENV_FILES=a.env\n")
		p.write(".env", "COMPOSE_ENV_FILES=a.env,.env\nA=${A:-${B:-${A}}}\n")
		p.write("compose.yaml", "include:\n  - {path: b.yaml, env_file: [a.env, /dev/zero, pipe.env]}\nservices:\n"+
			"  web: {build: ., env_file: [pipe.env, /dev/zero, a.env]}\n")
		p.write("b.yaml", "services: {x: {build: ., env_file: pipe.env}}\n")
	}},
	{"a build context that is the whole disk, and others that do not exist", func(p *hostilePlace) {
		p.write("compose.yaml", "services:\n  a: {build: {context: /, dockerfile: "+p.dir+"/Dockerfile}}\n  b: {build: "+
			"{context: /proc, dockerfile: "+p.dir+"/Dockerfile, additional_contexts: {x: /dev, y: /proc/self/root}}}\n"+
			"  c: {build: {context: ., dockerfile: /dev/zero}}\n  d: {build: {context: 'ext::"+p.program+"'}}\n")
	}},
	{"a bake file whose functions double and loop", func(p *hostilePlace) {
		var text strings.Builder
		text.WriteString("function \"f0\" {\n  params = [s]\n  result = \"${s}${s}\"\n}\n")
		for i := range 9 {
			fmt.Fprintf(&text, "function \"f%d\" {\n  params = [s]\n  result = f%d(f%d(s))\n}\n", i+1, i, i)
		}
		p.write("docker-bake.hcl", text.String()+"target \"a\" {\n  args = { A = f9(\"xx\") }\n}\ntarget \"b\" {\n  args = { A "+
			"= join(\"\", [for a in range(1000): join(\"\", [for b in range(1000): join(\"\", range(1000))])]) }\n}\n")
	}},
	{"a bake file that is deep", func(p *hostilePlace) {
		p.write("docker-bake.hcl", "target \"a\" { args = { A = "+strings.Repeat("(", 100_000)+" } }\n")
	}},
	{"a workflow with a matrix of a billion jobs", func(p *hostilePlace) {
		var matrix strings.Builder
		for i := range 12 {
			fmt.Fprintf(&matrix, "        m%d: [%s]\n", i, strings.Repeat("1, ", 200)+"2")
		}
		p.write(".github/workflows/ci.yml", "on: push\njobs:\n  a:\n    runs-on: x\n    strategy:\n      matrix:\n"+
			matrix.String()+"    steps:\n      - uses: docker/build-push-action@v6\n        with:\n          context: /\n"+
			"          build-args: |\n            A=${{ matrix.m0 }}"+strings.Repeat("${{ (", 5000)+"\n"+
			"      - run: docker build "+strings.Repeat("$(", 5000)+"\n      - run: docker build -f /dev/zero /\n")
	}},
	{"a bake file whose variables, groups, targets and matrix go in circles and multiply", func(p *hostilePlace) {
		p.write("docker-bake.hcl", "variable \"A\" {\n  default = \"${B}${B}\"\n}\n"+
			"variable \"B\" {\n  default = \"${A}${A}\"\n}\n"+
			"group \"default\" {\n  targets = [\"default\", \"g\", \"a\"]\n}\n"+
			"group \"g\" {\n  targets = [\"default\"]\n}\n"+
			"target \"a\" {\n  inherits = [\"b\"]\n  contexts = { x = \"target:b\" }\n}\n"+
			"target \"b\" {\n  inherits = [\"a\"]\n  contexts = { x = \"target:a\" }\n}\n"+
			"target \"m\" {\n  name = \"m-${x}-${y}-${z}\"\n"+
			"  matrix = { x = range(1000), y = range(1000), z = range(1000) }\n}\n")
		p.write("docker-bake.override.json", `{"target":{"a":{"dockerfile-inline":"FROM a\nCOPY --from=x a b\n"}}}`)
	}},
	{"500 workflows that call one another", func(p *hostilePlace) {
		p.repository()
		for i := range 500 {
			p.write(fmt.Sprintf(".github/workflows/w%d.yml", i), fmt.Sprintf("on: push\njobs:\n  a:\n"+
				"    uses: ./.github/workflows/w%d.yml\n  b:\n    runs-on: x\n    strategy: {matrix: {v: [1, 2, 3]}}\n"+
				"    steps:\n      - uses: ./.github/actions/a\n      - run: docker build --build-arg V=${{ matrix.v }}\n"+
				"      - uses: docker/build-push-action@v6\n        with: {context: ., cache-from: type=gha}\n",
				(i+1)%500))
		}
		p.write(".github/actions/a/action.yml", "runs:\n  using: composite\n  steps:\n"+
			"    - uses: ./.github/actions/a\n    - run: docker build .\n      shell: bash\n")
	}},
	{"services that depend on, extend and are contexts of one another", func(p *hostilePlace) {
		const count = 60
		p.write("compose.yaml", "services:\n"+numbered(count, func(i int) string {
			next, other := (i+1)%count, (i+7)%count
			return fmt.Sprintf("  s%d:\n    depends_on: [s%d, s%d]\n    extends: {service: s%[2]d}\n    build:\n"+
				"      context: .\n      additional_contexts:\n        a: service:s%[2]d\n        b: service:s%[3]d\n"+
				"        c: service:s%[1]d\n", i, next, other)
		}))
		p.write("Dockerfile", "FROM a\nCOPY --from=b / /\nCOPY --from=c / /\nRUN make\n")
	}},
	{"settings of other programs that name programs and places", func(p *hostilePlace) {
		listener, err := net.Listen("unix", p.at("s"))
		if err == nil { // else the path is too long for a socket
			p.Cleanup(func() { listener.Close() })
			go func() {
				for {
					if _, err := listener.Accept(); err != nil {
						return
					}
					_ = os.WriteFile(p.marker, []byte("a connection to a socket of the folder's"), 0o600)
				}
			}()
		}
		socket := "unix://" + filepath.Join(p.dir, "s")
		p.write(".env", strings.ReplaceAll("DOCKER_HOST=S\nBUILDKIT_HOST=S\nBUILDX_BUILDER=evil\nDOCKER_CONFIG=.\n"+
			"PATH=.\nDOCKER_CONTEXT=evil\nXDG_CACHE_HOME=.\nHOME=.\nGIT_SSH_COMMAND=./program\n", "S", socket))
		p.write("compose.yaml", "name: x\nservices:\n  a:\n    build: {context: ., ssh: [default="+socket+
			"], secrets: [x], cache_from: ['type=local,src=/']}\nsecrets: {x: {file: /etc/shadow}}\n")
		p.write(".vscode/settings.json", `{"layerwise.server.path": "`+p.program+`", "layerwise.buildkit": "`+socket+
			`", "layerwise.registry": "on", "docker.host": "`+socket+`"}`)
		p.write(".layerwise.yaml", "server: {path: "+p.program+"}\nbuildkit: "+socket+"\nregistry: on\n")
		p.write(".npmrc", "script-shell="+p.program+"\nnode-options=--require "+p.program+"\nregistry="+socket+"\n")
		p.write(".shellcheckrc", "external-sources=true\nsource-path=/\n")
		p.write(".hadolint.yaml", "trustedRegistries: ["+strings.Repeat("a, ", 100_000)+"b]\n")
		p.write(".editorconfig", "root = true\n"+strings.Repeat("[*{a,{b,{c,d}}}]\nindent_size = 9999999999\n", 10_000))
		p.write(".mailmap", strings.Repeat("A <a@b> <c@d>\n", 100_000))
		p.write(".docker/config.json", `{"credsStore": "evil", "currentContext": "evil", "auths": {}}`)
		p.write("config.json", `{"credsStore": "../../program"}`)
		for _, name := range []string{"docker", "git", "shellcheck", "docker-credential-evil", "buildctl"} {
			p.must(os.WriteFile(p.at(name), []byte("#!/bin/sh\necho \"$0\" >>'"+p.marker+"'\n"), 0o700))
		}
		p.write("Dockerfile", "FROM alpine\nRUN . /dev/zero\nRUN source ./x && # shellcheck source=/dev/zero\n"+
			"COPY . /\n")
		p.repository()
		p.programs(".git/config")
	}},
	{"a GitLab file that includes and extends itself", func(p *hostilePlace) {
		p.write(".gitlab-ci.yml", "include: [.gitlab-ci.yml, {local: /.gitlab-ci.yml}]\nvariables: {A: $A$A$B, B: $A$B}\n"+
			"a: {extends: [a, b], script: ['docker build $A /', '!reference [a, script]']}\nb: {extends: a, script: "+
			"[!reference [b, script]]}\n")
	}},

	// Dockerfiles.
	{"variables that double", func(p *hostilePlace) {
		p.write("Dockerfile", "FROM alpine\nENV A0=xx\n"+numbered(40, func(i int) string {
			return fmt.Sprintf("ENV A%d=$A%d$A%d\n", i+1, i, i)
		})+"RUN echo $A40\nCOPY $A40 /x\nWORKDIR $A40\nLABEL a=${A40}\n")
	}},
	{"arguments that double before FROM", func(p *hostilePlace) {
		p.write("Dockerfile", "ARG A0=xx\n"+numbered(40, func(i int) string {
			return fmt.Sprintf("ARG A%d=${A%d:-x}${A%d}\n", i+1, i, i)
		})+"FROM $A40\nFROM --platform=$A40 x\nCOPY --from=$A40 a b\n")
	}},
	{"shell commands that are deep", func(p *hostilePlace) {
		p.write("Dockerfile", "FROM alpine\nRUN "+strings.Repeat("if a; then ", 3000)+"\nRUN "+
			strings.Repeat(`"$(`, 10_000)+"\nRUN "+strings.Repeat("${a:-", 10_000)+"\nRUN "+strings.Repeat("(", 20_000)+
			"\nRUN "+strings.Repeat("`", 9_999)+"\nRUN echo $(("+strings.Repeat("(1+", 10_000)+"\n")
	}},
	{"shells of Windows that are deep", func(p *hostilePlace) {
		p.write("Dockerfile", "# escape=`\nFROM mcr.microsoft.com/windows/nanoserver\nRUN "+strings.Repeat("if 1==1 (", 5000)+
			"\nSHELL [\"pwsh\", \"-Command\"]\nRUN "+strings.Repeat("$(@{a=", 5000)+"\nRUN "+strings.Repeat("\"$(", 5000)+"\n")
	}},
	{"lines of 100 KB and 10,000 flags", func(p *hostilePlace) {
		p.write("Dockerfile", "FROM alpine\nRUN echo "+strings.Repeat("a", 100_000)+"\nCOPY "+
			strings.Repeat("--chown=1 ", 10_000)+"a b\nRUN "+strings.Repeat("--mount=type=cache,target=/x ", 3000)+"x\nENV "+
			strings.Repeat("a=b ", 10_000)+"\n")
	}},
	{"heredocs without an end and within one another", func(p *hostilePlace) {
		p.write("Dockerfile", "FROM alpine\n"+numbered(3000, func(i int) string { return fmt.Sprintf("RUN <<E%d <<E%d\n", i, i) }))
	}},
	{"5,000 stages upon one another and in a circle", func(p *hostilePlace) {
		p.write("Dockerfile", "FROM s1 AS s0\n"+numbered(5000, func(i int) string {
			return fmt.Sprintf("FROM s%d AS s%d\nCOPY --from=s%d a b\n", i, i+1, i/2)
		}))
	}},
	{"ONBUILD, directives and carriage returns without an end", func(p *hostilePlace) {
		p.write("Dockerfile", "# syntax=\x1b[31m\u202eevil\n# escape=`\nFROM alpine\nONBUILD "+
			strings.Repeat("ONBUILD ", 20_000)+"RUN x\n"+strings.Repeat("RUN a\r", 5000)+strings.Repeat("\\\n", 20_000))
	}},
	{"hostile words everywhere", func(p *hostilePlace) {
		var text strings.Builder
		text.WriteString("FROM alpine AS base\n")
		for _, name := range unfriendlyNames {
			word := strings.NewReplacer("\n", "", "\r", "", " ", "").Replace(name)
			fmt.Fprintf(&text, "COPY %s /x/\nENV A%[1]s=%[1]s\nARG %[1]s=1\nRUN --mount=type=%[1]s %[1]s\n%[1]s a\n"+
				"COPY --from=%[1]s a b\nCOPY --%[1]s=1 a b\nUSER %[1]s\nSHELL [\"%[1]s\"]\nFROM %[1]s AS s%[1]s\n", word)
		}
		p.write("Dockerfile", text.String())
	}},
	{"a list of sums that is called Dockerfile", func(p *hostilePlace) {
		p.write("Dockerfile", numbered(3000, func(i int) string {
			return fmt.Sprintf("example.org/m%d v1.%d.0/go.mod h1:%064d=\n", i, i, i)
		}))
	}},
}

// readNames are the files that are read for what they say, but the settings, which stop most commands.
var readNames = []string{
	"compose.yaml", "compose.override.yaml", "docker-compose.yml", "docker-bake.hcl", "docker-bake.json",
	"docker-bake.override.hcl", ".env", ".dockerignore", "Dockerfile.dockerignore", ".devcontainer/devcontainer.json",
	".devcontainer.json", ".github/workflows/ci.yml", ".gitlab-ci.yml", ".hadolint.yaml", "package.json",
	"package-lock.json", "requirements.txt", "go.mod", "Makefile", "app.Dockerfile", "sub/Dockerfile.dev",
	".editorconfig", ".shellcheckrc", ".trivyignore", "Cargo.toml", "pom.xml", "pnpm-workspace.yaml", ".npmrc",
	".gitattributes", ".mailmap", ".vscode/settings.json",
}

// unfriendlyNames are names of files and words that act, hide or break lines where they are shown as they are.
var unfriendlyNames = []string{
	"a\n::error::evil", "a\r::warning::evil", "\x1b[31mred", "\x1b]0;title\a", "\u202egnp.exe", "\u2066x\u2069",
	"[click](command:evil)", "<img src=x onerror=evil>", "</script><script>evil()", "\xff\xfe", "--output=ran", "$(ran)",
	"\u009b31m", "\u200bx", "a|b", "::error::evil", "%0A::error::evil",
}

func numbered(count int, line func(i int) string) string {
	var b strings.Builder
	for i := range count {
		b.WriteString(line(i))
	}
	return b.String()
}

// doublingYAML is a text whose aliases double 30 times; keys name places that are read.
func doublingYAML(keys ...string) string {
	text := "a0: &a0 [x, x]\n" + numbered(30, func(i int) string {
		return fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	})
	for _, key := range keys {
		text += key + ": *a30\n"
	}
	return text
}

// hostilePlace is a hostile folder that is being made.
type hostilePlace struct {
	*testing.T
	dir, marker, program string
	linger               time.Duration // how long a server is left alone before it is ended
}

func (p *hostilePlace) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *hostilePlace) sub(name string) *hostilePlace {
	other := *p
	other.dir = filepath.Join(p.dir, name)
	p.must(os.MkdirAll(other.dir, 0o700))
	return &other
}

// at is the place of a name, whose folder exists and which itself does not.
func (p *hostilePlace) at(name string) string {
	at := filepath.Join(p.dir, name)
	p.must(os.MkdirAll(filepath.Dir(at), 0o700))
	os.Remove(at)
	return at
}

func (p *hostilePlace) write(name, text string) {
	p.Helper()
	err := os.WriteFile(p.at(name), []byte(text), 0o600)
	if err != nil && !utf8.ValidString(name) {
		p.Logf("no file can be named %q here", name)
		return
	}
	p.must(err)
}

func (p *hostilePlace) append(name, text string) {
	p.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, name), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	p.must(err)
	_, err = f.WriteString(text)
	p.must(errors.Join(err, f.Close()))
}

func (p *hostilePlace) link(to, name string) { p.must(os.Symlink(to, p.at(name))) }

func (p *hostilePlace) pipe(name string) { p.must(syscall.Mkfifo(p.at(name), 0o600)) }

func (p *hostilePlace) socket(name string) {
	listener, err := net.Listen("unix", p.at(name))
	if err != nil {
		p.Logf("no socket: %v", err) // the path is too long for one
		return
	}
	p.Cleanup(func() { listener.Close() })
}

func (p *hostilePlace) git(args ...string) string {
	p.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = p.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (p *hostilePlace) commit() {
	p.git("add", "-A")
	p.git("commit", "-q", "--allow-empty", "-m", "x")
}

// object writes an object of git's, however odd it is.
func (p *hostilePlace) object(kind, content string) string {
	p.Helper()
	cmd := exec.Command("git", "hash-object", "--literally", "-t", kind, "-w", "--stdin")
	cmd.Dir, cmd.Stdin = p.dir, strings.NewReader(content)
	out, err := cmd.Output()
	p.must(err)
	return strings.TrimSpace(string(out))
}

// headOf makes a commit of a tree, which need not be one, the newest.
func (p *hostilePlace) headOf(tree string) {
	head := p.git("rev-parse", "HEAD")
	p.write(".git/refs/heads/main", p.object("commit", "tree "+tree+"\nparent "+head+
		"\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nx\n")+"\n")
}

// repository makes the folder a repository of two commits, with a file that was changed since.
func (p *hostilePlace) repository() {
	if _, err := os.Stat(filepath.Join(p.dir, "sub/a")); err != nil {
		p.write("sub/a", "1")
	}
	p.git("init", "-q", "-b", "main")
	p.commit()
	p.write("sub/a", "2")
	p.commit()
	p.write("sub/a", "3")
}

// programs adds settings of git that name the program.
func (p *hostilePlace) programs(config string) {
	p.append(config, strings.ReplaceAll(`
[core]
	fsmonitor = PROGRAM
	sshCommand = PROGRAM
	pager = PROGRAM
	hooksPath = PROGRAM
	alternateRefsCommand = PROGRAM
[log]
	showSignature = true
[gpg]
	program = PROGRAM
[diff]
	external = PROGRAM
[credential]
	helper = PROGRAM
[uploadpack]
	packObjectsHook = PROGRAM
`, "PROGRAM", p.program))
}

// What a stranger's folder holds makes no command run its programs, hang, grow or print what acts.
func TestHostileFolders(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("NOT CHECKED: hostile folders: git is not installed")
	}
	if testing.Short() {
		t.Skip("NOT CHECKED: hostile folders: they take minutes, and have a step of their own in .ci/test")
	}
	for _, f := range hostileFolders {
		t.Run(f.why, func(t *testing.T) {
			p := newHostilePlace(t)
			f.make(p)
			t.Cleanup(func() { _ = os.Chmod(filepath.Join(p.dir, "shut"), 0o700) })
			for _, args := range [][]string{
				{"check", "."}, {"check", "--format", "github", "."}, {"predict"}, {"predict", "--format", "markdown"},
				{"replay", "--format", "html"}, {"reorder", "--diff"},
			} {
				p.command(args...)
			}
			p.serve(exec.Command(*hostileProgram, "serve"))
			p.untouched()
		})
	}
}

// newHostilePlace is a folder with a Dockerfile and one file, and a program that leaves a mark where it is run.
func newHostilePlace(t *testing.T) *hostilePlace {
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_NOSYSTEM": "1", "BUILDKIT_HOST": "",
		"DOCKER_HOST": "unix:///nowhere", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
		"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com",
	} {
		t.Setenv(name, value)
	}
	top, err := filepath.EvalSymlinks(t.TempDir())
	p := &hostilePlace{T: t, dir: filepath.Join(top, "folder"), marker: filepath.Join(home, "ran")}
	p.must(err)
	p.must(os.Mkdir(p.dir, 0o700))
	p.program = filepath.Join(home, "program")
	p.must(os.WriteFile(p.program, []byte("#!/bin/sh\necho \"$0 $*\" >>'"+p.marker+"'\n"), 0o700))
	p.write("sub/a", "1")
	p.write("Dockerfile", plainDockerfile)
	return p
}

// untouched checks that no program was run, and nothing was told to write.
func (p *hostilePlace) untouched() {
	p.Helper()
	for _, ran := range []string{p.marker, filepath.Join(p.dir, "ran")} {
		if text, err := os.ReadFile(ran); err == nil {
			p.Errorf("a program was run, or told to write:\n%s", text)
		}
	}
}

// How long a command may take on a busy machine before it hangs, and how much memory it may use, in KB.
const (
	hostilePatience = 90 * time.Second
	hostileMemory   = 1500 << 10
)

// hostileProgram is for the question whether a folder did harm to an earlier version.
var hostileProgram = flag.String("hostile-program", "layerwise", "TestHostileFolders: the program that is tried")

// command runs one command in the folder.
func (p *hostilePlace) command(args ...string) {
	ctx, cancel := context.WithTimeout(p.Context(), hostilePatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, *hostileProgram, args...)
	cmd.Dir, cmd.WaitDelay = p.dir, time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	_ = cmd.Run()
	if ctx.Err() != nil {
		p.Errorf("%q hangs", args)
		return
	}
	p.Logf("%q: exit %d, %v, %d MB", args, cmd.ProcessState.ExitCode(), time.Since(began).Round(time.Millisecond),
		peak(cmd.ProcessState)>>10)
	p.ended(args, cmd.ProcessState)
	for _, out := range []string{stdout.String(), stderr.String()} {
		p.clean(fmt.Sprint(args), out)
		rendered := args[len(args)-1] == "html" || args[len(args)-1] == "markdown"
		if args[len(args)-1] == "markdown" {
			out = codeSpan.ReplaceAllString(out, "code")
		}
		if strings.Contains("\n"+out, "\n::error::evil") ||
			rendered && (strings.Contains(out, "<script>evil") || strings.Contains(out, "<img src=x")) {
			p.Errorf("%q: what acts is printed as it is:\n%.2000s", args, out)
		}
		if strings.Contains(out, "goroutine ") {
			p.Errorf("%q: a crash:\n%.4000s", args, out)
		}
	}
}

// codeSpan finds code in Markdown, in which nothing is markup.
var codeSpan = regexp.MustCompile("`[^`\n]*`")

// ended checks how a process has ended, and how much memory it had.
func (p *hostilePlace) ended(what any, state *os.ProcessState) {
	if code := state.ExitCode(); code < 0 || code > 2 {
		p.Errorf("%q: %v", what, state)
	}
	var own syscall.Rusage // a process begins with the pages of the one that starts it
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &own)
	if used := peak(state); used > hostileMemory && used > 2*own.Maxrss {
		p.Errorf("%q used %d MB", what, used>>10)
	}
}

// peak is the most memory that a process had, in KB.
func peak(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss >> 10
	}
	return usage.Maxrss
}

// clean checks that all of a text can be seen and that nothing in it controls a terminal.
func (p *hostilePlace) clean(what, text string) {
	p.Helper()
	for i, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' ||
			r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			p.Errorf("%s: %U is printed as it is: %.200q", what, r, text[max(0, i-80):])
			return
		}
	}
}

// serve opens the folder's files in a server and asks for what editors ask for.
func (p *hostilePlace) serve(cmd *exec.Cmd) {
	cmd.Dir = p.dir
	e := lsptest.Command(p.T, cmd)
	capabilities := map[string]any{"textDocument": map[string]any{
		"hover": map[string]any{"contentFormat": []string{"markdown"}}}}
	e.Initialize(capabilities, map[string]any{"cacheStatus": true}, p.dir)
	ask := func(method string, params any) {
		if method != "textDocument/hover" {
			if !e.Send(method, params).WaitFor(hostilePatience) {
				p.Errorf("%s hangs", method)
			}
			return
		}
		var hover struct{ Contents any }
		if e.Call(method, params, &hover) == nil {
			p.clean(method, fmt.Sprint(hover.Contents))
		}
	}
	ask("workspace/symbol", map[string]any{"query": "a"})
	for uri, text := range p.texts() {
		language := "yaml"
		if strings.Contains(filepath.Base(uri), "Dockerfile") {
			language = "dockerfile"
		}
		e.OpenFile(uri, language, text)
		if language == "dockerfile" {
			_, ok := e.AwaitFor(hostilePatience, "layerwise/cacheStatus", func(params json.RawMessage) bool {
				return strings.Contains(string(params), `"state":"ready"`)
			})
			if !ok {
				p.Errorf("%s: its marks never come", uri)
			}
		}
		lines := strings.Count(text, "\n")
		for _, method := range []string{"documentSymbol", "foldingRange", "documentLink", "codeLens",
			"semanticTokens/full"} {
			ask("textDocument/"+method, lsptest.Document(uri))
		}
		whole := lsptest.Range(0, 0, lines, 0)
		ask("textDocument/inlayHint", lsptest.Document(uri, "range", whole))
		ask("textDocument/codeAction", lsptest.Document(uri, "range", whole, "context",
			map[string]any{"diagnostics": []any{}, "only": []string{"quickfix", "source.fixAll"}}))
		for line := 0; line <= lines; line += 1 + lines/10 {
			at := map[string]any{"line": line, "character": 5}
			ask("textDocument/hover", lsptest.Document(uri, "position", at))
			ask("textDocument/completion", lsptest.Document(uri, "position", at))
		}
	}
	time.Sleep(p.linger)
	ask("shutdown", nil)
	e.Notify("exit", nil)
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
		p.Logf("serve: %d MB", peak(cmd.ProcessState)>>10)
		p.ended("serve", cmd.ProcessState)
	case <-time.After(hostilePatience):
		p.Error("the server does not end")
	}
}

// texts are the files of the folder that an editor would open, by their addresses.
func (p *hostilePlace) texts() map[string]string {
	texts := map[string]string{}
	_ = filepath.WalkDir(p.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() == ".git" || len(path) > 1000 {
			return fs.SkipDir
		}
		name := entry.Name()
		build := strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".hcl")
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() && info.Size() < 500_000 && len(texts) < 12 &&
			(build || strings.Contains(name, "Dockerfile")) && !strings.HasSuffix(name, "ignore") {
			if text, err := os.ReadFile(path); err == nil {
				texts[(&url.URL{Scheme: "file", Path: path}).String()] = strings.ToValidUTF8(string(text), "\ufffd")
			}
		}
		return nil
	})
	return texts
}
