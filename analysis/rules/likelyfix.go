package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// likelyValues are what is meant by values that BuildKit refuses: by how its message begins, and the value.
var likelyValues = []struct {
	message string
	value   *regexp.Regexp
	meant   string
}{
	{"expecting boolean", regexp.MustCompile(`^(?i:on|y|enabled?)$`), "true"},
	{"expecting boolean", regexp.MustCompile(`^(?i:off|n|disabled?)$`), "false"},
	{"security ", regexp.MustCompile(`^(?i:privileged|root|true)$`), "insecure"},
	{"invalid network mode", regexp.MustCompile(`^(?i:off|false|no|disabled?)$`), "none"},
	{"invalid network mode", regexp.MustCompile(`^(?i:bridge|on)$`), "default"},
	{"unexpected key 'share", regexp.MustCompile(`^shared?$`), "sharing"},
	{"invalid field", regexp.MustCompile(`^(locked|shared|private)$`), "sharing=$1"},
	{"invalid field", regexp.MustCompile(`^(bind|cache|tmpfs|secret|ssh)$`), "type=$1"},
	{"invalid field", regexp.MustCompile(`^(/\S+)$`), "target=$1"},
	{"invalid field", regexp.MustCompile(`^([a-z]+):(\S+)$`), "$1=$2"},
	{"unsupported mount type", regexp.MustCompile(`^(bind|cache|tmpfs|secret|ssh)[:.](\w+=\S+)$`), "$1,$2"},
	{"time: ", regexp.MustCompile(`^([0-9.]+)([smh])[smh]$`), "$1$2"},
	{"time: ", regexp.MustCompile(`^([smh])([0-9.]+)$`), "$2$1"},
	{"interval ", regexp.MustCompile(`^-([0-9.]+[smh])$`), "$1"},
	{"--retries takes", regexp.MustCompile(`^([0-9]+)[a-z]+$`), "$1"},
	{"--retries takes", regexp.MustCompile(`^([0-9]+)\.0*$`), "$1"},
	{"unknown type", regexp.MustCompile(`^(?i:cmd[-_]shell|test)$`), "CMD"},
}

// noCheck are what people write for the NONE of a HEALTHCHECK.
var noCheck = map[string]bool{"disable": true, "disabled": true, "none": true, "no": true, "off": true}

var days = regexp.MustCompile(`^([0-9]{1,3})d(?:ays?)?$`)

// firstOf puts fixes in front of others, of which none is preferred then.
func firstOf(first, others []analysis.Fix) []analysis.Fix {
	if len(first) == 0 {
		return others
	}
	for i := range others {
		others[i].Preferred = false
	}
	return append(first, others...)
}

// likelyFix returns the fix of a problem that has no other, or only ones that say less.
func (p *pass) likelyFix(in *dockerfile.Instruction, problem dockerfile.Problem) []analysis.Fix {
	typed := p.Text.Slice(problem.Span)
	message := strings.ToLower(problem.Message)
	for _, likely := range likelyValues {
		if strings.HasPrefix(message, likely.message) && likely.value.MatchString(typed) {
			return replace(problem.Span, likely.value.ReplaceAllString(typed, likely.meant), true)
		}
	}
	if m := days.FindStringSubmatch(typed); m != nil && strings.HasPrefix(message, "time: ") {
		n, _ := strconv.Atoi(m[1])
		return replace(problem.Span, strconv.Itoa(n*24)+"h", true)
	}
	switch {
	case strings.HasPrefix(message, "healthcheck none takes") && len(in.Args) > 0:
		return p.removed(source.Between(in.Args[0].Span.End, in.ArgsSpan.End))
	case strings.HasPrefix(message, "invalid secret mount") && len(in.Args) > 0:
		return p.secretApart(in)
	case in.Meant == "COPY" && strings.HasPrefix(message, "missing a value on flag: --"):
		return p.flagApart(in)
	case strings.HasPrefix(message, "copy cannot accept a heredoc") && len(in.Args) == 2:
		return replace(in.ArgsSpan, p.Text.Slice(in.Args[1].Span)+" "+p.Text.Slice(in.Args[0].Span), true)
	case in.Meant == "HEALTHCHECK" && strings.HasPrefix(message, "time: ") && strings.Contains(typed, ",--"):
		return replace(problem.Span, strings.ReplaceAll(typed, ",--", " --"), true)
	case len(in.Flags) == 1 && len(in.Args) == 0:
		return p.onlyFlag(in, &in.Flags[0])
	case in.Meant == "FROM" && len(in.Args) > 1:
		return p.likelyImage(in)
	case (in.Meant == "COPY" || in.Meant == "ADD") && len(in.Args) == 1 && len(in.Heredocs) == 0 && !in.JSON &&
		!likeDocker.MatchString(p.Text.Slice(in.ArgsSpan)):
		return p.addDestination(in)
	}
	return nil
}

// onlyFlag is the fix for an instruction that has nothing but a flag, which is meant as its argument.
func (p *pass) onlyFlag(in *dockerfile.Instruction, flag *dockerfile.Flag) []analysis.Fix {
	switch in.Meant {
	case "ENV", "ARG", "LABEL":
		if flag.Value.Text != "" {
			return p.removed(source.Between(flag.Span.Start, flag.Name.Span.Start))
		}
	case "EXPOSE":
		if flag.Value.Text != "" {
			return replace(flag.Span, flag.Value.Text, true)
		}
	case "HEALTHCHECK":
		if noCheck[flag.Name.Text] {
			return replace(flag.Span, "NONE", true)
		}
	}
	return nil
}

var secretField = regexp.MustCompile(`^(?:id|src|source|target|dst|env)=\S`)

// secretApart is the fix for a secret whose name stands behind a blank.
func (p *pass) secretApart(in *dockerfile.Instruction) []analysis.Fix {
	if len(in.Flags) == 0 {
		return nil // those of a trigger
	}
	flag := in.Flags[len(in.Flags)-1]
	gap := source.Between(flag.Span.End, in.Args[0].Span.Start)
	if !secretField.MatchString(in.Args[0].Text) || strings.Trim(p.Text.Slice(gap), " \t") != "" {
		return nil
	}
	return change("Change the space to a comma", gap, ",", true)
}

// flagApart is the fix for a flag whose value stands behind a blank, and for COPY --from stage:/path.
func (p *pass) flagApart(in *dockerfile.Instruction) []analysis.Fix {
	if last := len(in.Flags) - 1; last >= 0 && len(in.Args) == 4 && in.Args[0].Text == "=" {
		flag := in.Flags[last]
		return replace(source.Between(flag.Span.Start, in.Args[1].Span.End),
			"--"+flag.Name.Text+"="+in.Args[1].Text, true)
	}
	flag := p.from(in)
	if flag == nil || len(in.Args) != 2 {
		return nil
	}
	stage, path, ok := strings.Cut(in.Args[0].Text, ":")
	span := source.Between(flag.Span.Start, in.Args[0].Span.End)
	if !ok || !strings.HasPrefix(path, "/") || !slices.Contains(p.stageNames(), strings.ToLower(stage)) ||
		p.Text.Slice(in.Args[0].Span) != in.Args[0].Text {
		return nil
	}
	return replace(span, "--from="+stage+" "+path, true)
}

var (
	digestWord  = regexp.MustCompile(`^(?:@|sha256:|@sha256:)?([0-9a-f]{64})$`)
	variantWord = regexp.MustCompile(
		`^(?:alpine|slim|bookworm|bullseye|trixie|jammy|noble|focal|fpm|apache|jdk|jre)[a-z0-9.-]*$`,
	)
)

// likelyImage is the fix for a FROM with too many words: those that a blank divides, or one that belongs elsewhere.
func (p *pass) likelyImage(in *dockerfile.Instruction) []analysis.Fix {
	image, next := in.Args[0], in.Args[1]
	gap := source.Between(image.Span.End, next.Span.Start)
	if strings.Trim(p.Text.Slice(gap), " \t") != "" || p.Text.Slice(next.Span) != next.Text {
		return nil
	}
	rest := source.Between(next.Span.Start, in.ArgsSpan.End)
	switch word := strings.ToLower(image.Text); {
	case strings.Trim(word, "=:") == "" || strings.TrimSuffix(word, ":") == "image" || word == "images":
		return p.removed(source.Between(image.Span.Start, next.Span.Start))
	case digestWord.MatchString(next.Text) && len(in.Args) == 2:
		digest := "@sha256:" + digestWord.FindStringSubmatch(next.Text)[1]
		return replace(source.Between(gap.Start, next.Span.End), digest, true)
	case variantWord.MatchString(next.Text) && len(in.Args) == 2 && strings.Contains(image.Text, ":"):
		return change("Change the space to -", gap, "-", false)
	case strings.HasPrefix(next.Text, "--as=") && len(in.Args) == 2:
		return replace(next.Span, "AS "+strings.TrimPrefix(next.Text, "--as="), true)
	case len(in.Args) == 3 && strings.EqualFold(in.Args[2].Text, "as"):
		return replace(rest, in.Args[2].Text+" "+next.Text, true)
	case len(in.Args) == 4 && strings.EqualFold(next.Text+in.Args[2].Text, "as"):
		return replace(rest, "AS "+in.Args[3].Text, true)
	}
	return nil
}

// gluedEnd matches a file whose destination touches it.
var gluedEnd = regexp.MustCompile(`\.[a-z]+(\./?)$`)

var pairedPaths = regexp.MustCompile(`^([A-Za-z0-9_./-]+)=(/[A-Za-z0-9_./-]*)$`)

// addDestination is the fix for a copy with one path, unless the line below is to be its end.
func (p *pass) addDestination(in *dockerfile.Instruction) []analysis.Fix {
	only := in.Args[0]
	if m := pairedPaths.FindStringSubmatch(only.Text); m != nil && p.Text.Slice(only.Span) == only.Text {
		return replace(only.Span, m[1]+" "+m[2], false)
	}
	if m := gluedEnd.FindStringSubmatchIndex(only.Text); m != nil && p.Text.Slice(only.Span) == only.Text {
		return insert(only.Span.Start+m[2], " ", false)
	}
	destination := " ./"
	if only.Text == "." {
		destination = " ."
	}
	at := source.At(only.Span.End)
	return change("Add the destination"+destination, at, destination, false)
}
