package buildcontext

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// IgnoreFileNames gives the ignore files in order of precedence, relative to the context: the first that exists is the
// only one that counts (frontend/dockerui/config.go); see EmptyIgnoreFile. The Dockerfile is named relative to the
// context too, "" if it has no file.
func IgnoreFileNames(dockerfile string) []string {
	if dockerfile == "" {
		return []string{".dockerignore"}
	}
	return []string{dockerfile + ".dockerignore", ".dockerignore"}
}

// EmptyIgnoreFile says that a Dockerfile's own ignore file is empty where there is a general one too: which of them
// counts is not known. The builder's own frontend goes by the empty one; one that runs as an image (# syntax=) cannot
// tell it from one that is not there.
func EmptyIgnoreFile(name string) error {
	return fmt.Errorf("%w: %s is empty: a frontend that is an image goes by the general one", ErrUnknown, name)
}

// Ignore is the rules of an ignore file. It may be used by several goroutines; the zero value ignores nothing.
type Ignore struct {
	name     string
	patterns []string
	matchers *sync.Pool // patternmatcher compiles on use, so that one matcher serves one goroutine

	exceptions       []string // the patterns after "!", without a trailing glob
	exceptionsAnyDir bool     // an exception has a wildcard: it may be about something in any directory
	repeats          bool     // a pattern follows an exception
}

// The bounds on the wildcards of an ignore file that is matched here: matching tries each at each place of a path.
const (
	maxWildcards     = 40_000 // in all
	maxLineWildcards = 100    // in one line
)

// ParseIgnore reads an ignore file; name is for errors, which wrap ErrIgnoreFile, or ErrUnknown where matching the
// patterns would take too long.
func ParseIgnore(name string, text []byte) (*Ignore, error) {
	all := 0
	for line := range bytes.Lines(text) {
		n := bytes.Count(line, []byte("*"))
		if all += n; n > maxLineWildcards || all > maxWildcards {
			return nil, fmt.Errorf("%w: %s has too many wildcards", ErrUnknown, name)
		}
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrIgnoreFile, name, err)
	}
	return NewIgnore(name, patterns)
}

// NewIgnore makes the rules of patterns as BuildKit reads them, see Ignore.Patterns; errors wrap ErrIgnoreFile.
func NewIgnore(name string, patterns []string) (*Ignore, error) {
	ig := &Ignore{name: name, patterns: patterns}
	if len(patterns) == 0 {
		return ig, nil
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrIgnoreFile, name, err)
	}
	for _, p := range m.Patterns() {
		// A pattern is compiled when it is first matched; do each now, so that matching cannot fail later.
		if one, err := patternmatcher.New([]string{p.String()}); err == nil && !strings.HasPrefix(p.String(), "!") {
			_, err = one.MatchesOrParentMatches("x")
			if err != nil {
				return nil, fmt.Errorf("%w %s: %q: %w", ErrIgnoreFile, name, p, err)
			}
		}
		if p.Exclusion() {
			prefix := strings.TrimSuffix(
				strings.TrimSuffix(p.String(), string(filepath.Separator)+"**"),
				string(filepath.Separator)+"*",
			)
			ig.exceptions = append(ig.exceptions, filepath.ToSlash(prefix))
			special := "*[]?^"
			if filepath.Separator != '\\' {
				special += `\`
			}
			ig.exceptionsAnyDir = ig.exceptionsAnyDir || strings.ContainsAny(prefix, special)
		} else if len(ig.exceptions) > 0 {
			ig.repeats = true
		}
	}
	ig.matchers = &sync.Pool{New: func() any {
		m, _ := patternmatcher.New(patterns) // worked above
		return m
	}}
	return ig, nil
}

// Name is the ignore file's path relative to the context, "" if there is none.
func (ig *Ignore) Name() string { return ig.name }

// Patterns gives the patterns as BuildKit reads them.
func (ig *Ignore) Patterns() []string { return ig.patterns }

// ExceptsAnywhere says whether an exception has a wildcard, so that it may be about something in any directory.
func (ig *Ignore) ExceptsAnywhere() bool { return ig.exceptionsAnyDir }

// IgnoreState is what the rules said of a directory, for judging what is in it. The zero value is for the context.
type IgnoreState struct{ info patternmatcher.MatchInfo }

// Match judges one entry, by its path relative to the context and what was said of the directory that it is in: is it
// ignored, and if it is a directory, may something in it be not ignored all the same? These are the rules by which
// BuildKit's client walks the context (fsutil/filter.go).
func (ig *Ignore) Match(path string, above IgnoreState) (ignored, enter bool, state IgnoreState) {
	if ig.matchers == nil {
		return false, true, IgnoreState{}
	}
	m := ig.matchers.Get().(*patternmatcher.PatternMatcher)
	defer ig.matchers.Put(m)
	ignored, info, err := m.MatchesUsingParentResults(path, above.info)
	if err != nil { // ParseIgnore compiled all patterns
		return false, true, IgnoreState{}
	}
	state = IgnoreState{info}
	if !ignored {
		return false, true, state
	}
	if !m.Exclusions() {
		return true, false, state
	}
	if ig.exceptionsAnyDir {
		return true, true, state
	}
	for _, e := range ig.exceptions {
		if strings.HasPrefix(e+"/", path+"/") {
			return true, true, state
		}
	}
	return true, false, state
}

// Emptied says whether BuildKit's client sends a file that is not ignored without its contents, and gives the id that
// stands for them then. Its walk and its opening of files match patterns in two ways (fsutil/filter.go), which disagree
// where a pattern after an exception repeats one before: a, !a/b, a. What cannot be opened is sent as empty, with only
// its size counting.
func (ig *Ignore) Emptied(path string, size int64) (ContentID, bool) {
	if !ig.repeats || size == 0 {
		return ContentID{}, false
	}
	m := ig.matchers.Get().(*patternmatcher.PatternMatcher)
	defer ig.matchers.Put(m)
	if unopened, err := m.MatchesOrParentMatches(path); err != nil || !unopened {
		return ContentID{}, false
	}
	return HashContent(fmt.Appendf(nil, "not sent: %d bytes", size)), true
}

// Ignores says whether a file of this path, relative to the context, would be left out.
func (ig *Ignore) Ignores(path string) bool { return ig.Judge()(path) }

// Judge returns what Ignores answers, for many paths: it judges each directory once.
func (ig *Ignore) Judge() (ignores func(path string) bool) {
	type verdict struct {
		ignored, enter bool
		state          IgnoreState
	}
	dirs := map[string]verdict{"": {enter: true}}
	var judge func(path string) verdict
	judge = func(path string) verdict {
		dir := path[:max(strings.LastIndexByte(path, '/'), 0)]
		above, ok := dirs[dir]
		if !ok {
			above = judge(dir)
			dirs[dir] = above
		}
		if !above.enter {
			return verdict{ignored: true}
		}
		ignored, enter, state := ig.Match(path, above.state)
		return verdict{ignored, enter, state}
	}
	return func(path string) bool { return judge(path).ignored }
}
