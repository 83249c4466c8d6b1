package gittree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// programKeys are the documented settings of git that name a program, or a folder, file or place that a program is
// taken from. MARKER is a program that leaves a file behind.
var programKeys = []string{
	"alias.cat-file=!MARKER", "alias.config=!MARKER", "alias.for-each-ref=!MARKER", "alias.log=!MARKER",
	"alias.ls-files=!MARKER",
	"alias.ls-tree=!MARKER", "alias.merge-base=!MARKER", "alias.rev-list=!MARKER", "alias.rev-parse=!MARKER",
	"browser.x.cmd=MARKER", "browser.x.path=MARKER", "core.alternateRefsCommand=MARKER", "core.askPass=MARKER",
	"core.editor=MARKER", "core.fsmonitor=MARKER", "core.gitProxy=MARKER", "core.hooksPath=HOOKS", "core.pager=MARKER",
	"core.sshCommand=MARKER", "credential.helper=!MARKER", "diff.external=MARKER", "diff.x.command=MARKER",
	"diff.x.textconv=MARKER", "difftool.x.cmd=MARKER", "difftool.x.path=MARKER", "filter.x.clean=MARKER",
	"filter.x.smudge=MARKER", "filter.x.process=MARKER", "filter.x.required=true", "filter.a=b.clean=MARKER",
	"filter.a=b.process=MARKER", "filter.a=b.required=true", "filter.onlyclean.clean=MARKER", "gitcvs.dbDriver=MARKER",
	"gpg.program=MARKER", "gpg.openpgp.program=MARKER", "gpg.x509.program=MARKER", "gpg.ssh.program=MARKER",
	"gpg.ssh.defaultKeyCommand=MARKER", "guitool.x.cmd=MARKER", "help.browser=MARKER", "http.proxy=http://localhost:1",
	"imap.tunnel=MARKER", "instaweb.browser=MARKER", "instaweb.httpd=MARKER", "instaweb.modulePath=MARKER",
	"log.showSignature=true", "man.x.cmd=MARKER", "man.x.path=MARKER", "man.viewer=x", "merge.x.driver=MARKER",
	"merge.guitool=x", "merge.tool=x", "mergetool.x.cmd=MARKER", "mergetool.x.path=MARKER", "pager.cat-file=MARKER",
	"pager.config=MARKER", "pager.log=MARKER", "pager.ls-tree=MARKER", "pager.rev-list=MARKER",
	"pager.rev-parse=MARKER",
	"protocol.allow=always", "protocol.ext.allow=always", "remote.origin.proxy=http://localhost:1",
	"remote.origin.promisor=true", "remote.origin.partialclonefilter=blob:none", "remote.origin.receivepack=MARKER",
	"remote.origin.uploadpack=MARKER", "remote.origin.url=ext::MARKER", "remote.ssh.promisor=true",
	"remote.ssh.url=ssh://localhost/x",
	"remote.vcs.promisor=true", "remote.vcs.url=x", "remote.vcs.vcs=ext", "remote.file.promisor=true",
	"remote.file.url=.",
	"remote.file.uploadpack=MARKER", "extensions.partialClone=origin", "core.repositoryFormatVersion=1",
	"sendemail.aliasesFile=MARKER",
	"sendemail.ccCmd=MARKER", "sendemail.headerCmd=MARKER", "sendemail.sendmailCmd=MARKER",
	"sendemail.smtpServer=MARKER",
	"sendemail.tocmd=MARKER", "sequence.editor=MARKER", "status.submoduleSummary=true", "submodule.recurse=true",
	"submodule.x.update=!MARKER", "tar.x.command=MARKER", "trailer.x.cmd=MARKER", "trailer.x.command=MARKER",
	"trailer.x.key=x", "uploadpack.packObjectsHook=MARKER", "url.ext::MARKER .insteadOf=x", "web.browser=MARKER",
	"core.untrackedCache=true", "feature.manyFiles=true", "diff.trustExitCode=true", "help.autocorrect=1",
	"gc.recentObjectsHook=MARKER",
	"hook.x.command=MARKER", "hook.x.event=post-index-change", "include.path=included",
	"includeIf.gitdir:/.path=included",
}

// harmlessKeys look as if they named a program and do not.
var harmlessKeys = regexp.MustCompile(
	`(?i)^(advice|color|column|commit|completion|fsck|fsmonitor|interactive|receive|stash|clean)\.|` +
		`^(pager|guitool|hook|remote|difftool|mergetool|merge|rebase|notes|push|credential|core|http|ssh|uploadpack|` +
		`uploadpackfilter|url|diff|gpg|sendemail|help|promisor)\.` +
		`.*(version|trustexitcode|hideresolved|keep|layout|hasoutput|usexx|prompt|writetotemp|meld|recursive|\.name|` +
		`cachetextconv|` +
		`wordregex|xfuncname|binary|abbreviate|rewrite|force|quotepath|usehttppath|sanitizeprompt|protectprotocol|` +
		`authmethod|sslc|sslkey|cainfo|capath|noverify|` +
		`variant|allow|hiderefs|keepalive|tree|insteadof|allowedsigners|revocation|filetype|forbid|smtp|path$|` +
		`pager\.<cmd>|argprompt|` +
		`title|subtitle|confirm|needsfile|noconsole|norescan|revprompt|revunmerged|advertise|accept|checkfields|` +
		`storefields|sendfields)|` +
		`^(help\.htmlpath|includeif\.<condition>\.path|fetch\..*|trailer\..*)$`,
)

// hostile makes a repository whose configuration, hooks, attributes and index ask git to run a program wherever they
// can.
func hostile(t *testing.T) (r repo, marker string) {
	t.Helper()
	r = newRepo(t)
	marker = filepath.Join(t.TempDir(), "ran")
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$0 $*\" >>'"+marker+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	module := newRepo(t)
	module.write("a.txt", "1", 0o644)
	module.commit()
	r.write("Dockerfile", "FROM scratch\nCOPY . .\n", 0o644)
	r.write(
		".gitattributes",
		"*.txt filter=a=b\n*.up filter=x diff=x merge=x\n*.cl filter=onlyclean\n*.lf text eol=crlf\n",
		0o644,
	)
	for _, name := range []string{"a.txt", "b.up", "c.cl", "d.lf", "app/e.txt"} {
		r.write(name, "1\n", 0o644)
	}
	r.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", module.dir, "mod")
	r.commit()
	r.write("d.lf", "2\n", 0o644)
	r.commit()
	// A signed commit, which log.showSignature would have checked.
	signed := strings.Replace(
		r.git("cat-file", "commit", "HEAD"),
		"\n\n",
		"\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n\n",
		1,
	) + "\n"
	id := r.pipe(signed, "hash-object", "-t", "commit", "-w", "--stdin")
	r.git("update-ref", "HEAD", id)
	r.git("update-ref", "refs/remotes/origin/main", "HEAD~")
	for _, name := range []string{"a.txt", "b.up", "c.cl", "app/e.txt"} {
		r.write(name, "3\n", 0o644) // of the same size: git would run the filter to compare
	}
	hooks := filepath.Join(r.dir, ".git", "hooks")
	for _, name := range []string{"post-index-change", "reference-transaction", "post-checkout",
		"fsmonitor-watchman", "query-watchman", "pre-auto-gc", "post-rewrite"} {
		copyFile(t, program, filepath.Join(hooks, name))
	}
	var config strings.Builder
	for _, setting := range programKeys {
		// The value follows the last "=", but for that of an ext:: address.
		key, value, _ := strings.Cut(setting, "=")
		if strings.HasPrefix(setting, "filter.a=b.") {
			key, value, _ = strings.Cut(strings.TrimPrefix(setting, "filter.a=b."), "=")
			key = "filter.a=b." + key
		}
		value = strings.NewReplacer("MARKER", program, "HOOKS", hooks).Replace(value)
		section, name := key[:strings.LastIndexByte(key, '.')], key[strings.LastIndexByte(key, '.')+1:]
		if top, sub, ok := strings.Cut(section, "."); ok {
			fmt.Fprintf(&config, "[%s %q]\n", top, strings.ReplaceAll(sub, "MARKER", program))
		} else {
			fmt.Fprintf(&config, "[%s]\n", section)
		}
		fmt.Fprintf(&config, "\t%s = %q\n", name, value)
	}
	for _, dir := range []string{".git", ".git/modules/mod"} {
		file, err := os.OpenFile(filepath.Join(r.dir, dir, "config"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(file, config.String())
		if err = errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	r.write(".git/included", "[core]\n\tfsmonitor = "+program+"\n[filter \"y\"]\n\tclean = "+program+"\n", 0o644)
	return r, marker
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// pipe runs git with an input, without checking what it says.
func (r repo) pipe(in string, args ...string) string {
	r.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = r.dir, strings.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		r.Fatalf("git %s: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// useEverything calls every function that reads a repository, with revisions that need what is missing too.
func useEverything(t *testing.T, ctx context.Context, dir string) (answers int) {
	t.Helper()
	r, err := Open(ctx, dir)
	if err != nil {
		t.Logf("Open: %v", err)
		return 0
	}
	defer r.Close()
	note := func(what string, err error) {
		if err != nil {
			t.Logf("%s: %v", what, err)
			return
		}
		answers++
	}
	dockerfile := filepath.Join(dir, "Dockerfile")
	for _, rev := range []string{"HEAD", "HEAD~", "main", "origin/main...HEAD", strings.Repeat("1", 40), "@{1}",
		":/x", ":0:a.txt"} {
		_, err := r.Resolve(ctx, rev)
		note("Resolve "+rev, err)
		_, err = r.ReadFile(ctx, dockerfile, rev)
		note("ReadFile "+rev, err)
	}
	for _, target := range []string{"", "main"} {
		_, err := r.MergeBase(ctx, Target{Branch: target})
		note("MergeBase", err)
	}
	r.WatchPaths()
	tree, err := r.Load(ctx, dir, "HEAD", dockerfile, scan(t, dir))
	note("Load", err)
	if err == nil {
		diff(tree, scan(t, dir))
		for _, name := range []string{"a.txt", "b.up", "c.cl", "d.lf", "app/e.txt"} {
			_, err := tree.Digest(buildcontext.Query{Path: "/" + name})
			note("the digest of "+name, err)
		}
	}
	_, err = r.History(ctx, HistoryRequest{ContextDir: dir, Dockerfile: dockerfile, Limit: 9}, nil)
	note("History", err)
	return answers
}

// Nothing that a repository names is run, whatever function reads it; git itself would run it.
func TestNothingRuns(t *testing.T) {
	r, marker := hostile(t)
	if n := useEverything(t, t.Context(), r.dir); n < 15 {
		t.Errorf("only %d answers: too little was read for this test to mean something", n)
	}
	// A file that is missing, of a partial clone.
	blob := r.git("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "rev-parse", "HEAD:Dockerfile")
	if err := os.Remove(filepath.Join(r.dir, ".git/objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	useEverything(t, t.Context(), r.dir)
	if text, err := os.ReadFile(marker); err == nil {
		t.Fatalf("a program was run:\n%s", text)
	}
	for _, args := range [][]string{{"log", "-1"}, {"status"}, {"cat-file", "-p", blob}} {
		ctx, end := context.WithTimeout(t.Context(), 20*time.Second)
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = r.dir
		_ = cmd.Run()
		end()
		if _, err := os.Stat(marker); err != nil {
			t.Errorf("git %s ran nothing: the repository is not hostile enough for this test to mean something", args)
		}
		os.Remove(marker)
	}
}

// Every setting that git documents and that looks as if it named a program is tried by TestNothingRuns, or is known not
// to.
func TestProgramKeysAreComplete(t *testing.T) {
	r := newRepo(t)
	tried := map[string]bool{}
	for _, setting := range programKeys {
		key, _, _ := strings.Cut(setting, "=")
		parts := strings.Split(key, ".")
		tried[strings.ToLower(parts[0]+"."+parts[len(parts)-1])] = true
		if parts[0] == "alias" || parts[0] == "pager" {
			tried[parts[0]] = true
		}
	}
	looks := regexp.MustCompile(
		`(?i)program|command|cmd|pager|editor|helper|textconv|hook|fsmonitor|smudge|clean|process|ssh|proxy|driver|` +
			`external|` +
			`path$|browser|askpass|sendmail|smtp|alias|include|vcs|uploadpack|receivepack|viewer|tunnel`,
	)
	for key := range strings.Lines(r.git("help", "--config")) {
		key = strings.TrimSpace(key)
		parts := strings.Split(strings.ToLower(key), ".")
		short := parts[0] + "." + parts[len(parts)-1]
		if looks.MatchString(key) && !tried[short] && !tried[parts[0]] && !harmlessKeys.MatchString(key) {
			t.Errorf("%s is not tried", key)
		}
	}
}

// A folder that looks like a repository without a working tree is none: it can be committed. The repository around it
// counts, or none.
func TestBareRepositoryInFolder(t *testing.T) {
	r := newRepo(t)
	r.fill()
	bare := filepath.Join(r.dir, "evil")
	r.git("clone", "-q", "--bare", r.dir, bare)
	config := "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = touch ran\n"
	r.write("evil/config", config, 0o644)
	r.write("evil/Dockerfile", "FROM scratch\n", 0o644)
	r.git("add", "-A")
	r.git("commit", "-qm", "x")
	got, err := Open(t.Context(), bare)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if real, _ := filepath.EvalSymlinks(r.dir); got.top != real {
		t.Errorf("the repository of evil/ is %s, want %s", got.top, real)
	}
	if text, err := got.ReadFile(t.Context(), filepath.Join(bare, "Dockerfile"), "HEAD"); err != nil ||
		string(text) != "FROM scratch\n" {
		t.Errorf("ReadFile = %q, %v", text, err)
	}
	alone := filepath.Join(t.TempDir(), "evil")
	if err := os.CopyFS(alone, os.DirFS(bare)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), alone); !errors.Is(err, ErrNotRepository) {
		t.Errorf("a bare repository with a working tree of its own: %v", err)
	}
	// As .git it is taken for one of somewhere else.
	r.git("config", "core.worktree", alone)
	if _, err := Open(t.Context(), r.dir); !errors.Is(err, ErrNotRepository) {
		t.Errorf("core.worktree names another folder: %v", err)
	}
}

// A tree can hold names that no checkout writes: they lead nowhere, and nothing is written outside of the temporary
// folder.
func TestHostileNames(t *testing.T) {
	r := newRepo(t)
	r.write("Dockerfile", "FROM scratch\n", 0o644)
	r.write("x", "* text eol=crlf\n", 0o644)
	r.commit()
	blob, link := r.git("rev-parse", "HEAD:x"), r.pipe("../../../../../../../../../../tmp", "hash-object", "-w",
		"--stdin")
	tree := func(lines ...string) string {
		var data bytes.Buffer
		for _, line := range lines {
			head, id, _ := strings.Cut(line, "\t")
			data.WriteString(head + "\x00")
			for i := 0; i < len(id); i += 2 {
				var b byte
				fmt.Sscanf(id[i:i+2], "%02x", &b)
				data.WriteByte(b)
			}
		}
		return r.pipe(data.String(), "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
	}
	escaped := "layerwise-escaped-" + filepath.Base(r.dir)
	inner := tree("100644 .gitattributes\t"+blob, "100644 a\t"+blob)
	up := tree("40000 "+escaped+"\t"+inner, "100644 .gitattributes\t"+blob)
	for range 4 {
		up = tree("40000 ..\t"+up, "100644 .gitattributes\t"+blob)
	}
	top := tree(
		"120000 .gitattributes\t"+link,
		"40000 ..\t"+up,
		"40000 .GIT\t"+inner,
		"100644 Dockerfile\t"+blob,
		"40000 sub\t"+inner,
	)
	commit := r.pipe("x", "commit-tree", top)
	r.git("update-ref", "HEAD", commit)
	useEverything(t, t.Context(), r.dir)
	loaded := r.load("HEAD")
	for _, name := range []string{"sub/a", "Dockerfile"} {
		if _, ok := loaded.Lookup(name); !ok {
			t.Errorf("%s is missing", name)
		}
	}
	if n := len(loaded.Root().Children()); n != 3 {
		t.Errorf("%d entries, want .gitattributes, Dockerfile and sub", n)
	}
	for _, dir := range []string{os.TempDir(), filepath.Dir(os.TempDir()), r.dir} {
		for _, name := range []string{".gitattributes", escaped} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				t.Errorf("%s was written in %s", name, dir)
			}
		}
	}
}

// Trees that name one another stand for more paths than there is memory: that is an error, soon.
func TestTreeOfTooManyPaths(t *testing.T) {
	r := newRepo(t)
	r.write("Dockerfile", "FROM scratch\n", 0o644)
	r.commit()
	blob := r.git("rev-parse", "HEAD:Dockerfile")
	tree := r.pipe("100644 blob "+blob+"\tDockerfile\n", "mktree")
	for range 12 {
		var lines strings.Builder
		for i := range 10 {
			fmt.Fprintf(&lines, "040000 tree %s\td%d\n", tree, i)
		}
		fmt.Fprintf(&lines, "100644 blob %s\tDockerfile\n", blob)
		tree = r.pipe(lines.String(), "mktree")
	}
	r.git("update-ref", "HEAD", r.pipe("x", "commit-tree", tree))
	opened, err := Open(t.Context(), r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	opened.maxEntries = 20_000 // the real limit takes its time
	if _, err := opened.Load(t.Context(), r.dir, "HEAD", "", nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Load: %v", err)
	}
	h, err := opened.History(
		t.Context(),
		HistoryRequest{ContextDir: r.dir, Dockerfile: filepath.Join(r.dir, "Dockerfile"), Limit: 2},
		nil,
	)
	if err != nil || len(h.Notes) == 0 || h.Revisions[0].Context != nil {
		t.Errorf("History: %+v, %v", h, err)
	}
}

// A file that people write is read up to a limit: an object of a few kilobytes can unpack to gigabytes.
func TestObjectsThatAreTooLarge(t *testing.T) {
	r := newRepo(t)
	r.write("Dockerfile", "FROM scratch\n"+strings.Repeat("#", textfile.Limit), 0o644)
	r.write(".dockerignore", strings.Repeat("a\n", textfile.Limit), 0o644)
	r.commit()
	if _, err := ReadFile(t.Context(), filepath.Join(r.dir, "Dockerfile"), "HEAD"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("ReadFile: %v", err)
	}
	tree, err := Load(t.Context(), r.dir, "HEAD", filepath.Join(r.dir, "Dockerfile"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Digest(everything[0]); !errors.Is(err, buildcontext.ErrUnknown) {
		t.Errorf("the digest with such an ignore file: %v", err)
	}
	h, err := loadHistory(
		t.Context(),
		HistoryRequest{ContextDir: r.dir, Dockerfile: filepath.Join(r.dir, "Dockerfile"), Limit: 2},
		nil,
	)
	if err != nil || len(h.Notes) != 1 || !strings.Contains(h.Notes[0], "too large") {
		t.Errorf("History: %+v, %v", h, err)
	}
}

// Where git's files are pipes to which nobody writes, nothing waits for ever: what can be seen is refused before git is
// run, and git is ended when it is silent for too long.
func TestPipesInRepository(t *testing.T) {
	for _, name := range []string{".git/HEAD", ".git/config", ".git/packed-refs", ".git/shallow",
		".git/objects/info/alternates", ".git/commondir", ".git/refs/heads/main", ".git"} {
		r := newRepo(t)
		r.fill()
		at := filepath.Join(r.dir, filepath.FromSlash(name))
		os.RemoveAll(at)
		mkfifo(t, at)
		if _, err := Open(t.Context(), r.dir); !errors.Is(err, ErrNotRepository) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := newRepo(t)
	r.fill()
	opened, err := Open(t.Context(), r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	mkfifo(t, filepath.Join(r.dir, ".git/refs/heads/blocks"))
	opened.asking.patience = 100 * time.Millisecond
	if _, err := opened.Resolve(t.Context(), "blocks"); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("a reference that blocks: %v", err)
	}
	id := r.git("rev-parse", "HEAD:Dockerfile")
	object := filepath.Join(r.dir, ".git/objects", id[:2], id[2:])
	os.Remove(object)
	mkfifo(t, object)
	opened.reading.patience = 100 * time.Millisecond
	if _, err := opened.ReadFile(t.Context(), filepath.Join(r.dir, "Dockerfile"), "HEAD"); !errors.Is(
		err,
		ErrNoAnswer,
	) {
		t.Errorf("an object that blocks: %v", err)
	}
}

// Settings that include a pipe are refused before git is run, however the pipe is named; those that include files are
// not, nor those of which git is not known to read the part.
func TestPipesIncluded(t *testing.T) {
	for settings, refused := range map[string]bool{
		"[include]\n\tpath = pipe\n":                                true,
		"[INCLUDE]path=\"pi\\\npe\"; a comment\n":                   true,
		"[includeIf \"gitdir:/nowhere/\"]\n\tpath = ../.git/pipe\n": true,
		"[include]\n\tpath = more\n":                                true,
		"[include]\n\tpath = circle\n":                              false,
		"[include]\n\tpath = nowhere\n[includes]\n\tpath = pipe\n":  false,
		"[include]\n\tpath = ~nobody-by-this-name/x\n":              true,
		"[include]\n\tpath = pipe\n[unfinished\n":                   true,
	} {
		r := newRepo(t)
		r.fill()
		mkfifo(t, filepath.Join(r.dir, ".git/pipe"))
		r.write(".git/more", "[include]\n\tpath = pipe\n", 0o600)
		r.write(".git/circle", "[include]\n\tpath = circle\n[user]\n\tname = x\n", 0o600)
		config, err := os.ReadFile(filepath.Join(r.dir, ".git/config"))
		if err != nil {
			t.Fatal(err)
		}
		r.write(".git/config", string(config)+settings, 0o600)
		began := time.Now()
		opened, err := Open(t.Context(), r.dir)
		if circle := strings.Contains(settings, "circle"); errors.Is(err, ErrNotRepository) != refused && !circle ||
			time.Since(began) > shortPatience/2 {
			t.Errorf("%q: %v after %v", settings, err, time.Since(began))
		}
		if err == nil {
			opened.Close()
		}
	}
}

// What git reads as a whole is not too long, and no reference is a link to a folder, such as the root of the disk.
func TestEndlessFilesInRepository(t *testing.T) {
	for _, name := range []string{".git/HEAD", ".git/config", ".git/packed-refs", ".git/shallow",
		".git/objects/info/alternates", ".git/commondir", ".git/refs/heads/main", ".git/refs/heads/other"} {
		r := newRepo(t)
		r.fill()
		at := filepath.Join(r.dir, filepath.FromSlash(name))
		if file, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE, 0o600); err != nil || file.Close() != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(at, 1<<40); err != nil {
			t.Skipf("SKIPPED: no sparse files: %v", err)
		}
		if _, err := Open(t.Context(), r.dir); !errors.Is(err, ErrNotRepository) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, at := range []string{".git/refs/tags/x", ".git/refs/heads/x", ".git/refs/remotes/x"} {
		for to, refused := range map[string]bool{"/": true, "../..": true, "nowhere": false, os.DevNull: true} {
			r := newRepo(t)
			r.fill()
			link := filepath.Join(r.dir, filepath.FromSlash(at))
			if os.MkdirAll(filepath.Dir(link), 0o700) != nil || os.Symlink(to, link) != nil {
				t.Skip("SKIPPED: no links")
			}
			if _, err := Open(t.Context(), r.dir); errors.Is(err, ErrNotRepository) != refused {
				t.Errorf("%s -> %s: %v", at, to, err)
			}
		}
	}
}

// Folders of objects that a repository borrows from are looked at like its own, and are not very many: git would look
// for each object in all of them.
func TestAlternates(t *testing.T) {
	for _, c := range []struct {
		why    string
		list   func(r repo, other string) string
		opened bool
	}{
		{"a folder beside it", func(_ repo, other string) string { return other + "\n" }, true},
		{"a folder in quotes, a comment, itself", func(r repo, other string) string {
			return "# x\n\n" + strconv.Quote(other) + "\n../objects\n" + r.dir + "/.git/objects\n"
		}, true},
		{"folders that do not exist", func(repo, string) string { return "nowhere\n/nowhere/at/all\n" }, true},
		{"100,000 times the same", func(repo, string) string { return strings.Repeat("/nowhere\n", 100_000) }, false},
		{"1,000 different ones", func(repo, string) string {
			var list strings.Builder
			for i := range 1000 {
				fmt.Fprintf(&list, "/nowhere/%d\n", i)
			}
			return list.String()
		}, false},
		{"a folder with a pipe that git does not look at", func(_ repo, other string) string {
			mkfifo(t, filepath.Join(other, "other", "pipe"))
			return other
		}, true},
		{"a folder with a pipe", func(_ repo, other string) string {
			mkfifo(t, filepath.Join(other, "pack", "pack-1.idx"))
			return "a\n" + other
		}, false},
		{"a folder whose own list is a pipe", func(_ repo, other string) string {
			mkfifo(t, filepath.Join(other, "info", "alternates"))
			return other
		}, false},
		{"a folder that borrows from one with a pipe", func(r repo, other string) string {
			mkfifo(t, filepath.Join(r.dir, "sub", "pack", "x"))
			if err := os.WriteFile(other+"/info/alternates", []byte(r.dir+"/sub"), 0o600); err != nil {
				t.Fatal(err)
			}
			return other
		}, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := newRepo(t)
			r.fill()
			other := t.TempDir()
			for _, dir := range []string{other + "/info", other + "/other", other + "/pack", r.dir + "/sub/pack"} {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			list := filepath.Join(r.dir, ".git/objects/info/alternates")
			if err := os.WriteFile(list, []byte(c.list(r, other)), 0o600); err != nil {
				t.Fatal(err)
			}
			opened, err := Open(t.Context(), r.dir)
			if err == nil {
				opened.Close()
			}
			if c.opened != (err == nil) || err != nil && !errors.Is(err, ErrNotRepository) {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

// A signed commit and log.showSignature in the user's own configuration change nothing.
func TestShowSignature(t *testing.T) {
	r := newRepo(t)
	r.fill()
	signed := strings.Replace(
		r.git("cat-file", "commit", "HEAD"),
		"\n\n",
		"\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n\n",
		1,
	) + "\n"
	id := r.pipe(signed, "hash-object", "-t", "commit", "-w", "--stdin")
	r.git("update-ref", "HEAD", id)
	r.git("config", "--global", "log.showSignature", "true")
	h, err := loadHistory(
		t.Context(),
		HistoryRequest{ContextDir: r.dir, Dockerfile: filepath.Join(r.dir, "Dockerfile"), Limit: 2},
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Revisions) != 1 || h.Revisions[0].ID != id || h.Revisions[0].Subject != "x" {
		t.Errorf("%+v", h.Revisions)
	}
}

// Reading a repository starts a handful of git processes, however much of it is read.
func TestFewProcesses(t *testing.T) {
	r := newRepo(t)
	r.fill()
	r.write(".gitattributes", "*.txt text eol=crlf\n", 0o644)
	r.commit()
	log := filepath.Join(t.TempDir(), "log")
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := "#!/bin/sh\necho x >>'" + log + "'\nexec '" + real + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	opened, err := Open(t.Context(), r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	for _, name := range []string{"Dockerfile", "run.sh", "src/a.txt", "src.txt", "compose.yaml", ".env"} {
		for range 5 {
			_, err := opened.ReadFile(t.Context(), filepath.Join(r.dir, name), "HEAD")
			if err != nil && !errors.Is(err, ErrNotInRevision) {
				t.Error(err)
			}
		}
	}
	counts := []int{count(t, log)}
	if _, err := opened.Load(t.Context(), r.dir, "HEAD", filepath.Join(r.dir, "Dockerfile"), nil); err != nil {
		t.Error(err)
	}
	counts = append(counts, count(t, log))
	h := HistoryRequest{ContextDir: r.dir, Dockerfile: filepath.Join(r.dir, "Dockerfile"), Limit: 9}
	if _, err := opened.History(t.Context(), h, nil); err != nil {
		t.Error(err)
	}
	counts = append(counts, count(t, log))
	t.Logf("git processes after 30 files, a tree, a history: %d", counts)
	if most := []int{14, 19, 26}; slices.ContainsFunc([]int{0, 1, 2}, func(i int) bool { return counts[i] > most[i] }) {
		t.Errorf("git processes after 30 files, a tree, a history: %d, want at most %d", counts, most)
	}
}

func count(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}
