package dockerfile

import (
	"sort"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"
)

// StageUse says by what a stage is named, on which it hangs how BuildKit looks it up.
type StageUse int

// The uses of stages: findStateByName, findStateByIndex and addState in BuildKit's dockerfile2llb.
const (
	ByFrom   StageUse = iota // FROM: the exact name, in lower case, of the last stage above that has it
	ByCopy                   // COPY --from: a number, or a name in any case, of several the last in the file
	ByMount                  // RUN --mount=from: likewise, but no number
	ByTarget                 // what is to be built: likewise, but no number
)

// Stage returns the index of the stage that a name means, -1 if it is an image or nothing. Variables in a FROM's name
// are to be expanded first. For ByFrom, at is the index of the stage that is named in. With the other uses the stage
// may be that in which it is named, or one below: then the build fails.
func (f *File) Stage(name string, use StageUse, at int) int {
	if use == ByCopy {
		if n, err := strconv.Atoi(name); err == nil {
			if n < 0 || n >= len(f.Stages) {
				return -1
			}
			return n
		}
	}
	if use == ByFrom {
		named := f.named[name]
		if n := sort.SearchInts(named, at); n > 0 {
			return named[n-1]
		}
		return -1
	}
	if named := f.named[strings.ToLower(name)]; len(named) > 0 {
		return named[len(named)-1]
	}
	return -1
}

// StageReference is a place that names a stage or an image.
type StageReference struct {
	In   *Instruction // the FROM, COPY or RUN; an ONBUILD's trigger where it stands in one
	Word Word         // the name alone; without quotes, if there are any
	Use  StageUse
	// Stage is the index of the stage that is meant, -1 for an image, for a number that no stage has, and for what
	// holds a variable. It may be In's own or a later one: then the build fails. In a trigger it is what is meant if
	// it runs in this file.
	Stage    int
	Variable bool // a variable stands in the name
}

// StageReferences returns what names stages and images: FROM, COPY --from and RUN --mount=from, in order.
func (f *File) StageReferences() []StageReference {
	refs := make([]StageReference, 0, len(f.Stages))
	for _, in := range f.Instructions {
		if in.Trigger != nil {
			in = in.Trigger
		}
		add := func(word Word, use StageUse) {
			if word.Text == "" {
				return
			}
			ref := StageReference{In: in, Word: word, Use: use, Stage: -1, Variable: strings.Contains(word.Text, "$")}
			if !ref.Variable {
				ref.Stage = f.Stage(word.Text, use, in.Stage)
			}
			refs = append(refs, ref)
		}
		switch in.Meant {
		case "FROM":
			if len(in.Args) > 0 {
				add(in.Args[0], ByFrom)
			}
		case "COPY":
			for i := range in.Flags {
				if in.Flags[i].HasValue && strings.HasPrefix(in.meantFlag(i), "--from=") {
					add(in.flagValue(i), ByCopy)
				}
			}
		case "RUN":
			for _, m := range in.Mounts() {
				if from, ok := m.Get("from"); ok {
					add(from, ByMount)
				}
			}
		}
	}
	return refs
}

// flagValue returns the value of a flag without quotes and escapes.
func (in *Instruction) flagValue(i int) Word {
	line, f := in.logicalLine(), in.spelt.header.flags[i]
	text, at := unquote(line.text, f[0]+strings.IndexByte(line.text[f[0]:f[1]], '=')+1, f[1], in.spelt.escape)
	if text == "" {
		return Word{Span: source.Span{Start: in.Flags[i].Span.End, End: in.Flags[i].Span.End}}
	}
	return Word{line.span(at[0], at[len(at)-1]+1), text}
}

// SourceKind is what a source of COPY or ADD is.
type SourceKind int

// The kinds of sources.
const (
	PathSource SourceKind = iota // a path in the build context, in a stage or in an image
	URLSource                    // a file that is downloaded: http:// or https://, in lower case
	GitSource                    // a git repository
)

// IsFetched reports whether a source whose variables are expanded is not a path.
func IsFetched(src string) bool { return KindOfSource(src) != PathSource }

// KindOfSource returns the kind of a source whose variables are expanded (dispatchCopy in BuildKit's dockerfile2llb).
// Only ADD takes other sources than paths; COPY fails with a git repository, and with a URL.
func KindOfSource(src string) SourceKind {
	if !strings.Contains(src, ":") {
		return PathSource
	}
	ref, isGit, err := dfgitutil.ParseGitRef(src)
	switch {
	case err != nil && isGit, err == nil && !ref.IndistinguishableFromLocal:
		return GitSource
	case strings.HasPrefix(src, "http://"), strings.HasPrefix(src, "https://"):
		return URLSource
	}
	return PathSource
}
