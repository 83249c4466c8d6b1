package workspace

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/spell"
)

// maxNames bounds how many names of a folder are looked at for what a source may mean.
const maxNames = 5000

// absent are the sources of file that are in no candidate for the build context, by their paths in it. It is nil where
// the context is not known: a guessed one counts only if it has a source, or a name that is like one.
func (b *Build) absent(file *dockerfile.File) map[string]rules.Absent {
	dir := b.Context.Dir
	if info, err := os.Stat(dir); dir == "" || dir == filepath.Dir(dir) || err != nil || !info.IsDir() {
		return nil
	}
	guessed := b.Context.From.Kind == Guessed
	if b.Entry != nil && b.Entry.Remote && b.Context.From.Kind != Chosen {
		return nil // nobody knows what is there
	}
	candidates := []string{dir}
	for _, c := range b.Choices {
		if c.Remote && b.Context.From.Kind != Chosen {
			return nil
		}
		if !c.Remote && b.Context.From.Kind == BuildFile {
			candidates = append(candidates, c.Context)
		}
	}
	var elsewhere []string
	if guessed {
		elsewhere = upTo(b.root, filepath.Dir(b.Dockerfile))
	}
	found := map[string]rules.Absent{}
	known := !guessed
	b.missing.mu.Lock()
	defer b.missing.mu.Unlock()
	looked := make(map[literal]*rules.Absent, len(b.missing.looked))
	for _, l := range sourcesOf(file) {
		if _, ok := found[l.path]; ok {
			continue
		}
		l.line = 0
		a, ok := b.missing.looked[l]
		if !ok && !b.hasRead(l.path) && !isIn(candidates, l.path) {
			a = &rules.Absent{}
			if !l.pattern {
				a = b.lookAround(l, elsewhere)
			}
		}
		looked[l] = a
		switch {
		case a == nil:
			known = true
		case !l.pattern:
			known = known || a.In != "" || len(a.Similar) > 0
			found[l.path] = *a
		}
	}
	b.missing.looked = looked
	if !known || len(found) == 0 {
		return nil
	}
	return found
}

// missing remembers what the sources of the file that was last asked about come to, so that a key looks for no file
// again: what changes in the folders gives another Build.
type missing struct {
	mu     sync.Mutex
	looked map[literal]*rules.Absent // by the sources, without their lines; nil for those that are there
}

// lookAround says of a source that is in no candidate what may be meant.
func (b *Build) lookAround(l literal, elsewhere []string) *rules.Absent {
	a := &rules.Absent{Context: b.ContextText(), Similar: similar(b.Context.Dir, l)}
	at := slices.IndexFunc(
		elsewhere,
		func(d string) bool { return exists(filepath.Join(d, filepath.FromSlash(l.path))) },
	)
	if at >= 0 {
		a.In = relative(elsewhere[at])
	}
	return a
}

// hasRead reports whether a path is in the build context as it was read. Nobody who types waits for a file system then.
func (b *Build) hasRead(name string) bool {
	if b.Context.Tree == nil {
		return false
	}
	_, found := b.Context.Tree.Lookup(name)
	return found
}

// isIn reports whether one of the folders has the path, or may have it: what cannot be looked at is not missing, nor is
// what lies below a link, which a build follows within its context.
func isIn(folders []string, name string) bool {
	for _, folder := range folders {
		at := folder
		for _, part := range strings.Split(name, "/") {
			at = filepath.Join(at, part)
			info, err := os.Lstat(at)
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
					break
				}
				return true
			}
			if info.Mode()&fs.ModeSymlink != 0 || at == filepath.Join(folder, filepath.FromSlash(name)) {
				return true
			}
		}
	}
	return false
}

// similar are the paths in a folder that a missing one may mean: one of its names, the first that is not there, is
// misspelt or in another letter case.
func similar(folder string, l literal) (out []string) {
	parts := strings.Split(l.path, "/")
	for i, part := range parts {
		above := path.Join(parts[:i]...)
		if isIn([]string{folder}, path.Join(above, part)) {
			continue
		}
		names := plainNames(filepath.Join(folder, filepath.FromSlash(above)))
		otherCase := func(name string) bool { return strings.EqualFold(name, part) }
		likely := spell.Suggest(part, names)
		if at := slices.IndexFunc(names, otherCase); at >= 0 {
			likely = append([]string{names[at]}, slices.DeleteFunc(likely, otherCase)...)
		}
		for _, meant := range likely {
			candidate := path.Join(above, meant, path.Join(parts[i+1:]...))
			info, err := os.Stat(filepath.Join(folder, filepath.FromSlash(candidate)))
			if err == nil && (info.IsDir() || !l.folder && !slices.Contains(outputs, l.path)) {
				out = append(out, candidate)
			}
		}
		break
	}
	return out
}

// outputs are folders that other programs make: build is not a misspelt build.js.
var outputs = []string{"bin", "build", "dist", "lib", "out", "public", "target", "vendor"}

// plainNames are the names in a folder that a Dockerfile can hold without quotes.
func plainNames(folder string) (names []string) {
	if info, err := os.Lstat(folder); err != nil || !info.IsDir() {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer f.Close()
	all, _ := f.Readdirnames(maxNames) // what cannot be read is not offered
	for _, name := range all {
		if !strings.ContainsAny(name, " \t\r\n\"'`$\\*?[],<>#=") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
