package baseline

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// Elsewhere are builds that a builder of another machine has made, with that builder's name for people.
type Elsewhere struct {
	Builds []*Contents
	Name   string
}

// History says what that builder has, for a Dockerfile of this machine. The files of a build are taken to be those of
// the commit that it names, if it was made with the build context that the Dockerfile has here.
func (e Elsewhere) History(Options) History {
	return func(ctx context.Context, r Request) (*Answer, error) {
		look := &gittree.Look{}
		defer look.Close()
		answer := &Answer{
			Name: e.Name, Complete: true,
			Assumed: e.Name + " builds next, still has what it built, and built what was committed",
		}
		folder, contextDir := placeOf(ctx, look, filepath.Dir(r.Dockerfile)), placeOf(ctx, look, r.ContextDir)
		for _, c := range e.Builds {
			here, rec, at := *c, *c.Record, c.Checkout
			here.Record = &rec
			if base(rec.Dockerfile) != base(r.Dockerfile) || at.Folder != "" && folder != "" && at.Folder != folder {
				answer.Others = append(answer.Others, here.OtherDockerfile())
				continue
			}
			rec.ContextDir, rec.Contexts = "", map[string]record.NamedContext{} // folders of the other machine
			for name := range c.Record.Contexts {
				rec.Contexts[name] = record.NamedContext{Tree: buildcontext.Unknown()}
			}
			if at.Commit != "" && at.Context != "" && at.Context == contextDir {
				tree, err := loadGit(ctx, look, r.ContextDir, at.Commit, r.Dockerfile, r.Context)
				if err == nil {
					here.Context, rec.Context = tree, tree
					note := fmt.Sprintf("its files are taken to be those of commit %.10s, which it names", at.Commit)
					rec.Notes = append(slices.Clip(rec.Notes), note)
				}
			}
			answer.Builds = append(answer.Builds, &here)
		}
		return answer, ctx.Err()
	}
}

// placeOf is the place of a folder in the repository that it lies in, "" if it lies in none.
func placeOf(ctx context.Context, look *gittree.Look, dir string) string {
	if dir == "" {
		return ""
	}
	repository, err := look.At(ctx, dir)
	if err != nil {
		return ""
	}
	place, _ := repository.Place(dir)
	return place
}

// base is the last element of a path of any system.
func base(path string) string { return filepath.Base(strings.ReplaceAll(path, `\`, "/")) }
