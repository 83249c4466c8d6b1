package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// EarlyVariable finds variables that change with every build above steps that do not need them.
var EarlyVariable = &Rule{
	ID:       "early-variable",
	Severity: analysis.Information,
	Doc: Doc{
		Summary: "A variable that changes with each build stands above a step that does not need it",
		What: "Finds `ARG` and `ENV` of a date, a commit or a version of the build itself, by name and default, " +
			"above a `RUN` that installs packages and does not mention them. " +
			"Under the classic builder also `LABEL`, which BuildKit's cache takes no notice of.",
		Why: "Each `RUN` sees all variables above it, and a new value of any makes it run again.",
		Example: "FROM alpine\nARG GIT_COMMIT=unknown\nRUN --mount=type=cache,target=/root/.cache/pip pip install " +
			"flask\nLABEL revision=$GIT_COMMIT\n",
		Instead: "FROM alpine\nRUN --mount=type=cache,target=/root/.cache/pip pip install flask\nARG " +
			"GIT_COMMIT=unknown\nLABEL revision=$GIT_COMMIT\n",
	},
	check: checkEarlyVariable,
}

// volatileName matches names of what is another one in each build, ownVersion those that are so if nothing says
// otherwise.
var (
	volatileName = regexp.MustCompile(
		`(?i)^(app_|image_|source_|docker_)?(build_?(date|time|timestamp|id|number|num|sha|commit|revision|rev)|(git|vcs|ci|svn)_?(commit|sha|ref|rev|revision|hash|date|describe|sha1|commit_(sha|hash|ref|date|short_sha))|commit(_?(sha|hash|id|date|ref))?|revision|github_(sha|run_id|run_number|ref)|source_commit)$`,
	)
	ownVersion  = regexp.MustCompile(`(?i)^((app|build|image|release|git|package|project)_?)?version$`)
	placeholder = regexp.MustCompile(
		`(?i)^(unknown|dev|devel|development|none|local|latest|head|main|master|n/?a|0|0\.0\.0.*|undefined|unset|unspecified|todo|dirty|snapshot|now)?$`,
	)
)

// volatileWords are such that every name which is matched has one of them.
var volatileWords = []string{"VERSION", "BUILD", "GIT", "VCS", "SVN", "CI", "COMMIT", "REVISION"}

type earlyVariable struct {
	in   *dockerfile.Instruction
	name string
	span source.Span
}

func checkEarlyVariable(p *pass) {
	told := map[source.Span]bool{}
	walk(p, nil, func(above []earlyVariable, in *dockerfile.Instruction) []earlyVariable {
		text := p.Text.Slice(in.Span)
		mentions := func(name string) bool { return mentionsName(text, name) }
		switch c := in.Command.(type) {
		case *instructions.ArgCommand:
			for i, arg := range c.Args {
				if i < len(in.Args) && p.changesOften(arg) {
					above = append(slices.Clip(above), earlyVariable{in, arg.Key,
						in.Args[i].Span.Part(0, len(arg.Key))})
				}
			}
			return above
		case *instructions.EnvCommand:
			for i, env := range c.Env {
				for _, v := range above {
					if i < len(in.Args) && mentionsName(env.Value, v.name) && env.Key != v.name {
						above = append(slices.Clip(above), earlyVariable{in, env.Key,
							in.Args[i].Span.Part(0, len(env.Key))})
						break
					}
				}
			}
			return above
		case *instructions.LabelCommand:
			for _, v := range above {
				if p.opts().Classic && mentions(v.name) {
					return append(slices.Clip(above), earlyVariable{in, "", in.Keyword.Span})
				}
			}
			return above
		case *instructions.RunCommand:
			for _, d := range p.shellRun(in).downloads() {
				if !d.onlyNames() && !d.manifest && d.name != "pip" {
					continue
				}
				for _, v := range above {
					if (v.name == "" || !mentions(v.name)) && !told[v.span] {
						told[v.span] = true
						p.found(v.in, v.span, nil,
							"%s in line %d runs again whenever this changes, and does not need it: move it below",
							d.shown(), in.Line)
					}
				}
				break
			}
		}
		return slices.DeleteFunc(
			slices.Clone(above),
			func(v earlyVariable) bool { return v.name != "" && mentions(v.name) },
		)
	})
}

// changesOften reports whether an ARG of a stage is of what is new in each build.
func (p *pass) changesOften(arg instructions.KeyValuePairOptional) bool {
	name := strings.ToUpper(arg.Key)
	if !slices.ContainsFunc(volatileWords, func(word string) bool { return strings.Contains(name, word) }) {
		return false // as for nearly all, and quicker to tell
	}
	if !volatileName.MatchString(arg.Key) && !ownVersion.MatchString(arg.Key) {
		return false
	}
	value := ""
	if arg.Value != nil {
		value = *arg.Value
	} else if global, ok := p.variables().Lookup(-1, p.Text.Len(), arg.Key); ok {
		value = global.Value
	}
	return placeholder.MatchString(strings.Trim(value, `"'`))
}

// mentionsName reports whether the name stands in the text as a word.
func mentionsName(text, name string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return false
		}
		at += i
		end := at + len(name)
		if (at == 0 || !isNameByte(text[at-1])) && (end == len(text) || !isNameByte(text[end])) {
			return true
		}
		at = end
	}
}

func isNameByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
}
