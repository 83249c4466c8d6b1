package buildcheck

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/pipeline"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// CI finds what is wrong with the caches of the builds that a CI file describes. The builds are all of its project.
func CI(path string, text *source.Text, builds []pipeline.Build, files Files) []analysis.Finding {
	c := ciChecking{text: text, builds: builds, said: map[string]bool{}}
	for i := range builds {
		if b := &builds[i]; b.File == path && b.Problem == "" {
			c.check(b, files)
		}
	}
	return c.found
}

type ciChecking struct {
	text   *source.Text
	builds []pipeline.Build
	found  []analysis.Finding
	said   map[string]bool // by rule and line: a matrix has several builds at one
}

func (c *ciChecking) add(b *pipeline.Build, rule *rules.Rule, message string) {
	key := fmt.Sprint(rule.ID, " ", b.Line)
	if c.said[key] || b.Line < 1 || b.Line > c.text.EndLine() {
		return
	}
	c.said[key] = true
	span := c.text.Line(b.Line - 1)
	line := c.text.Slice(span)
	span.Start += len(line) - len(strings.TrimLeft(line, " -"))
	c.found = append(c.found, analysis.Finding{
		Rule: rule.ID, Severity: rule.Severity, Span: span, Message: message,
	})
}

func (c *ciChecking) check(b *pipeline.Build, files Files) {
	exports := b.Exports()
	switch {
	case b.Options.NoCache || len(b.From) > 0:
	case len(b.To) > 0 || len(exports) > 0:
		c.add(b, rules.NoCacheFrom, "This build exports a cache and imports none: its builder begins with nothing.")
	case b.Hosted:
		c.add(b, rules.NoCacheFrom,
			"This build imports no cache: its builder begins with nothing, so that every step runs.")
	}
	c.shared(b, exports)
	file, err := files.Dockerfile(&buildfiles.Entry{Dockerfile: b.Dockerfile})
	if err != nil || file.TooLarge() {
		return
	}
	name := filepath.Base(b.Dockerfile)
	own, other := stagesOf(file, b.Options.Target)
	line := func(in *dockerfile.Instruction) int { return file.Text.LineAt(in.Span.Start) + 1 }
	modes := slices.Collect(maps.Values(exports))
	min := (slices.Contains(modes, "min") || slices.Contains(modes, "inline")) && !slices.Contains(modes, "max")
	if in := firstRun(other, func(*dockerfile.Instruction) bool { return true }); in != nil && min {
		c.add(b, rules.MinModeCache, fmt.Sprintf("The exported cache has no layers of build stages, such as of line %d of %s: "+
			"with mode=max it has.", line(in), name))
	}
	in := firstRun(slices.Concat(other, own), hasCacheMount)
	if once := "cache mounts of " + b.Dockerfile; in != nil && b.Hosted && !c.said[once] {
		c.said[once] = true
		c.add(b, rules.EmptyCacheMount, fmt.Sprintf("The cache mount in line %d of %s is empty at each run: nothing keeps it.",
			line(in), name))
	}
	for _, arg := range b.Varying {
		if in := needless(slices.Concat(other, own), arg); in != nil {
			c.add(b, rules.VaryingBuildArg, fmt.Sprintf("%s has another value at each commit, so that line %d of %s, which does "+
				"not use it, always runs.", arg, line(in), name))
		}
	}
}

// shared finds another image that is exported to where the build exports to.
func (c *ciChecking) shared(b *pipeline.Build, exports map[string]string) {
	for i := range c.builds {
		other := &c.builds[i]
		variant := other.File == b.File && other.Job == b.Job && other.Dockerfile == b.Dockerfile &&
			other.Options.ContextDir == b.Options.ContextDir && other.Line != b.Line // the last has what it shares
		same := (other.Like(b) || b.Like(other)) && maps.Equal(other.Options.Args, b.Options.Args)
		if other.Problem != "" || same || variant {
			continue
		}
		for at, mode := range other.Exports() {
			if mode == "inline" || exports[at] == "" || exports[at] == "inline" {
				continue
			}
			job := other.Job
			if other.File != b.File {
				job += " of " + filepath.Base(other.File)
			}
			c.add(b, rules.SharedCache, fmt.Sprintf("Job %s exports the cache of another image to the same place, %s: "+
				"the last one replaces the others.", job, at))
		}
	}
}

// firstRun is the first RUN of stages that something is true of, nil if there is none.
func firstRun(stages []*dockerfile.Stage, is func(*dockerfile.Instruction) bool) *dockerfile.Instruction {
	for _, s := range stages {
		for _, in := range s.Instructions {
			if in.Meant == "RUN" && is(in) {
				return in
			}
		}
	}
	return nil
}

func hasCacheMount(in *dockerfile.Instruction) bool {
	return slices.ContainsFunc(in.Mounts(), func(m dockerfile.Mount) bool { return m.Type() == "cache" })
}

// needless is a RUN that has an argument's value and does not use it, nil if there is none.
func needless(stages []*dockerfile.Stage, arg string) *dockerfile.Instruction {
	for _, s := range stages {
		declared := false
		for _, in := range s.Instructions {
			if args, ok := in.Command.(*instructions.ArgCommand); ok {
				declared = declared || slices.ContainsFunc(args.Args, func(a instructions.KeyValuePairOptional) bool {
					return a.Key == arg
				})
			}
			if text, _ := in.Logical(); declared && in.Meant == "RUN" && !strings.Contains(text, arg) {
				return in
			}
		}
	}
	return nil
}

// stagesOf are the stages whose layers the image has, and those that it only copies from.
func stagesOf(file *dockerfile.File, target string) (own, other []*dockerfile.Stage) {
	last := len(file.Stages) - 1
	if target != "" {
		last = file.Stage(target, dockerfile.ByTarget, 0)
	}
	base, reads := map[int]int{}, map[int][]int{} // by stage
	for _, ref := range file.StageReferences() {
		at := ref.In.Stage
		if ref.Stage < 0 || at < 0 || ref.Stage >= at {
			continue
		}
		if ref.Use == dockerfile.ByFrom {
			base[at] = ref.Stage
		}
		reads[at] = append(reads[at], ref.Stage)
	}
	var seen []int
	for at, ok := last, last >= 0; ok; at, ok = base[at] {
		own, seen = append(own, file.Stages[at]), append(seen, at)
	}
	for i := 0; i < len(seen); i++ {
		for _, from := range reads[seen[i]] {
			if !slices.Contains(seen, from) {
				seen, other = append(seen, from), append(other, file.Stages[from])
			}
		}
	}
	return own, other
}

// Names are the builds of CI files that name a stage or, with arg, a build argument of a Dockerfile.
func Names(builds []pipeline.Build, dockerfile, name string, arg bool) (out []pipeline.Build) {
	for _, b := range builds {
		if b.Dockerfile != dockerfile {
			continue
		}
		_, given := b.Options.Args[name]
		_, unknown := b.Unknown[name]
		if arg && (given || unknown) || !arg && strings.EqualFold(b.Options.Target, name) {
			out = append(out, b)
		}
	}
	return out
}

// RenamedInCI are the edits in the text of the CI file at path for a stage or, with arg, a build argument of a
// Dockerfile that gets another name, as far as it is written there as it is. The builds are all of the project.
func RenamedInCI(
	path string, text *source.Text, builds []pipeline.Build, dockerfile, name, to string, arg bool,
) (edits []source.Edit) {
	for _, b := range Names(builds, dockerfile, name, arg) {
		shared := func(other pipeline.Build) bool {
			return other.File == b.File && other.Line == b.Line && other.Dockerfile != dockerfile
		}
		if b.File != path || b.Line < 1 || b.Line > text.EndLine() || slices.ContainsFunc(builds, shared) {
			continue // where a step builds others too, which of them a flag is for is not known
		}
		for _, span := range namedAt(text, b.Line-1, name, arg) {
			if edit := (source.Edit{Span: span, NewText: to}); !slices.Contains(edits, edit) {
				edits = append(edits, edit)
			}
		}
	}
	slices.SortFunc(edits, func(a, b source.Edit) int { return a.Span.Start - b.Span.Start })
	return edits
}

// namedAt finds where the step or job that begins in a line gives a target or an argument by its name.
func namedAt(text *source.Text, first int, name string, arg bool) (spans []source.Span) {
	depth := func(line string) int { return len(line) - len(strings.TrimLeft(line, " -")) }
	key, input, flag := `target`, `target:[ \t]+["']?((?i:%s))["']?[ \t]*(?:#.*)?$`, `--target[= \t]+["']?((?i:%s))(?:["'\s]|$)`
	if arg {
		key, input, flag = `build-args`, `["']?(%s)=`, `--build-arg[= \t]+["']?(%s)(?:[="'\s]|$)`
	}
	quoted := regexp.QuoteMeta(name)
	value := regexp.MustCompile(`^[ \t-]*(?:build-args:[ \t]*)?` + fmt.Sprintf(input, quoted))
	option := regexp.MustCompile(fmt.Sprintf(flag, quoted))
	inside := -1 // how deep the key of the input is
	for i := first; i < text.EndLine(); i++ {
		span := text.Line(i)
		line := strings.TrimRight(text.Slice(span), "\r\n")
		blank := strings.TrimSpace(line) == ""
		if i > first && !blank && len(line)-len(strings.TrimLeft(line, " ")) < depth(text.Slice(text.Line(first))) {
			break
		}
		isKey := strings.HasPrefix(strings.TrimLeft(line, " -"), key+":")
		switch {
		case isKey:
			inside = depth(line)
		case !blank && depth(line) <= inside:
			inside = -1
		}
		found := option.FindAllStringSubmatchIndex(line, -1)
		if m := value.FindStringSubmatchIndex(line); m != nil && inside >= 0 {
			found = append(found, m)
		}
		for _, m := range found {
			spans = append(spans, source.Span{Start: span.Start + m[2], End: span.Start + m[3]})
		}
	}
	return spans
}
