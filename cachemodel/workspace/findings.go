package workspace

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// RuleOptions adds to a configuration of rules what they want to know of the build of file, as it is now: who builds
// it, what its context holds, and what of the file's sources it does not hold.
func (b *Build) RuleOptions(o rules.Options, file *dockerfile.File) rules.Options {
	o.Classic = o.Classic || b.Settings.Engine == cachemodel.Classic
	o.Ignore, o.Context, o.Movable = nil, nil, nil
	o.Keeps = b.keeps
	o.BuildArgs = slices.Collect(maps.Keys(b.Settings.Args))
	for _, choice := range b.Choices {
		o.BuildArgs = slices.AppendSeq(o.BuildArgs, maps.Keys(choice.Args))
	}
	if b.Context.Tree != nil && b.moves != nil {
		o.Movable = func(file *dockerfile.File, copying *dockerfile.Instruction) func(*dockerfile.Instruction) bool {
			return b.moves.movable(b.Model(file, nil), file, copying)
		}
	}
	if b.sent == nil {
		return o
	}
	if ignore, context := b.sent(); context != nil {
		known := *context
		known.Absent = b.absent(file)
		o.Ignore, o.Context = ignore, &known
	}
	return o
}

// keeps says what a fix does to the build beyond what it is about.
func (b *Build) keeps(c rules.Change) string {
	named := map[string]string{}
	for name := range b.Contexts {
		named[name] = "" // what they hold stays the same
	}
	maps.Copy(named, b.Images)
	model := cachemodel.Build{File: c.Before, Settings: b.Settings, ContextImages: named}
	return model.Keeps(c.After, c.Kept, c.Style)
}

// sentOf is what rules want to know of a build context; nil where nothing is known.
func sentOf(w *Workspace, b *Build) func() (rules.Ignore, *rules.Context) {
	dir, tree := b.Context.Dir, b.Context.Tree
	if dir == "" {
		return nil
	}
	name, _ := filepath.Rel(dir, b.Dockerfile)
	if !filepath.IsLocal(name) || b.Inline {
		name = ""
	}
	return sync.OnceValues(func() (rules.Ignore, *rules.Context) {
		context := &rules.Context{Dockerfile: filepath.ToSlash(name)}
		if tree != nil {
			context.Sent = sent(func(dir string) []string { return namesIn(tree, dir) })
			return tree.Ignore(), context
		}
		unread, err := w.list(dir, b.Dockerfile)
		if err != nil {
			return nil, nil
		}
		context.Sent = unread.sent
		return unread.ignore, context
	})
}

// namesIn are the names in a folder of a context that was read, those of folders with a slash at the end.
func namesIn(tree *buildcontext.Tree, dir string) []string {
	folder, ok := tree.Root(), true
	if dir != "" {
		if folder, ok = tree.Lookup(strings.TrimSuffix(dir, "/")); !ok {
			return nil
		}
	}
	var names []string
	for _, n := range folder.Children() {
		name := n.Name()
		if n.Type() == buildcontext.Dir {
			name += "/"
		}
		names = append(names, name)
	}
	return names
}

// listed are the names in a folder of a context that was not read.
func listed(root, dir string, ignore *buildcontext.Ignore) []string {
	entries, _ := os.ReadDir(filepath.Join(root, filepath.FromSlash(dir))) // what cannot be read is not known
	var names []string
	for _, e := range entries {
		name := e.Name()
		if ignore.Ignores(dir + name) {
			continue
		}
		if e.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	return names
}

// readIgnore reads the ignore file that counts for a Dockerfile: its own, else that of the context.
func readIgnore(context, dockerfile string) (*buildcontext.Ignore, error) {
	for _, path := range []string{dockerfile + ".dockerignore", filepath.Join(context, ".dockerignore")} {
		text, err := textfile.Read(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buildcontext.ParseIgnore(filepath.Base(path), text)
	}
	return &buildcontext.Ignore{}, nil
}

// sent lists what rules want to know of a build context: list returns the names in a folder, which is "" or ends with a
// slash, those of folders with a slash at the end. Folders of tools are not entered.
func sent(list func(dir string) []string) []string {
	var sent []string
	for _, name := range list("") {
		sent = append(sent, name)
		if strings.HasSuffix(name, "/") && !strings.HasPrefix(name, ".") && name != "node_modules/" {
			for _, inner := range list(name) {
				sent = append(sent, name+inner)
			}
		}
	}
	slices.Sort(sent)
	return sent
}
