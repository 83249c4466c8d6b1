package rules

import (
	// The digests of images; without them none is valid.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// InvalidImage finds image names that no image can have.
var InvalidImage = &Rule{
	ID:       "invalid-image",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "An image name is not valid",
		What: "Finds `FROM`, `COPY --from=` and `RUN --mount=from=` with a name that no image can have: capital " +
			"letters, an empty tag and the like. Variables are not looked at.",
		Why:     "The build stops: invalid reference format.",
		Example: "FROM Alpine:3.20\n",
		Instead: "FROM alpine:3.20\n",
	},
	check: checkInvalidImage,
}

func checkInvalidImage(p *pass) {
	anywhere := map[string]bool{}
	for _, stage := range p.file().Stages {
		anywhere[stage.Name] = true
	}
	for _, ref := range p.stageReferences() {
		name := ref.word.Text
		lower := strings.ToLower(name)
		if strings.ContainsAny(name, "$\"'\\") || ref.in.Meant == "FROM" && strings.Contains(name, "`") {
			p.checkExpandedImage(ref)
			continue
		}
		if strings.Trim(name, "0123456789") == "" || ref.in.Meant != "FROM" && anywhere[lower] ||
			isMisplacedFlag(p.file(), ref.in) {
			continue
		}
		err := p.invalidName(name)
		if err == nil {
			continue
		}
		if _, ok := p.innerInstruction(ref.in); ok && ref.in.Meant == "FROM" && ref.in.From == nil {
			continue // InnerInstruction says what is wrong
		}
		if p.spoilt(ref.in) {
			continue // LookalikeCharacter says what is wrong
		}
		finding := analysis.Finding{Span: ref.word.Span, Message: fmt.Sprintf("%s is not an image: %v", name, err)}
		if stage, rest := p.pathInFrom(ref.in, name); rest != "" {
			if meant := stage + " " + rest; ref.in.Meant == "COPY" { // as docker cp has it
				finding.Fixes = replace(ref.word.Span, meant, true)
			} else {
				finding.Fixes = replace(ref.word.Span, stage+",source="+rest, true)
			}
		}
		if bare := strings.TrimLeft(name, "=:$"); bare != name && anywhere[strings.ToLower(bare)] {
			finding.Fixes = replace(ref.word.Span, bare, true)
		}
		if known := p.nearest(name, p.stageNames()); clearly(name, known) {
			finding.Fixes = append(finding.Fixes, replace(ref.word.Span, suggest(name, known)[0], true)...)
		}
		if base, tag, ok := strings.Cut(name, "="); ok && !strings.Contains(name, ":") {
			if _, err := reference.ParseNormalizedNamed(base + ":" + tag); err == nil {
				finding.Fixes = append(finding.Fixes, replace(ref.word.Span, base+":"+tag, true)...)
			}
		}
		finding.Fixes = append(finding.Fixes, p.withVariables(ref.in, ref.word)...)
		finding.Fixes = append(finding.Fixes, p.behindColon(ref)...)
		for _, meant := range meantImages(name, lower) {
			if _, err := reference.ParseNormalizedNamed(meant); err == nil && meant != name && len(finding.Fixes) == 0 {
				finding.Fixes = replace(ref.word.Span, meant, anywhere[meant])
			}
		}
		p.report(nil, finding)
	}
}

// invalidName says why a name is not one that an image can have, nil if it is. Most names are plain words.
func (p *pass) invalidName(name string) error {
	if len(name) < 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == "" && name != "" {
		return nil
	}
	w := p.rest()
	err, known := w.invalid[name]
	if !known {
		if w.invalid == nil {
			w.invalid = map[string]error{}
		}
		_, err = reference.ParseNormalizedNamed(name)
		w.invalid[name] = err
	}
	return err
}

// pathInFrom divides a --from into the stage or image and a path that belongs behind a blank; path is "" where the name
// has none.
func (p *pass) pathInFrom(in *dockerfile.Instruction, name string) (from, path string) {
	at := strings.IndexAny(name, ":,/")
	if at <= 0 || in.Meant == "COPY" && len(in.Args) > 1 {
		return "", ""
	}
	from, path = name[:at], strings.TrimLeft(name[at:], ":,")
	stage := slices.Contains(p.stageNames(), strings.ToLower(from)) || strings.Trim(from, "0123456789") == ""
	if !strings.HasPrefix(path, "/") || in.Meant != "COPY" && in.Meant != "RUN" || !stage && name[at] == '/' {
		return "", ""
	}
	if _, err := reference.ParseNormalizedNamed(from); err != nil {
		return "", ""
	}
	return from, path
}

// checkExpandedImage looks at the image of a FROM with quotes or variables.
func (p *pass) checkExpandedImage(ref stageReference) {
	if word := p.Text.Slice(ref.word.Span); ref.in.Meant == "FROM" && len(word) > 2 &&
		(word[0] == '"' || word[0] == '\'') &&
		word[len(word)-1] == word[0] {
		p.report(ref.in, analysis.Finding{
			Severity: analysis.Hint, Span: ref.word.Span, Message: "an image's name needs no quotes",
			Fixes: replace(ref.word.Span, word[1:len(word)-1], true),
		})
	}
	if ref.in.Meant != "FROM" || ref.in.From == nil || p.undeclared(ref.in) {
		return // UndefinedArgInFrom has it
	}
	if err := p.brokenImage(ref.in); err != nil {
		p.report(nil, analysis.Finding{
			Span: ref.word.Span, Message: err.Error(), Fixes: p.withVariables(ref.in, ref.word),
		})
	}
}

// brokenImage says why the image of a FROM is not valid whatever build arguments are given, if it is so: both with the
// defaults of the ARGs and with any other value that would do. What no ARG declares is empty.
func (p *pass) brokenImage(in *dockerfile.Instruction) error {
	word := p.file().Stages[in.Stage].Base.Text
	var broken error
	for _, value := range []string{"", "x", strings.Repeat("0", 64)} { // the last may be a digest's
		env := &globals{p: p, offset: in.Span.Start, value: value}
		name, err := shell.NewLex(rune(p.Escape)).ProcessWordWithMatches(word, env)
		if err != nil || env.over() {
			return nil // InvalidSubstitution has it, or it is too long to be known
		}
		_, err = reference.ParseNormalizedNamed(name.Result)
		switch {
		case err == nil || name.Result == "scratch" || slices.Contains(p.stageNames(), strings.ToLower(name.Result)):
			return nil
		case name.Result == "":
			err = fmt.Errorf("base name (%s) should not be blank", word)
		default:
			err = fmt.Errorf("%s is not an image: %w", name.Result, err)
		}
		if broken == nil {
			broken = err
		}
	}
	return broken
}

// mostExpanded is how many bytes the variables of one word may have: each may be many times as long as the one before.
const mostExpanded = 64 << 10

// globals is what FROM sees at an offset, with another value for all that build arguments can set, if it is not "".
type globals struct {
	p      *pass
	offset int
	value  string
	size   int // of the values that were asked for
}

// over reports whether the values are too long for anything to be said.
func (g *globals) over() bool { return g.size > mostExpanded }

func (g *globals) Get(name string) (string, bool) {
	if g.over() {
		return "", false
	}
	if len(g.p.variables().Global[name]) > 0 {
		if g.value != "" {
			return g.value, true
		}
	} else if !predefined(name) {
		return "", false
	}
	value, known := g.p.variables().Expand(-1, g.offset, "${"+name+"}")
	if g.size += len(value); !known {
		g.size = mostExpanded + 1
	}
	return value, true
}

func (g *globals) Keys() []string { return nil }

// declared reports whether a build argument may change the word of a FROM at span.
func (p *pass) declared(in *dockerfile.Instruction, span source.Span) bool {
	for _, use := range dockerfile.Variables(in) {
		if span.Start <= use.Span.Start && use.Span.End <= span.End && len(p.variables().Global[use.Name.Text]) > 0 {
			return true
		}
	}
	return false
}

// undeclared reports whether a FROM uses a variable that UndefinedArgInFrom is about.
func (p *pass) undeclared(in *dockerfile.Instruction) bool {
	for _, use := range dockerfile.Variables(in) {
		if name := use.Name.Text; use.By == dockerfile.Frontend && len(p.variables().Global[name]) == 0 &&
			!predefined(name) {
			return true
		}
	}
	return false
}

func (p *pass) stageNames() []string {
	var names []string
	seen := map[string]bool{}
	for _, stage := range p.file().Stages {
		if stage.Name != "" && !seen[stage.Name] {
			names, seen[stage.Name] = append(names, stage.Name), true
		}
	}
	return names
}

// meantImages are the images that may be meant by what is none, the likeliest first.
func meantImages(name, lower string) []string {
	list := []string{lower, strings.Trim(name, "<>{}()[]")}
	for _, twice := range []string{"::", "==", ":=", "="} {
		if strings.Count(name, twice) == 1 {
			list = append(list, strings.Replace(name, twice, ":", 1))
		}
	}
	list = append(list, strings.TrimRight(name, ":/@;,."), strings.Replace(name, "@", ":", 1))
	if at := strings.LastIndex(name, "/") + 1; strings.Count(name[at:], ":") > 0 {
		image, tags, _ := strings.Cut(name[at:], ":")
		if tag, again, _ := strings.Cut(tags, ":"); tag == again || again == "latest" {
			tags = tag
		}
		list = append(list, name[:at]+image+":"+strings.ReplaceAll(tags, ":", "-"))
	}
	_, address, found := strings.Cut(name, "://")
	if rest, ok := strings.CutPrefix(address, "hub.docker.com/"); ok {
		rest = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(rest, "_/"), "r/"), "/tags")
		return append(list, rest)
	}
	if found {
		list = append(list, address)
	}
	return list
}

// behindColon is the fix for a tag that a blank divides from its image: "node: 20".
func (p *pass) behindColon(ref stageReference) []analysis.Fix {
	if ref.in.Meant != "FROM" || !strings.HasSuffix(ref.word.Text, ":") || len(ref.in.Args) < 2 ||
		strings.EqualFold(ref.in.Args[1].Text, "as") {
		return nil
	}
	gap := source.Between(ref.word.Span.End, ref.in.Args[1].Span.Start)
	if ref.word.Text == "image:" {
		return p.removed(source.Between(ref.word.Span.Start, gap.End))
	}
	return change("Remove the space behind :", gap, "", true)
}
