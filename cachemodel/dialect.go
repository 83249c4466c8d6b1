package cachemodel

import (
	"cmp"
	"fmt"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// syntaxArg chooses the frontend above the file's "# syntax=".
const syntaxArg = "BUILDKIT_SYNTAX"

// dialect is the frontend that reads the file.
func (b *Build) dialect() dockerfile.Dialect {
	if chosen := cmp.Or(b.Settings.Args[syntaxArg], b.Settings.Syntax); chosen != "" {
		return dockerfile.Parse(source.New("# syntax="+chosen+"\n"), nil).Dialect()
	}
	return b.File.Dialect()
}

// foreign says why nothing is known of what the frontend makes of the file.
func foreign(d dockerfile.Dialect) error {
	return fmt.Errorf(
		"%s reads this file, which is not Docker's Dockerfile frontend: what it makes of it is not known",
		d.Reference,
	)
}

// moves reports whether the image of a frontend may be another one at the next build.
func moves(d dockerfile.Dialect) bool {
	return d.Reference != "" && !d.Pinned && (d.Minor < 0 || d.Labs)
}

// sameFrontend is equal for two frontends only if they are taken to make the same of a file. A tag that moves is taken
// for the newest, as the builder's own frontend is: a step that rests on that says so.
func sameFrontend(d dockerfile.Dialect) string {
	if moves(d) && !d.Labs {
		return ""
	}
	return d.Reference
}

// movingFrontend is what a step rests on that a frontend read, or reads, whose tag may move.
func movingFrontend(d dockerfile.Dialect) string {
	return d.Reference + " makes the same of this file as the frontend of the earlier build"
}

// removesStubs reports whether the frontend has the files removed that a RUN's mounts leave: it is part of each RUN's
// key since docker/dockerfile 1.5 (moby/buildkit 6b265b1ba).
func removesStubs(d dockerfile.Dialect) bool { return !d.Before(1, 5) }

// dialectCause explains a step that another frontend reads than before.
func (e *explainer) dialectCause(v, old *vertex) (Cause, bool) {
	if v.dialect == old.dialect {
		return Cause{}, false
	}
	own := "the builder's own frontend"
	detail := fmt.Sprintf("the file is read by %s, and was by %s", cmp.Or(v.dialect, own), cmp.Or(old.dialect, own))
	return Cause{Kind: SettingChanged, Line: 1, Detail: detail}, true
}
