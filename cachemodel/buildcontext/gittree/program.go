package gittree

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// What may be wrong with a repository or revision; errors of this package wrap one of these where it fits.
var (
	ErrNoGit           = errors.New("the git program was not found")
	ErrNotRepository   = errors.New("not in the working tree of a git repository")
	ErrUnborn          = errors.New("the git repository has no commit yet")
	ErrUnknownRevision = errors.New("unknown git revision")
	ErrNotInRevision   = errors.New("not in the git revision")
	ErrMissingObject   = errors.New("the object is not in this partial clone")
	ErrTooLarge        = errors.New("is too large to be read from git")
	ErrFiltered        = errors.New("a filter program makes its contents, which is not run")
	ErrLinkOutside     = errors.New("a symbolic link leads out of the git repository")
	ErrShallow         = errors.New("this clone is shallow and lacks the commits that are needed")
	ErrNoAnswer        = errors.New("git does not answer")
)

// How long git may be silent: a named pipe in the place of one of the repository's files blocks it for ever.
const (
	patience      = 2 * time.Minute // a walk through the history of a large repository says nothing for a while
	shortPatience = 30 * time.Second
)

// maxOutput is how much of a short answer is read, and maxMessage of what git says about an error.
const (
	maxOutput  = 64 << 20
	maxMessage = 4 << 10
)

// program is the git program in one directory with one environment. It is the only place that starts git.
//
// Two kinds are used, and neither runs anything that a folder could bring along. Objects are read with a git directory
// of our own, which takes nothing from the repository but its objects, so that there is no configuration of the
// repository that could name a program (see Repository.isolate). What is left, the repository itself, is asked only
// where its directory is, what a revision's name stands for and what its configuration holds: rev-parse and config,
// which run no programs.
type program struct {
	dir      string
	env      []string // all of it
	patience time.Duration
}

// locked are settings before which those of a repository or user give way. The commands that are run read none of those
// that name programs; this is for a git that one day does.
var locked = []string{
	"core.fsmonitor=false", "core.hooksPath=" + os.DevNull, "core.pager=cat", "core.editor=false", "core.askPass=false",
	"core.sshCommand=false", "core.gitProxy=false", "core.alternateRefsCommand=false", "credential.helper=",
	"diff.external=", "log.showSignature=false", "gpg.program=false", "protocol.allow=never", "submodule.recurse=false",
	"fetch.recurseSubmodules=false", "safe.bareRepository=explicit", "gc.auto=0", "maintenance.auto=false",
}

// hostEnvironment is the environment of this process without what points git at another repository or names programs.
// GIT_DIR and its like do not count: the repository is the one that a file lies in.
func hostEnvironment() []string {
	keep := []string{
		"GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CEILING_DIRECTORIES",
	}
	drop := []string{"PAGER", "EDITOR", "VISUAL", "SSH_ASKPASS"}
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "GIT_") && !slices.Contains(keep, name) || slices.Contains(drop, name)
	})
	for i, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if strings.EqualFold(name, "PATH") { // a relative element is a folder of whoever owns the current directory
			list := slices.DeleteFunc(filepath.SplitList(value), func(dir string) bool { return !filepath.IsAbs(dir) })
			env[i] = name + "=" + strings.Join(list, string(filepath.ListSeparator))
		}
	}
	// GIT_ALLOW_PROTOCOL: versions before 2.45 do not know GIT_NO_LAZY_FETCH. GIT_ALLOC_LIMIT is for one allocation: of
	// an object that unpacks to more than it should.
	return append(env, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1",
		"GIT_ALLOW_PROTOCOL=none", "GIT_NO_REPLACE_OBJECTS=1", "GIT_PAGER=cat", "GIT_EDITOR=false", "GIT_ASKPASS=false",
		"GIT_SSH_COMMAND=false", "GIT_ALLOC_LIMIT=1g", "GIT_TRACE2=0", "GIT_TRACE2_EVENT=0", "GIT_TRACE2_PERF=0")
}

// process is git while it runs.
type process struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	cmd     *exec.Cmd
	out     *bufio.Reader
	silence *time.Timer
	limit   time.Duration
	message limited
	command string
}

// limited keeps the beginning of what is written.
type limited struct{ text []byte }

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	l.text = append(l.text, p[:min(len(p), maxMessage-len(l.text))]...)
	return len(p), nil
}

// start starts git. What it says is in the process's out; finish must be called.
func (g program) start(ctx context.Context, stdin io.Reader, args ...string) (*process, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoGit, err)
	}
	all := []string{"--no-optional-locks", "--no-pager", "--literal-pathspecs"}
	for _, setting := range locked {
		all = append(all, "-c", setting)
	}
	p := &process{limit: g.patience, command: args[0]}
	for len(args) > 1 && args[0] == "-c" {
		all, args, p.command = append(all, args[:2]...), args[2:], args[2]
	}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	p.cmd = exec.CommandContext(p.ctx, path, append(all, args...)...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdin, p.cmd.Stderr = g.dir, g.env, stdin, &p.message
	p.cmd.WaitDelay = time.Second
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.cancel(nil)
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		p.cancel(nil)
		return nil, fmt.Errorf("git %s: %w", p.command, err)
	}
	p.silence = time.AfterFunc(p.limit, func() { p.cancel(ErrNoAnswer) })
	p.out = bufio.NewReaderSize(&listener{p, out}, 64<<10)
	return p, nil
}

// listener notes that git has said something.
type listener struct {
	p    *process
	pipe io.Reader
}

// Read implements io.Reader.
func (l *listener) Read(buf []byte) (int, error) {
	n, err := l.pipe.Read(buf)
	l.p.silence.Reset(l.p.limit)
	return n, err
}

// finish waits for git's end. err is what went wrong with reading its output, which ends git early.
func (p *process) finish(err error) error {
	cause := context.Cause(p.ctx)
	if err != nil {
		p.cancel(err)
	}
	failed := p.cmd.Wait()
	p.silence.Stop()
	if cause == nil && err == nil {
		cause = context.Cause(p.ctx)
	}
	p.cancel(nil)
	switch {
	case errors.Is(cause, ErrNoAnswer):
		return fmt.Errorf("git %s: %w", p.command, ErrNoAnswer)
	case cause != nil:
		return cause
	case failed == nil && err == nil:
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		return err
	}
	message := string(p.message.text)
	first, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	switch {
	case strings.Contains(message, "not a git repository"), strings.Contains(message, "safe.bareRepository"):
		return ErrNotRepository
	case first != "":
		return fmt.Errorf("git %s: %s", p.command, first)
	case failed != nil:
		return fmt.Errorf("git %s: %w", p.command, failed)
	}
	return fmt.Errorf("git %s: %w", p.command, err)
}

// output runs git to its end and gives what it says.
func (g program) output(ctx context.Context, args ...string) (string, error) {
	p, err := g.start(ctx, nil, args...)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(p.out, maxOutput+1))
	if err == nil && len(text) > maxOutput {
		err = fmt.Errorf("git %s: the answer %w", p.command, ErrTooLarge)
	}
	return string(text), p.finish(err)
}

// maxRecord is how long one record of an answer may be; a path is much shorter.
const maxRecord = 1 << 20

// records runs git and calls yield for what it says, in parts that end with sep, which is left out. cut says that the
// rest of a long one was left out.
func (g program) records(
	ctx context.Context,
	stdin io.Reader,
	sep byte,
	yield func(record []byte, cut bool) error,
	args ...string,
) error {
	p, err := g.start(ctx, stdin, args...)
	if err != nil {
		return err
	}
	return p.finish(p.records(sep, yield))
}

func (p *process) records(sep byte, yield func(record []byte, cut bool) error) error {
	var record []byte
	cut := false
	for {
		part, err := p.out.ReadSlice(sep)
		whole := err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return err
		}
		if whole {
			part = part[:len(part)-1]
		}
		take := min(len(part), maxRecord-len(record))
		record, cut = append(record, part[:take]...), cut || take < len(part)
		if !whole && !errors.Is(err, io.EOF) {
			continue
		}
		if whole || len(record) > 0 {
			if err := yield(record, cut); err != nil {
				return err
			}
		}
		if !whole {
			return nil
		}
		record, cut = record[:0], false
	}
}

// maxLooked is how many of a repository's own files are looked at before git opens them, and maxStores how many
// folders of objects may be named that it borrows from: git looks at all, and for each object in all.
const (
	maxLooked = 100_000
	maxStores = 100
)

// stores are folders of objects that were looked at.
type stores struct {
	seen  map[string]bool
	named int
	left  int // files that may still be looked at
}

// look says whether git can open a folder of objects without being blocked, and from which others it borrows.
func (s *stores) look(dir string) (borrowed []string, err error) {
	if s.named++; s.named > maxStores {
		return nil, fmt.Errorf("%w: objects are borrowed from more than %d folders", ErrNotRepository, maxStores)
	}
	if dir = filepath.Clean(dir); s.seen[dir] {
		return nil, nil
	}
	s.seen[dir] = true
	list := filepath.Join(dir, "info", "alternates")
	if err := regularOrAbsent(list, maxFile); err != nil {
		return nil, err
	}
	text, err := textfile.Read(list)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: %w", ErrNotRepository, err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if name, err := strconv.Unquote(line); err == nil {
			line = name
		}
		borrowed = append(borrowed, absolute(dir, line))
	}
	names := []string{"info", "pack"} // the folder may be any one, of which git looks at these
	for i := range 256 {
		names = append(names, fmt.Sprintf("%02x", i))
	}
	for _, name := range names {
		if err := s.allRegular(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return borrowed, nil
}

// follow looks at folders of objects and at those that they borrow from.
func (s *stores) follow(dirs []string) error {
	for _, dir := range dirs {
		borrowed, err := s.look(dir)
		if err == nil {
			err = s.follow(borrowed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// allRegular says whether git can open what is below one of its folders without being blocked.
func (s *stores) allRegular(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if s.left--; s.left < 0 {
			return filepath.SkipAll
		}
		if err != nil || entry.IsDir() || entry.Type().IsRegular() {
			return nil
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil
		}
		return regularOrAbsent(path, math.MaxInt64)
	})
}

// The bounds on files that git reads or checks as a whole, however large they are: of lists with a line for each branch
// or file, and of others.
const (
	maxList = 256 << 20
	maxFile = textfile.Limit
)

// regularOrAbsent says whether git can open a file without being blocked, and read it without growing.
func regularOrAbsent(file string, most int64) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("is not a regular file")
	case info.Size() > most:
		err = fmt.Errorf("is longer than %d MiB", most>>20)
	default:
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrNotRepository, file, err)
}

// maxIncluded is how many files the settings of a repository may include.
const maxIncluded = 100

// settingsFiles are files of git's settings that were looked at.
type settingsFiles struct {
	git  program // which reads no settings but those that it is told to
	seen map[string]bool
}

func newSettingsFiles(dir string, env []string) *settingsFiles {
	return &settingsFiles{seen: map[string]bool{}, git: program{dir: dir, patience: shortPatience,
		env: append(slices.Clip(env), "GIT_DIR="+os.DevNull, "GIT_CONFIG_GLOBAL="+os.DevNull,
			"GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")}}
}

// look says whether git can read the files that one of settings includes without being blocked.
func (s *settingsFiles) look(ctx context.Context, file string) error {
	text, err := textfile.Read(file)
	if s.seen[file] || err != nil || !bytes.Contains(bytes.ToLower(text), []byte("include")) {
		return nil
	}
	if s.seen[file] = true; len(s.seen) > maxIncluded {
		return fmt.Errorf("%w: its settings are in more than %d files", ErrNotRepository, maxIncluded)
	}
	var included []string
	err = s.git.records(ctx, nil, 0, func(record []byte, _ bool) error {
		if _, path, ok := strings.Cut(string(record), "\n"); ok {
			included = append(included, absolute(filepath.Dir(file), path))
		}
		return nil
	}, "config", "--file", file, "--no-includes", "--type=path", "-z", "--get-regexp", `^include(if\..*)?\.path$`)
	if none := (*exec.ExitError)(nil); err != nil && !errors.As(err, &none) {
		return fmt.Errorf("%w: %w", ErrNotRepository, err)
	}
	for _, path := range included {
		if err := regularOrAbsent(path, maxFile); err != nil {
			return err
		}
		if err := s.look(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// references says whether git can read all references below one of its directories. They lie where they seem to: git
// would follow a link to a folder, and read the whole disk.
func references(gitDir string) error {
	refs, err := filepath.EvalSymlinks(filepath.Join(gitDir, "refs")) // it may be that of another working tree
	if err != nil {
		return nil // there are none
	}
	left := maxLooked
	return filepath.WalkDir(refs, func(path string, entry fs.DirEntry, err error) error {
		if left--; left < 0 {
			return fmt.Errorf("%w: it has more than %d references that are not packed", ErrNotRepository, maxLooked)
		}
		if err != nil || entry.IsDir() {
			return nil
		}
		return regularOrAbsent(path, maxFile)
	})
}
