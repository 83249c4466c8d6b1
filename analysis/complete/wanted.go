package complete

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/secret"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// below yields the instructions below the cursor.
func (c *cursor) below() func(yield func(*dockerfile.Instruction) bool) {
	return func(yield func(*dockerfile.Instruction) bool) {
		for _, in := range c.file.Instructions {
			if in.Span.Start > c.offset && !yield(in) {
				return
			}
		}
	}
}

// stageNames offers, behind AS, names that are written below as those of stages that are not there. Any other name is
// its author's choice, and what is offered could be taken by the key that ends the line.
func (c *cursor) stageNames() {
	l := likely{kind: Stage}
	wanted := func(name string, in *dockerfile.Instruction) {
		if plainName.MatchString(name) && images.Of(name) == nil && !images.Official(name) {
			l.add(name, fmt.Sprintf("line %d takes it", in.Line))
		}
	}
	for in := range c.below() {
		if command, ok := in.Command.(*instructions.CopyCommand); ok {
			wanted(command.From, in)
		}
		if in.Meant == "FROM" && in.Stage >= 0 {
			wanted(c.file.Stages[in.Stage].Base.Text, in)
		}
	}
	l.items = slices.DeleteFunc(l.items, func(it Item) bool {
		return c.file.Stage(it.Label, dockerfile.ByCopy, len(c.file.Stages)) >= 0
	})
	c.offer(c.word, "", false, l.items)
}

// What variables are used by names that a shell's own ones, by custom, do not have.
var (
	variableUsed = regexp.MustCompile(`\$\{?([A-Z][A-Z0-9_]{2,})\b`)
	shellsOwn    = regexp.MustCompile(`^(HOME|HOSTNAME|IFS|OLDPWD|PATH|PWD|RANDOM|SHELL|UID|USER)$`)
)

// undefined adds the variables that are used below, where the cursor's instruction counts, and nothing sets: of FROMs
// for what stands above the first, else of the stage.
func (c *cursor) undefined(l *likely) {
	for in := range c.below() {
		if global := c.stage < 0; global && in.Meant != "FROM" || !global && in.Stage != c.stage {
			continue
		}
		text := c.file.Text.Slice(in.Span)
		for _, m := range variableUsed.FindAllStringSubmatch(text, -1) {
			_, set := c.variables.Lookup(c.stage, in.Span.Start, m[1])
			set = set || c.keyword == "ENV" && secret.Name(m[1])
			if len(l.items) < most && !set && !shellsOwn.MatchString(m[1]) && !strings.Contains(text, m[1]+"=") {
				l.add(m[1], fmt.Sprintf("line %d uses it", in.Line))
			}
		}
	}
}

// builtBy are images that projects are built by, with files that lie in the root of one.
var builtBy = []struct{ image, files string }{
	{"node", "package.json"}, {"golang", "go.mod"}, {"python", "requirements.txt pyproject.toml Pipfile setup.py"},
	{"rust", "Cargo.toml"}, {"maven", "pom.xml"}, {"gradle", "build.gradle build.gradle.kts"}, {"ruby", "Gemfile"},
	{"php", "composer.json"}, {"elixir", "mix.exs"}, {"dart", "pubspec.yaml"},
}

// projects adds the images that what lies in the build context is built by.
func (c *cursor) projects(add func(ref, detail string)) {
	if c.world.Context == nil {
		return
	}
	names := map[string]bool{}
	for _, e := range c.world.Context("") {
		names[e.Name] = !e.Dir
	}
	for _, b := range builtBy {
		for file := range strings.FieldsSeq(b.files) {
			if names[file] {
				add(b.image, "the build context has "+file)
			}
		}
	}
}

// nextWords are the instructions that are written most below another, in order, by a count in real files.
var nextWords = map[string]string{
	"FROM": "RUN COPY WORKDIR", "WORKDIR": "RUN COPY ENV", "RUN": "RUN COPY FROM", "COPY": "COPY RUN FROM",
	"ADD": "RUN WORKDIR COPY", "ARG": "ARG RUN FROM", "ENV": "RUN ENV COPY", "LABEL": "RUN LABEL ENV",
	"SHELL": "ENV RUN COPY", "USER": "WORKDIR ENTRYPOINT RUN", "VOLUME": "ENTRYPOINT CMD EXPOSE",
	"EXPOSE": "CMD ENTRYPOINT VOLUME", "HEALTHCHECK": "CMD ENTRYPOINT", "ENTRYPOINT": "CMD FROM", "CMD": "FROM EXPOSE",
}

// ranks is the order in which instructions are offered at a place: those first that are written most below what stands
// above it.
func (c *cursor) ranks(start int) []string {
	last := ""
	for _, in := range c.file.Instructions {
		if in.Span.Start < start {
			last = in.Meant
		}
	}
	return append(strings.Fields(nextWords[last]), usual...)
}
