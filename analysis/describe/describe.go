package describe

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	words "github.com/layerwise/layerwise/analysis/reference"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/secret"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/source"
)

// File is one file of the build context.
type File struct {
	Path string
	Size int64 // bytes
}

// Copied is what an instruction reads of the build context.
type Copied struct {
	Files   []File
	Ignored []string // what lies among it but is left out by the ignore file
	Problem string   // why a build would fail, "" if it would not
}

// World is what descriptions know besides the file.
type World struct {
	// Copied says what an instruction, by index, reads of the build context, nil if it is not known. It may be nil.
	Copied func(instruction int) *Copied
	// Published says what the registry has under a reference, nil if it is not asked. It may be nil.
	Published func(ref string) *Published
}

// Published is what a registry has under a reference to an image.
type Published struct {
	Digest    string
	Created   time.Time // when the image was made, zero if it does not say
	Now       time.Time
	Size      int64    // bytes, of the compressed layers for Platform; 0 if it is not known
	Platform  string   // that of the build, or the image's only one
	Platforms []string // for which there is an image
	Problem   string   // why nothing is known, "" if something is
}

// At describes the word at an offset. The text is "" where there is nothing to say; the span is that of the word
// nevertheless.
func At(file *dockerfile.File, variables *scope.Variables, offset int, world World) (source.Span, string) {
	d := &describer{file: file, variables: variables, offset: offset, world: world}
	for _, directive := range file.Directives {
		if directive.Span.Contains(offset) {
			return d.directive(directive)
		}
	}
	if entry, name, _ := directiveAt(file, offset); entry != nil && d.on(name) {
		return name, Entry("# "+entry.Name, entry)
	}
	in := file.InstructionAt(offset)
	if in == nil {
		return source.Span{Start: offset, End: offset}, ""
	}
	d.outer = in
	for _, comment := range in.Comments {
		if comment.Span.Contains(offset) {
			return comment.Span, ""
		}
	}
	if in.Trigger != nil && offset >= in.Trigger.Span.Start {
		in = in.Trigger
	}
	return d.instruction(in)
}

type describer struct {
	file      *dockerfile.File
	variables *scope.Variables
	offset    int
	world     World
	outer     *dockerfile.Instruction
}

func (d *describer) on(span source.Span) bool { return span.Len() > 0 && span.Contains(d.offset) }

var directiveLine = regexp.MustCompile(`^\s*#\s*([a-zA-Z]+)\s*=\s*`)

// directiveAt returns the directive, with a value or not yet, in whose line an offset is, and where its name and its
// value stand.
func directiveAt(file *dockerfile.File, offset int) (entry *words.Entry, name source.Span, value int) {
	n := file.Text.LineAt(offset)
	if n > file.BehindDirectives() {
		return nil, name, 0
	}
	line := file.Text.Line(n)
	m := directiveLine.FindStringSubmatchIndex(file.Text.Slice(line))
	if m == nil {
		return nil, name, 0
	}
	name = source.Span{Start: line.Start + m[2], End: line.Start + m[3]}
	return words.Find(words.Directives, file.Text.Slice(name)), name, line.Start + m[1]
}

func (d *describer) directive(line dockerfile.Directive) (source.Span, string) {
	entry := words.Find(words.Directives, line.Name.Text)
	switch {
	case d.on(line.Name.Span):
		return line.Name.Span, Entry("# "+entry.Name, entry)
	case !d.on(line.Value.Span):
		return source.Span{Start: d.offset, End: d.offset}, ""
	case line.Name.Text == "check":
		span := d.part(line.Value.Span, ",;= ")
		if text := check(d.file.Text.Slice(span)); text != "" {
			return span, text
		}
	case line.Name.Text == "syntax":
		return line.Value.Span, value(
			Entry("# "+entry.Name, entry),
			entry,
			line.Value.Text,
		) + "\n\n" + d.image(
			line.Value.Text,
		)
	}
	return line.Value.Span, value(Entry("# "+entry.Name, entry), entry, line.Value.Text)
}

// part returns the piece of a span at the offset between separators.
func (d *describer) part(span source.Span, separators string) source.Span {
	text := d.file.Text.Slice(span)
	at := d.offset - span.Start
	start := strings.LastIndexAny(text[:at], separators) + 1
	end := len(text)
	if n := strings.IndexAny(text[at:], separators); n >= 0 {
		end = at + n
	}
	return source.Span{Start: span.Start + start, End: span.Start + end}
}

func (d *describer) instruction(in *dockerfile.Instruction) (source.Span, string) {
	entry := words.InstructionOf(in.Meant)
	if d.on(in.Keyword.Span) {
		if entry == nil {
			return in.Keyword.Span, ""
		}
		return in.Keyword.Span, join(d.facts(in), Entry(entry.Name, &entry.Entry))
	}
	script, language := shellscript.Read(d.file, d.outer, shellscript.Languages(d.file, d.variables.Bases)(d.outer))
	for _, use := range dockerfile.Variables(in) {
		if d.on(use.Name.Span) &&
			(use.By != dockerfile.Shell || language == shellscript.Bash || language == shellscript.Unknown) {
			return use.Name.Span, d.use(use)
		}
	}
	if script != nil {
		for _, piece := range shellscript.Pieces(script.Text, language) {
			if span := script.Place(piece.EnvAt, piece.EnvAt+len(piece.Env)); piece.Env != "" && !piece.Set &&
				d.on(span) {
				return span, d.variable(d.outer.Stage, span.Start, d.spelt(span.Start, piece.Env))
			}
		}
	}
	for _, doc := range in.Heredocs {
		if d.on(doc.Start) || d.on(doc.Terminator) {
			span := doc.Start
			if !d.on(span) {
				span = doc.Terminator
			}
			return span, d.heredoc(in, doc)
		}
	}
	for _, f := range in.Flags {
		if d.on(f.Span) {
			return d.flag(in, entry, f)
		}
	}
	for i, word := range in.Args {
		if d.on(word.Span) {
			return d.argument(in, i, word)
		}
	}
	return d.word(), ""
}

// spelt returns the name of a variable as it is defined: on Windows case does not matter.
func (d *describer) spelt(offset int, name string) string {
	if d.outer.Stage < 0 {
		return name
	}
	names := d.variables.Names(d.outer.Stage, offset)
	if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 &&
		!slices.Contains(names, name) {
		return names[i]
	}
	return name
}

// word is what stands at the offset between blanks.
func (d *describer) word() source.Span {
	line := d.file.Text.Line(d.file.Text.LineAt(d.offset))
	if d.offset > line.End {
		return source.Span{Start: d.offset, End: d.offset}
	}
	return d.part(line, " \t\v\f\r")
}

// facts are what is known of an instruction as a whole.
func (d *describer) facts(in *dockerfile.Instruction) string {
	switch in.Meant {
	case "FROM":
		if in.Stage >= 0 && in.Stage < len(d.file.Stages) && d.file.Stages[in.Stage].From == in {
			return d.stage(in.Stage)
		}
	case "COPY", "ADD":
		return d.copied()
	}
	return ""
}

func (d *describer) flag(
	in *dockerfile.Instruction,
	entry *words.Instruction,
	f dockerfile.Flag,
) (source.Span, string) {
	name := source.Span{Start: f.Span.Start, End: f.Name.Span.End}
	if entry == nil || entry.Flag(f.Name.Text) == nil {
		return f.Span, ""
	}
	about := flag(entry, entry.Flag(f.Name.Text), "")
	if d.on(name) && d.offset < max(f.Value.Span.Start, name.End) || !f.HasValue {
		return name, about
	}
	if f.Value.Text != d.file.Text.Slice(f.Value.Span) {
		return f.Value.Span, about // on several lines
	}
	switch f.Name.Text {
	case "from":
		return f.Value.Span, join(d.from(f.Value.Text, dockerfile.ByCopy), about)
	case "mount":
		for _, m := range in.Mounts() {
			for _, field := range m.Fields {
				if d.on(in.Flags[m.Flag].Span) && d.on(field.Span) {
					return d.mountField(&m, &field)
				}
			}
		}
	}
	return f.Value.Span, flag(entry, entry.Flag(f.Name.Text), f.Value.Text)
}

// mountField describes a key of a mount, or what its value says.
func (d *describer) mountField(m *dockerfile.Mount, field *dockerfile.MountField) (source.Span, string) {
	of := words.MountOf(m.Type())
	if of == nil {
		of = words.MountOf("bind")
	}
	key, about := field.Key.Text, ""
	if key == "type" {
		about = Entry("RUN --mount=type="+of.Name, &of.Entry)
	} else {
		about = mountKey(of, key, "")
	}
	switch {
	case d.offset <= field.Key.Span.End:
		return field.Key.Span, about
	case key == "type":
		return field.Value.Span, about
	case key == "from":
		return field.Value.Span, join(d.from(field.Value.Text, dockerfile.ByMount), about)
	}
	return field.Value.Span, mountKey(of, key, field.Value.Text)
}

// from describes what --from or a mount's from names: a stage or an image.
func (d *describer) from(name string, use dockerfile.StageUse) string {
	if stage := d.file.Stage(name, use, d.outer.Stage); stage >= 0 {
		return d.stage(stage)
	}
	return d.image(name)
}

func (d *describer) argument(in *dockerfile.Instruction, i int, word dockerfile.Word) (source.Span, string) {
	switch in.Meant {
	case "FROM":
		stage := d.outer.Stage
		switch {
		case stage < 0 || d.file.Stages[stage].From != in:
		case i == 0:
			if base := d.variables.Bases[stage]; base >= 0 {
				return word.Span, d.stage(base)
			}
			ref, _ := d.variables.Expand(-1, in.Span.Start, word.Text)
			return word.Span, d.image(ref)
		case i == 1 && strings.EqualFold(word.Text, "as"):
			e := words.InstructionOf("FROM")
			return word.Span, Entry("FROM", &e.Entry)
		case i == 2:
			return word.Span, d.stage(stage)
		}
	case "COPY", "ADD":
		return word.Span, d.copied()
	case "ENV", "ARG":
		name, _, pair := strings.Cut(word.Text, "=")
		if !pair && in.Meant == "ENV" && i > 0 {
			break // the value of the old form
		}
		span := source.Span{Start: word.Span.Start, End: min(word.Span.End, word.Span.Start+len(name))}
		if d.on(span) {
			return span, d.defined(name)
		}
	case "STOPSIGNAL":
		return word.Span, entryValue(words.Signals, word.Text)
	case "EXPOSE":
		if _, protocol, ok := strings.Cut(word.Text, "/"); ok {
			return word.Span, entryValue(words.Protocols, protocol)
		}
	case "HEALTHCHECK":
		if e := words.InstructionOf("HEALTHCHECK"); i == 0 && e.Words[strings.ToUpper(word.Text)] != "" {
			return word.Span, "**" + strings.ToUpper(word.Text) + "** — " + e.Words[strings.ToUpper(word.Text)]
		}
	}
	return word.Span, ""
}

func entryValue(values []words.Entry, name string) string {
	if v := words.Find(values, name); v != nil {
		return "**" + v.Name + "** — " + v.Summary
	}
	return ""
}

func (d *describer) heredoc(in *dockerfile.Instruction, doc dockerfile.Heredoc) string {
	lines := strings.Count(d.file.Text.Slice(doc.Body), "\n")
	text := fmt.Sprintf("**Here-document** %s — %s", Code(doc.Name), count(lines, "line"))
	switch {
	case in.Meant == "RUN" && in.ArgsSpan.Start == doc.Start.Start:
		text += "\n\nIts text is a script, run by the shell or by what its first line names behind `#!`."
	case in.Meant == "RUN" && doc.Expand:
		text += "\n\nIts text is what the command reads. The shell expands variables in it; " +
			"`<<\"" + doc.Name + "\"` would keep them."
	case in.Meant == "RUN":
		text += "\n\nIts text is what the command reads, as it is."
	case doc.Expand:
		text += "\n\nIts text is a file. Variables in it are expanded by the build; " +
			"`<<\"" + doc.Name + "\"` would keep them."
	default:
		text += "\n\nIts text is a file, as it is."
	}
	if doc.Chomp {
		text += " Tabs at the starts of its lines are left out."
	}
	return text + "\n\n[Dockerfile reference](https://docs.docker.com/reference/dockerfile/#here-documents)"
}

// stage describes what a stage is made of.
func (d *describer) stage(i int) string {
	stage := d.file.Stages[i]
	name := "stage " + fmt.Sprint(i)
	if stage.Name != "" {
		name = "stage " + Code(stage.Name)
	}
	var b strings.Builder
	fmt.Fprintf(
		&b,
		"**%s** — %s, %s %d\n",
		name,
		count(len(stage.Instructions), "instruction"),
		"line",
		stage.From.Line,
	)
	var chain []string
	for at := i; ; at = d.variables.Bases[at] {
		if base := d.variables.Bases[at]; base >= 0 {
			chain = append(chain, "stage "+Code(cmp.Or(d.file.Stages[base].Name, fmt.Sprint(base))))
			continue
		}
		ref := d.file.Stages[at].Base.Text
		expanded, _ := d.variables.Expand(-1, d.file.Stages[at].From.Span.Start, ref)
		if expanded != ref && expanded != "" {
			chain = append(chain, Code(ref)+" = "+Code(expanded))
		} else {
			chain = append(chain, Code(ref))
		}
		break
	}
	fmt.Fprintf(&b, "\n- built on %s\n", strings.Join(chain, ", that on "))
	kinds := map[string]int{}
	for _, in := range stage.Instructions[1:] {
		kinds[in.Meant]++
	}
	var parts []string
	for _, keyword := range dockerfile.Keywords() {
		if kinds[keyword] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", kinds[keyword], keyword))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(&b, "- made of %s\n", strings.Join(parts, ", "))
	}
	var users []string
	for j, base := range d.variables.Bases {
		if base == i {
			users = append(users, "FROM in line "+fmt.Sprint(d.file.Stages[j].From.Line))
		}
	}
	for _, ref := range d.file.StageReferences() {
		if ref.Use != dockerfile.ByFrom && ref.Stage == i && ref.In.Stage > i {
			users = append(users, ref.In.Meant+" in line "+fmt.Sprint(ref.In.Line))
		}
	}
	switch {
	case len(users) > 8:
		fmt.Fprintf(&b, "- used by %s and %d more\n", strings.Join(users[:8], ", "), len(users)-8)
	case len(users) > 0:
		fmt.Fprintf(&b, "- used by %s\n", strings.Join(users, ", "))
	case i == len(d.file.Stages)-1:
		b.WriteString("- the last stage: what is built by default\n")
	default:
		b.WriteString("- used by no other stage\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// copied describes what the instruction reads of the build context.
func (d *describer) copied() string {
	if d.world.Copied == nil {
		return ""
	}
	index, _ := slices.BinarySearchFunc(
		d.file.Instructions,
		d.outer,
		func(a, b *dockerfile.Instruction) int { return a.Span.Start - b.Span.Start },
	)
	c := d.world.Copied(index)
	if c == nil {
		return ""
	}
	var b strings.Builder
	var sum int64
	for _, f := range c.Files {
		sum += f.Size
	}
	switch {
	case c.Problem != "":
		b.WriteString("**Build context** — " + Escape(c.Problem))
	case len(c.Files) == 0 && len(c.Ignored) == 0:
		return ""
	default:
		fmt.Fprintf(&b, "**Build context** — %s, %s", count(len(c.Files), "file"), Size(sum))
	}
	files := slices.Clone(c.Files)
	slices.SortFunc(
		files,
		func(a, b File) int { return cmp.Or(cmp.Compare(b.Size, a.Size), strings.Compare(a.Path, b.Path)) },
	)
	if len(files) > 1 {
		b.WriteString("\n\n- largest: ")
		var largest []string
		for _, f := range files[:min(3, len(files))] {
			largest = append(largest, Code(f.Path)+" ("+Size(f.Size)+")")
		}
		b.WriteString(strings.Join(largest, ", "))
	} else if len(files) == 1 {
		b.WriteString("\n\n- " + Code(files[0].Path))
	}
	if n := len(c.Ignored); n > 0 {
		if len(files) == 0 {
			b.WriteString("\n")
		}
		var names []string
		for _, name := range c.Ignored[:min(5, n)] {
			names = append(names, Code(name))
		}
		if n > 5 {
			names = append(names, fmt.Sprintf("%d more", n-5))
		}
		b.WriteString("\n- ignored: " + strings.Join(names, ", "))
	}
	return b.String()
}

// use describes a variable that is used: what it stands for there.
func (d *describer) use(use dockerfile.Variable) string {
	stage := d.outer.Stage
	if use.Global {
		stage = -1
	}
	name := use.Name.Text
	text := d.variable(stage, use.Name.Span.Start, name)
	switch {
	case use.By == dockerfile.Nobody:
		text = join(text, "Nobody expands variables here: it stays as it is written.")
	case text == "" && stage >= 0:
		if _, ok := d.variables.Global[name]; ok {
			return fmt.Sprintf(
				"**%s** — the `ARG` of line %d counts for `FROM` only, until the stage says `ARG %s`",
				Code(name),
				d.variables.Global[name][0].In.Line,
				name,
			)
		}
		if use.By == dockerfile.Frontend {
			return "**" + Code(name) + "** — not set by this file; perhaps by the base image"
		}
	}
	if use.Modifier != "" {
		if m := words.Find(words.Modifiers, use.Modifier); m != nil {
			text = join(text, Code(use.Modifier)+" — "+m.Summary+".")
		}
	}
	return text
}

// defined describes the variable that an ENV or ARG sets.
func (d *describer) defined(name string) string {
	return d.variable(d.outer.Stage, d.outer.Span.End, name)
}

// variable describes what a name stands for at an offset, "" if the file does not say.
func (d *describer) variable(stage, offset int, name string) string {
	predefined := ""
	if e := words.Find(words.PredefinedArgs, name); e != nil && e.Name == name {
		predefined = Entry(e.Name, e)
	}
	definition, ok := d.variables.Lookup(stage, offset, name)
	if !ok {
		return predefined
	}
	value, known := d.variables.Expand(stage, offset, "${"+name+"}")
	where := fmt.Sprintf("`%s` in line %d", definition.In.Meant, definition.In.Line)
	if definition.In.Meant == "ARG" && !definition.Known && stage >= 0 {
		if global, ok := d.variables.Lookup(-1, d.file.Text.Len(), name); ok {
			where += fmt.Sprintf(", its default by line %d", global.In.Line)
		}
	}
	if definition.In.Meant == "ARG" {
		if _, ok := d.variables.Args[name]; ok {
			where = "build argument, declared by " + where
		}
	}
	text := "**" + Code(name) + "** — " + where
	switch {
	case Secret(d.variables, name, value, definition):
		text = "**" + Code(name) + "** — looks like a secret: its value is not shown\n\nSet by " + where + "."
	case known:
		text = "**" + Code(name) + "** = " + Code(cmp.Or(clip(value), `""`)) + "\n\nSet by " + where + "."
	case predefined == "":
		text += "\n\nIts value is known only to the build."
	}
	return join(text, predefined)
}

var named = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// Secret reports whether a variable's value is not to be shown: it looks like a secret, or is made of one.
func Secret(v *scope.Variables, name, value string, d scope.Definition) bool {
	for arg, given := range v.Args {
		if secret.Is(arg, given) && strings.Contains(value, given) {
			return true
		}
	}
	for _, m := range named.FindAllStringSubmatch(d.Value, -1) {
		if secret.Name(m[1]) {
			return true
		}
	}
	return secret.Is(name, value)
}

func clip(s string) string {
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return s
}

// image describes the parts of a reference, and what the registry has under it.
func (d *describer) image(ref string) string {
	if ref == "scratch" {
		return "**`scratch`** — the empty image: no files, no layers"
	}
	full, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("**image** " + Code(ref) + "\n")
	registry := reference.Domain(full)
	if registry == "docker.io" {
		registry = "docker.io (Docker Hub)"
	}
	fmt.Fprintf(&b, "\n- registry: %s\n- repository: %s", registry, Code(reference.Path(full)))
	tagged, hasTag := full.(reference.Tagged)
	digested, hasDigest := full.(reference.Digested)
	switch {
	case hasTag && hasDigest:
		fmt.Fprintf(&b, "\n- tag: %s, which does not count beside the digest", Code(tagged.Tag()))
	case hasTag:
		fmt.Fprintf(&b, "\n- tag: %s", Code(tagged.Tag()))
	case !hasDigest:
		b.WriteString("\n- tag: `latest`, since none is given: it changes without notice")
	}
	if hasDigest {
		fmt.Fprintf(&b, "\n- digest: %s: always the same image", Code(digested.Digest().String()))
	}
	if e := images.Of(reference.FamiliarName(full)); e != nil {
		b.WriteString("\n\n" + e.Summary + ".")
	}
	if d.world.Published != nil {
		if p := d.world.Published(ref); p != nil {
			b.WriteString("\n\n" + p.describe(hasDigest))
		}
	}
	return b.String()
}

// describe says what the registry has; the digest not where the reference names it.
func (p *Published) describe(pinned bool) string {
	if p.Problem != "" {
		return "The registry does not tell more: " + Escape(p.Problem) + "."
	}
	lines := []string{"In the registry now:"}
	if !pinned {
		lines = append(lines, "- digest: "+Code(p.Digest))
	}
	if !p.Created.IsZero() {
		lines = append(lines, "- made: "+p.Created.UTC().Format("2006-01-02")+ago(p.Now.Sub(p.Created)))
	}
	if p.Size > 0 {
		lines = append(lines, fmt.Sprintf("- size: %s, compressed, for %s", Size(p.Size), Escape(p.Platform)))
	}
	const most = 12
	platforms := p.Platforms
	if len(platforms) > most {
		platforms = append(slices.Clone(platforms[:most]), fmt.Sprintf("and %d more", len(platforms)-most))
	}
	if len(platforms) > 0 {
		lines = append(lines, "- platforms: "+Escape(strings.Join(platforms, ", ")))
	}
	return strings.Join(lines, "\n")
}

// ago says how long ago something was, in days, months or years; "" if that makes no sense, as with images that are
// dated to 1970 on purpose.
func ago(d time.Duration) string {
	switch days := int(d.Hours() / 24); {
	case days < 0 || days > 20*365:
		return ""
	case days == 0:
		return ", today"
	case days == 1:
		return ", yesterday"
	case days < 60:
		return fmt.Sprintf(", %d days ago", days)
	case days < 2*365:
		return fmt.Sprintf(", %d months ago", days/30)
	default:
		return fmt.Sprintf(", %d years ago", days/365)
	}
}

// Size says how many bytes a file has.
func Size(n int64) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	case n < 1000*1000*1000:
		return fmt.Sprintf("%.1f MB", float64(n)/1000/1000)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1000/1000/1000)
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// join puts a rule between texts that are not empty.
func join(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "\n\n---\n\n")
}
