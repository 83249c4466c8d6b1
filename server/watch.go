package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/fsnotify/fsnotify"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
)

// Files are watched twice. The server's own watcher sees everything on a local disk, whoever changes it; some clients
// that offer to watch report only what is saved in them (Helix), and a change that goes unseen would be a wrong
// "cached". Where a client offers to watch, it is asked to as well: it may see file systems that have no notifications.

// watcher is the server's own watcher of folders.
type watcher struct {
	fs      *fsnotify.Watcher
	owners  map[string]map[*document]bool // by folder
	limited map[*document]string          // why not all of its folders are watched
	asked   map[string]bool               // folders that the client was asked to watch
}

// maxFolders bounds the folders that one session watches. Linux has a limit per user, 8,192 on older kernels; kqueue
// costs an open file for every entry.
func maxFolders() int {
	switch runtime.GOOS {
	case "linux", "windows":
		return 6000
	}
	return 250
}

// watch has all that a build depends on watched. It reports whether there were new places among them.
func (l *loader) watch(places workspace.Places) bool {
	return l.s.watchPlaces(l.d, append([]string{filepath.Dir(l.d.path)}, l.s.configFolders(l.d)...), places)
}

// watchPlaces has these folders watched for d, all folders of the contexts, and the places in which git moves HEAD. It
// reports whether there were new ones among them.
func (s *session) watchPlaces(d *document, folders []string, places workspace.Places) (added bool) {
	var visit func(path string, n *buildcontext.Node)
	visit = func(path string, n *buildcontext.Node) {
		for _, child := range n.Children() {
			if child.Type() == buildcontext.Dir {
				folder := filepath.Join(path, child.Name())
				folders = append(folders, folder)
				visit(folder, child)
			}
		}
	}
	var asked []string
	for _, c := range places.Contexts {
		asked = append(asked, c.Root)
		visit(c.Root, c.Tree.Root())
	}
	for _, file := range places.BuildFiles {
		folders = append(folders, filepath.Dir(file))
	}
	for _, path := range places.Git {
		if folder := filepath.Dir(path); !slices.Contains(asked, folder) {
			asked = append(asked, folder)
		}
	}
	folders = append(folders, s.storeFolders()...)
	added = s.watchFolders(d, slices.Concat(asked, folders))
	s.askToWatch(asked)
	return added
}

// storeFolders are the folders of the records and the choices, made if need be, if there are any.
func (s *session) storeFolders() []string {
	folders := s.store.Dirs()
	for _, folder := range folders {
		_ = os.MkdirAll(folder, 0o700) // where it cannot be made there will be no records either
	}
	return folders
}

// configFolders are the folders of d's workspace folder in which a configuration of rules for d is or may come to be.
func (s *session) configFolders(d *document) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, workspace := s.settingsOfLocked(d.uri)
	var folders []string
	for _, path := range d.config.Looked {
		if _, ok := within(workspace, path); ok {
			folders = append(folders, filepath.Dir(path))
		}
	}
	return folders
}

// watchFolders watches these folders for d, instead of those before. It reports whether any are new.
func (s *session) watchFolders(d *document, folders []string) (added bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.documents[d.uri] != d {
		return false
	}
	w := s.watcher
	if w == nil {
		w = &watcher{owners: map[string]map[*document]bool{}, limited: map[*document]string{}, asked: map[string]bool{}}
		s.watcher = w
		var err error
		if w.fs, err = fsnotify.NewWatcher(); err != nil {
			s.log.Warn("no file watcher", zap.Error(err))
		} else {
			s.backgroundLocked("watching files", s.watchLoop)
		}
	}
	delete(w.limited, d)
	if w.fs == nil {
		w.limited[d] = "the system gives no file watcher"
		return false
	}
	wanted := make(map[string]bool, len(folders))
	for _, folder := range folders {
		wanted[folder] = true
	}
	for folder, owners := range w.owners {
		if owners[d] && !wanted[folder] {
			w.drop(folder, d)
		}
	}
	for _, folder := range folders {
		if owners := w.owners[folder]; owners != nil {
			owners[d] = true
			continue
		}
		if len(w.owners) >= s.maxFolders {
			w.limited[d] = fmt.Sprintf("it has more than %d folders", s.maxFolders)
			break
		}
		if err := w.fs.Add(folder); err != nil {
			if !os.IsNotExist(err) && !os.IsPermission(err) {
				w.limited[d] = err.Error()
				break
			}
			continue
		}
		w.owners[folder] = map[*document]bool{d: true}
		added = true
	}
	return added
}

// drop ends d's interest in a folder.
func (w *watcher) drop(folder string, d *document) {
	delete(w.owners[folder], d)
	if len(w.owners[folder]) == 0 {
		delete(w.owners, folder)
		_ = w.fs.Remove(folder) // it may be gone already
	}
}

// unwatch ends the watching for a closed document.
func (s *session) unwatch(d *document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watcher == nil {
		return
	}
	delete(s.watcher.limited, d)
	for folder, owners := range s.watcher.owners {
		if owners[d] {
			s.watcher.drop(folder, d)
		}
	}
}

// unwatched says why not everything of d's context is watched; "" if it is.
func (s *session) unwatched(d *document) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watcher == nil {
		return ""
	}
	return s.watcher.limited[d]
}

func (s *session) watchLoop(ctx context.Context) {
	s.mu.Lock()
	fs := s.watcher.fs
	s.mu.Unlock()
	defer fs.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-fs.Events:
			if !ok {
				return
			}
			if event.Op == fsnotify.Remove || event.Op == fsnotify.Rename {
				s.forget(event.Name)
			}
			s.fileChanged(event.Name)
		case err, ok := <-fs.Errors:
			if !ok {
				return
			}
			s.log.Warn("file watcher", zap.Error(err)) // an overflow, mostly: look at everything
			s.allChanged()
		}
	}
}

// forget takes note that a watched folder is gone: the system has dropped its watch with it.
func (s *session) forget(folder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watcher.owners, folder)
}

// fileChanged has the builds looked for anew that path is part of. Something that an ignore file leaves out is part of
// none.
func (s *session) fileChanged(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fileChangedLocked(path)
}

func (s *session) fileChangedLocked(path string) {
	s.buildFileChangedLocked(path)
	s.wakeBuildFilesLocked(true)
	for _, d := range s.documents {
		if d.dockerfile && slices.Contains(d.config.Looked, path) {
			s.backgroundLocked("reading the configuration", func(context.Context) { s.readConfig(d) })
		}
		s.buildChangedLocked(d, path)
	}
}

// buildChangedLocked has d's build looked for anew if path is part of it, or may be part of the one that is just being
// found.
func (s *session) buildChangedLocked(d *document, path string) {
	b := d.build
	if b == nil {
		d.stale.Context, d.stale.Baseline = true, true
		d.wake(d.reload)
		return
	}
	moves, inContext := b.inGit(path) || s.store.Holds(path), b.holds(path)
	if s.store.HoldsChoice(path, d.path) {
		moves, d.stale.Builds = true, true
	}
	if moves {
		d.stale.Baseline = true
	}
	if inContext {
		d.stale.Paths = append(d.stale.Paths, path)
	}
	if len(d.stale.Paths) > manyPaths {
		d.stale.Context, d.stale.Paths = true, nil
	}
	switch {
	case moves || inContext || d.stale.Context:
		d.wake(d.reload)
	case d.missed == nil:
	case len(d.missed) < manyPaths:
		d.missed = append(d.missed, path)
	default:
		d.stale.Context, d.stale.Baseline = true, true
		d.wake(d.reload)
	}
}

// manyPaths is from how many changed files on it is cheaper to look at the whole context.
const manyPaths = 2000

// allChanged marks everything stale.
func (s *session) allChanged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.documents {
		d.stale = workspace.Changed{Context: true, Baseline: true, Builds: true}
		d.wake(d.reload)
	}
	s.wakeBuildFilesLocked(true)
}

// askToWatch registers the folders with the client, if it can watch them.
func (s *session) askToWatch(folders []string) {
	if !s.can.watchFiles {
		return
	}
	s.mu.Lock()
	if s.watcher == nil {
		s.mu.Unlock()
		return
	}
	var options protocol.DidChangeWatchedFilesRegistrationOptions
	for _, folder := range folders {
		if !s.watcher.asked[folder] {
			s.watcher.asked[folder] = true
			options.Watchers = append(
				options.Watchers,
				protocol.FileSystemWatcher{GlobPattern: &protocol.RelativePattern{
					BaseURI: protocol.URI(uri.File(folder)), Pattern: "**/*",
				}},
			)
		}
	}
	s.mu.Unlock()
	if len(options.Watchers) > 0 {
		s.background("registering watchers", func(ctx context.Context) {
			s.register(ctx, "watch "+folders[0], protocol.MethodWorkspaceDidChangeWatchedFiles, &options)
		})
	}
}

func didChangeWatchedFiles(s *session, p *protocol.DidChangeWatchedFilesParams) {
	for _, event := range p.Changes {
		if event.URI.IsFile() {
			s.fileChanged(filepath.FromSlash(event.URI.FsPath()))
		}
	}
}
