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

// History says what that builder has, for a Dockerfile of this machine. The files of a build that names a commit are
// taken to be those of that commit.
func (e Elsewhere) History(Options) History {
	return func(ctx context.Context, r Request) (*Answer, error) {
		look := &gittree.Look{}
		defer look.Close()
		answer := &Answer{Name: e.Name, Complete: true, Assumed: e.Name + " builds next and still has what it built"}
		for _, c := range e.Builds {
			here, rec := *c, *c.Record
			here.Record = &rec
			if base(rec.Dockerfile) != base(r.Dockerfile) {
				answer.Others = append(answer.Others, here.OtherDockerfile())
				continue
			}
			rec.ContextDir, rec.Contexts = "", map[string]record.NamedContext{} // folders of the other machine
			for name := range c.Record.Contexts {
				rec.Contexts[name] = record.NamedContext{Tree: buildcontext.Unknown()}
			}
			if c.Revision != "" && r.ContextDir != "" {
				tree, err := loadGit(ctx, look, r.ContextDir, c.Revision, r.Dockerfile, r.Context)
				if err == nil {
					here.Context, rec.Context = tree, tree
					note := fmt.Sprintf("its files are taken to be those of commit %.10s, which it names", c.Revision)
					rec.Notes = append(slices.Clip(rec.Notes), note)
				}
			}
			answer.Builds = append(answer.Builds, &here)
		}
		return answer, ctx.Err()
	}
}

// base is the last element of a path of any system.
func base(path string) string { return filepath.Base(strings.ReplaceAll(path, `\`, "/")) }
