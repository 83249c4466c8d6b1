package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
)

// UndefinedVar finds variables that are used without a definition.
var UndefinedVar = &Rule{
	ID:       "UndefinedVar",
	Severity: analysis.Warning,
	Hadolint: []string{"DL3044"},
	BuildKit: buildKitPage + "undefined-var/",
	Doc: Doc{
		Summary: "A variable is used that is not defined",
		What: "Finds variables in the instructions that BuildKit itself expands (not in shell commands) that have " +
			"no `ARG` or `ENV` above in their stage. The base image, which is not looked at, may define variables, " +
			"too; so, unless that is `scratch`, only those are reported that are misspelt, declared only above " +
			"the first `FROM`, declared only further down, or that BuildKit defines for stages which declare " +
			"them, such as `TARGETARCH`.",
		Why: "The variable is empty. An ARG above the first `FROM` counts in a stage only if the stage declares " +
			"it again.",
		Example: "FROM alpine\nARG VERSION=1\nCOPY app-$VRESION /app\n",
		Instead: "FROM alpine\nARG VERSION=1\nCOPY app-$VERSION /app\n",
	},
	of: []string{"ADD", "ARG", "COPY", "ENV", "EXPOSE", "LABEL", "RUN", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"},
	each: func(p *pass, in *dockerfile.Instruction) {
		looked := in.Span
		if in.Meant == "RUN" { // the rest is the shell's
			looked.End = in.ArgsSpan.Start
		}
		if p.outer != nil || in.Stage < 0 || in.Command == nil || p.allDefined(in, p.Text.Slice(looked)) {
			return
		}
		var inHeredoc bool // one of the variables in its heredocs is enough
		for _, use := range dockerfile.Variables(in) {
			if use.By == dockerfile.Frontend {
				p.checkUse(in, use, &inHeredoc)
			}
		}
	},
}

// allDefined reports, without much work, whether the name behind each "$" in the text is one that in can see.
func (p *pass) allDefined(in *dockerfile.Instruction, text string) bool {
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			return true
		}
		text = strings.TrimPrefix(text[i+1:], "{")
		end := 0
		for end < len(text) && (text[end] == '_' || '0' <= text[end] && text[end] <= '9' || 'a' <= text[end]|0x20 &&
			text[end]|0x20 <= 'z') {
			end++
		}
		if _, ok := p.names().Lookup(in.Stage, in.Span.Start, text[:end]); !ok {
			return false
		}
	}
}

// oddBrace reports whether what stands behind the name in braces makes the variable none.
func (p *pass) oddBrace(use dockerfile.Variable) bool {
	return strings.HasPrefix(p.Text.Slice(use.Span), "${") &&
		strings.IndexAny(p.Text.String()[use.Name.Span.End:], ".,;@") == 0
}

func (p *pass) checkUse(in *dockerfile.Instruction, use dockerfile.Variable, inHeredoc *bool) {
	v, name := p.names(), use.Name.Text
	if !knownModifiers[use.Modifier] || p.oddBrace(use) {
		return // InvalidSubstitution says what is wrong
	}
	if _, ok := v.Lookup(in.Stage, use.Span.Start, name); ok || name == "PATH" ||
		strings.HasPrefix(name, "BUILDKIT_SBOM_SCAN_") {
		return // BuildKit sees to it that there is a PATH
	}
	finding := analysis.Finding{Span: use.Name.Span, Message: fmt.Sprintf("usage of undefined variable '$%s'", name)}
	base := p.baseOf(in).name
	sets, known := images.Sets(base, name)
	if sets {
		return
	}
	if known && (use.Modifier == "?" || use.Modifier == ":?") {
		finding.Severity = analysis.Error
		finding.Message = fmt.Sprintf("the build fails: '$%s' is not set", name)
		p.report(in, finding)
		return
	}
	switch {
	case name == "PWD" && (in.Meant == "COPY" || in.Meant == "ADD"):
		finding.Message += ": sources are looked for in the build context anyway"
		if after := p.Text.String()[use.Span.End:]; strings.HasPrefix(after, "/") {
			cut := source.Between(use.Span.Start, use.Span.End+1)
			finding.Fixes = change("Remove "+p.Text.Slice(cut), cut, "", false)
		}
	case (in.Meant == "ENV" || in.Meant == "LABEL") && p.givesName(in, use):
		finding.Span = use.Span
		finding.Message += fmt.Sprintf(": %s takes its value for the name", in.Meant)
		finding.Fixes = replace(use.Span, name, true)
	case p.setBeside(in, use):
		finding.Message += ": what an ENV sets counts from the next instruction on"
	case known && heredocAt(in, use.Span.Start) != nil:
		if *inHeredoc {
			return
		}
		*inHeredoc = true
		finding = quoteHeredoc(finding, heredocAt(in, use.Span.Start))
	case predefined(name) || len(v.Global[name]) > 0 && !ofImage(name, base):
		if finding.Message += ": the stage has no ARG " + name; !predefined(name) {
			finding.Message += fmt.Sprintf(
				", and that of line %d counts for FROM only",
				p.Text.LineAt(v.Global[name][0].From)+1,
			)
		}
		finding.Fixes = declare(p.file(), in, name)
	case in.Meant == "ARG" && use.Word.Text == "" && strings.HasPrefix(p.wordAt(in, use.Span), name+"=$"):
		finding.Message += ": the ARG is its own default"
	case p.declaredBelow(in, name) > 0:
		finding.Message += fmt.Sprintf(": its ARG is further down, in line %d", p.declaredBelow(in, name))
	default:
		if !p.misspeltUse(&finding, in, use, known) {
			return
		}
	}
	p.report(in, finding)
}

// misspeltUse adds to a finding which variable may be meant, and reports whether the use is worth one. That the base
// image does not set the name may be known.
func (p *pass) misspeltUse(
	finding *analysis.Finding,
	in *dockerfile.Instruction,
	use dockerfile.Variable,
	known bool,
) bool {
	name := use.Name.Text
	names := slices.Concat(p.nearestVariables(name, in.Stage, use.Span.Start), []string{"PATH"})
	if strings.HasSuffix(use.Modifier, "-") || strings.HasSuffix(use.Modifier, "+") {
		known = false
	}
	if !known && (!clearly(name, names) || plural(name, suggest(name, names)[0])) {
		return false
	}
	*finding = misspelt(*finding, name, "$", names, known)
	return true
}

// heredocAt is the here-document that holds an offset, nil if none does.
func heredocAt(in *dockerfile.Instruction, offset int) *dockerfile.Heredoc {
	for i := range in.Heredocs {
		if in.Heredocs[i].Body.Contains(offset) {
			return &in.Heredocs[i]
		}
	}
	return nil
}

// quoteHeredoc says of a variable in a here-document that BuildKit replaces it, and quotes the delimiter.
func quoteHeredoc(finding analysis.Finding, doc *dockerfile.Heredoc) analysis.Finding {
	finding.Message += fmt.Sprintf(
		": BuildKit replaces it in the here-document; write <<\"%s\" to keep the text as it is", doc.Name)
	finding.Fixes = change("Quote the delimiter", source.At(doc.NameSpan.Start), `"`, false,
		source.Edit{Span: source.At(doc.NameSpan.End), NewText: `"`})
	return finding
}

// givesName reports whether a variable is all of a name to which an instruction gives a value.
func (p *pass) givesName(in *dockerfile.Instruction, use dockerfile.Variable) bool {
	for i, word := range in.Args {
		if use.Span.Start != word.Span.Start || use.Span.End > word.Span.End {
			continue
		}
		rest := p.Text.Slice(word.Span)[use.Span.Len():]
		old := i == 0 && rest == "" && len(in.Args) > 1 && !strings.Contains(in.Args[1].Text, "=")
		if strings.HasPrefix(rest, "=") || old {
			return true
		}
	}
	return false
}

// knownModifiers are what may stand behind a name in braces.
var knownModifiers = map[string]bool{
	"": true, "-": true, ":-": true, "+": true, ":+": true, "?": true, ":?": true, "#": true, "##": true, "%": true,
	"%%": true, "/": true, "//": true,
}

// setBeside reports whether the ENV that uses a variable sets it itself, in front of the use.
func (p *pass) setBeside(in *dockerfile.Instruction, use dockerfile.Variable) bool {
	return in.Meant == "ENV" && slices.ContainsFunc(in.Args, func(word dockerfile.Word) bool {
		key, _, ok := strings.Cut(word.Text, "=")
		return ok && key == use.Name.Text && word.Span.End < use.Span.Start
	})
}

// ofImage reports whether the image may well define the variable: node defines NODE_VERSION.
func ofImage(name, image string) bool {
	image, _, _ = strings.Cut(path.Base(image), ":")
	first, _, several := strings.Cut(strings.ToLower(name), "_")
	return several && (strings.Contains(image, "$") || strings.Contains(image, first) || strings.Contains(first, image))
}

// declaredBelow returns the line of the ARG below in that declares name in the same stage, or 0.
func (p *pass) declaredBelow(in *dockerfile.Instruction, name string) int {
	if in.Stage < 0 {
		return 0
	}
	for _, d := range p.names().Stages[in.Stage][name] {
		if d.In.Meant == "ARG" && d.In.Span.Start > in.Span.Start {
			p.sight.beyond = true // by its line
			return d.In.Line
		}
	}
	return 0
}

// wordAt returns the word of the arguments that ends with span.
func (p *pass) wordAt(in *dockerfile.Instruction, span source.Span) string {
	for _, word := range in.Args {
		if word.Span.End == span.End {
			return word.Text
		}
	}
	return ""
}

// declare returns the fix that puts an ARG above the instruction.
func declare(file *dockerfile.File, in *dockerfile.Instruction, name string) []analysis.Fix {
	line := file.Text.LineStart(in.Line - 1)
	margin := file.Text.Slice(source.Between(line, in.Span.Start))
	arg := margin + matching("ARG", in.Keyword.Text) + " " + name + newline(file.Text)
	return change("Declare "+name+" above", source.At(line), arg, false)
}

// newline returns the text's line terminator.
func newline(text *source.Text) string {
	if first := text.LineStart(text.FirstLine() + 1); strings.HasSuffix(text.Slice(source.Span{End: first}), "\r\n") {
		return "\r\n"
	}
	return "\n"
}
