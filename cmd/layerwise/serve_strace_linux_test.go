package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/analysis/golden"
)

// measured names the rows of SECURITY.md's table, in its order.
var measured = []string{"programs", "connections", "read outside of the folder", "written"}

// The system calls of a server in which an ordinary and a hostile folder are opened show no program, connection or path
// outside that SECURITY.md's table does not name. .ci/strace runs this, and writes the table with -update.
func TestSystemCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT CHECKED: the system calls: they are in the step of the hostile folders")
	}
	for _, needed := range []string{"git", "strace"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skipf("NOT CHECKED: the system calls: %s is not installed", needed)
		}
	}
	if out, err := exec.Command("strace", "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("NOT CHECKED: the system calls: strace may not trace here: %v %s", err, out)
	}
	const page = "../../SECURITY.md"
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][2]calls{}
	for column, fill := range []func(*hostilePlace){(*hostilePlace).ordinary, (*hostilePlace).everything} {
		t.Run([]string{"ordinary", "hostile"}[column], func(t *testing.T) {
			p := newHostilePlace(t)
			fill(p)
			for row, found := range p.traced() {
				both := seen[row]
				both[column] = found
				seen[row] = both
			}
			p.untouched()
		})
	}
	var table strings.Builder
	table.WriteString("| | ordinary | hostile |\n|---|---|---|\n")
	for _, row := range measured {
		allowed := regexp.MustCompile(`(?m)^\| ` + row + ` \|(.*)\|(.*)\|$`).FindSubmatch(content)
		if allowed == nil {
			t.Fatalf("%s has no row %q", page, row)
		}
		for column, found := range seen[row] {
			for what, example := range found.example {
				named := string(allowed[1]) + string(allowed[1+column])
				if !golden.Updating() && !strings.Contains(named, "`"+what+"`") {
					t.Errorf("%s, column %d, does not name %s: %s\n%s", page, 1+column, row, what, example)
				}
			}
		}
		fmt.Fprintf(&table, "| %s | %s | %s |\n", row, seen[row][0], seen[row][1])
	}
	t.Logf("\n%s", &table)
	if golden.Updating() {
		at := strings.Index(string(content), "| | ordinary | hostile |")
		if err := os.WriteFile(page, append(content[:at:at], table.String()...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// calls are what system calls were about, each with how often and with one of them.
type calls struct {
	count   map[string]int
	example map[string]string
}

func (c calls) String() string {
	var out []string
	for _, what := range slices.Sorted(maps.Keys(c.count)) {
		out = append(out, "`"+what+"`")
		if !strings.ContainsAny(what, "/$") { // of a program
			out[len(out)-1] += fmt.Sprintf(" (%d)", c.count[what])
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

// ordinary makes the folder a repository as there are many.
func (p *hostilePlace) ordinary() {
	p.write("compose.yaml", "services: {web: {build: .}}\n")
	p.write(".dockerignore", ".git\n")
	p.write(".layerwise.yaml", "rules: {}\n")
	p.repository()
}

// everything makes the folder hostile in many ways that go together.
func (p *hostilePlace) everything() {
	p.write(".gitattributes", "sub/* filter=a=b diff=x merge=x\n")
	p.write("compose.yaml", "include: [a.yaml, /dev/zero]\nservices:\n  a: {build: {context: /, dockerfile: "+p.dir+
		"/Dockerfile, additional_contexts: {x: /etc, y: /proc/self/root}}}\n  web: {build: ., env_file: /etc/passwd}\n"+
		"  b: {extends: {file: /etc/services, service: x}, build: {context: 'ext::"+p.program+"', ssh: [default]}}\n")
	p.write("a.yaml", "include: [compose.yaml]\n")
	p.write(".env", "DOCKER_HOST=tcp://127.0.0.1:1\nBUILDKIT_HOST=tcp://127.0.0.1:1\nPATH="+p.dir+
		"\nCOMPOSE_FILE=/etc/passwd\n")
	p.write("docker-bake.hcl", "target \"a\" {\n  dockerfile = \"/etc/passwd\"\n"+
		"  contexts = { x = \"https://127.0.0.1:1\" }\n"+
		"  cache-from = [\"type=registry,ref=127.0.0.1:1/x\"]\n}\n")
	p.write(".layerwise.yaml", "baseline: \"git:--output=ran\"\nregistry: on\nbuildkit: tcp://127.0.0.1:1\n")
	p.write(".shellcheckrc", "source-path=/etc\nexternal-sources=true\n")
	p.write(".docker/config.json", `{"credsStore":"ran","currentContext":"ran","cliPluginsExtraDirs":["."]}`)
	p.write("Dockerfile", "# syntax=127.0.0.1:1/frontend\nFROM 127.0.0.1:1/x\nADD http://127.0.0.1:1/y /\n"+
		"ADD git@127.0.0.1:x /\nRUN . /etc/passwd; source ./x; $(ran) `ran`\n"+plainDockerfile+"COPY root/etc/passwd sub/passwd up /\n")
	for _, program := range []string{"git", "shellcheck", "docker", "ssh", "buildctl", "credential-ran"} {
		p.write(program, "#!/bin/sh\nexec '"+p.program+"'\n")
		p.must(os.Chmod(filepath.Join(p.dir, program), 0o700))
	}
	p.repository()
	for _, hook := range []string{"post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"} {
		p.write(".git/hooks/"+hook, "#!/bin/sh\nexec '"+p.program+"'\n")
		p.must(os.Chmod(filepath.Join(p.dir, ".git/hooks", hook), 0o700))
	}
	p.append(".git/objects/info/alternates", "/etc\n")
	p.append(".git/config", "[include]\n\tpath = /etc/passwd\n[filter \"a=b\"]\n\tclean = "+p.program+
		"\n\tprocess = "+p.program+"\n")
	p.programs(".git/config")
	p.write("sub/a", "4")
	p.link("..", "up")
	p.link("/", "root")
	p.link("/etc/passwd", "sub/passwd")
	p.link("/dev/zero", "sub/zero")
	p.pipe("sub/pipe")
}

// traced opens the folder in a server whose system calls are written down, and sorts them.
func (p *hostilePlace) traced() map[string]calls {
	p.linger = 2 * time.Second // ShellCheck is asked when nobody types
	logs, home, temporary := p.TempDir(), os.Getenv("HOME"), p.TempDir()
	p.Setenv("TMPDIR", temporary)
	p.Setenv("XDG_CACHE_HOME", "")
	p.Setenv("XDG_CONFIG_HOME", "")
	p.Setenv("DOCKER_HOST", "unix://"+filepath.Join(home, "docker.sock"))
	p.serve(exec.Command("strace", "-ff", "-y", "-qq", "-s", "4096", "-e", "trace=%file,%network", "-e", "signal=none",
		"-o", filepath.Join(logs, "call"), "layerwise", "serve"))
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		p.Errorf("left in the temporary folder: %v %v", left, err)
	}
	s := sorter{dir: p.dir, seen: map[string]calls{}, names: [][2]string{
		{filepath.Join(home, "docker.sock"), "$DOCKER_HOST"}, {home, "~"}, {temporary, "$TMPDIR"},
	}}
	for _, row := range measured {
		s.seen[row] = calls{map[string]int{}, map[string]string{}}
	}
	files, err := filepath.Glob(filepath.Join(logs, "call.*"))
	p.must(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		p.must(err)
		for line := range strings.Lines(string(text)) {
			s.add(line)
		}
	}
	if s.seen["programs"].count["git"] == 0 {
		p.Error("git was not started: the trace means nothing")
	}
	return s.seen
}

// sorter sorts system calls as strace writes them.
type sorter struct {
	dir   string
	names [][2]string // places, and how they are called
	seen  map[string]calls
}

var (
	tracedCall = regexp.MustCompile(`^(\w+)\((.*)\)\s+= (-?\w+)(?:<([^>]*)>)?`)
	tracedPath = regexp.MustCompile(`(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"`)
	tracedPeer = regexp.MustCompile(`sun_path="([^"]*)"|inet_addr\("([^"]*)"|sa_family=(AF_INET6|AF_NETLINK)`)
	changes    = regexp.MustCompile(`^(creat|truncate|mkdir|rmdir|unlink|rename|link|symlink|mknod|chmod|fchmodat|` +
		`chown|lchown|fchownat|utime|futimesat)|O_(WRONLY|RDWR|CREAT|TRUNC)`)
	libraries = regexp.MustCompile(`^/(usr|lib\w*|bin|sbin)(/|$)|^/etc/(ld\.so\.\w+|locale\.alias|localtime)$`)
	kernel    = regexp.MustCompile(`^/(proc|sys)(/|$)`)
)

// add sorts one call. What is read is told by what is opened, with links resolved.
func (s *sorter) add(line string) {
	parts := tracedCall.FindStringSubmatch(line)
	if parts == nil {
		return
	}
	name, args, result, opened := parts[1], parts[2], parts[3], parts[4]
	path := ""
	if found := tracedPath.FindStringSubmatch(args); found != nil {
		if path, _ = strconv.Unquote(`"` + found[2] + `"`); !filepath.IsAbs(path) {
			path = filepath.Join(found[1], path)
		}
	}
	open := strings.HasPrefix(name, "open")
	switch failed := strings.HasPrefix(result, "-"); {
	case name == "execve" && failed, strings.HasSuffix(path, "/layerwise"):
	case name == "execve" && libraries.MatchString(path):
		s.note("programs", filepath.Base(path), line)
	case name == "execve":
		s.note("programs", s.called(path), line)
	case name == "connect" || name == "bind" || name == "sendto":
		for _, peer := range tracedPeer.FindAllStringSubmatch(args, -1) {
			s.note("connections", s.called(peer[1]+peer[2]+peer[3]), line)
		}
	case changes.MatchString(name) || open && changes.MatchString(args):
		if opened != "" {
			path = opened
		}
		if path != os.DevNull {
			s.note("written", s.called(path), line)
		}
	case open:
		if opened != "" {
			path = opened
		}
		if at := s.called(path); at != "." {
			s.note("read outside of the folder", at, line)
		}
	}
}

func (s *sorter) note(row, what, line string) {
	s.seen[row].count[what]++
	s.seen[row].example[what] = strings.TrimSpace(line)
}

var (
	numbers = regexp.MustCompile(`-\d+$`)
	homely  = regexp.MustCompile(`^~/(\.cache/layerwise|\.config/git|\.docker|\.\w+)`)
)

// called is what a path is called in the table: the folder is ".", and what belongs together has one name.
func (s *sorter) called(path string) string {
	if path == s.dir || strings.HasPrefix(path, s.dir+"/") {
		return "."
	}
	if strings.HasPrefix(s.dir, path+"/") {
		return ".."
	}
	if libraries.MatchString(path) {
		return "/usr"
	}
	if first := kernel.FindStringSubmatch(path); first != nil {
		return "/" + first[1]
	}
	for _, name := range s.names {
		if rest, ok := strings.CutPrefix(path, name[0]); ok {
			path = name[1] + rest
		}
	}
	if rest, ok := strings.CutPrefix(path, "$TMPDIR/"); ok {
		first, _, _ := strings.Cut(rest, "/")
		return "$TMPDIR/" + numbers.ReplaceAllString(first, "-*")
	}
	if short := homely.FindString(path); short != "" {
		return short
	}
	return path
}
