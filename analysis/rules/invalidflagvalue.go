package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// InvalidFlagValue finds values of flags that BuildKit looks at only when it builds.
var InvalidFlagValue = &Rule{
	ID:       "invalid-flag-value",
	Severity: analysis.Error,
	Doc: Doc{
		Summary: "A mode, owner, checksum or mount is not valid",
		What: "Finds `--chmod` with what is neither an octal number up to 7777 nor symbolic (`u=rwX`); `--chown` " +
			"with a name beside `--link`, which knows no names; " +
			"`--checksum` with a digest of the wrong length or with other characters than hexadecimal digits, or of " +
			"files that are not remote; and `RUN --mount` without a target.",
		Why:     "The build stops when it comes to the instruction.",
		Example: "FROM alpine\nCOPY --chmod=799 a /a\n",
		Instead: "FROM alpine\nCOPY --chmod=755 a /a\n",
	},
	check: checkInvalidFlagValue,
}

func checkInvalidFlagValue(p *pass) {
	for in := range p.every("ADD", "COPY") {
		for _, flag := range in.Flags {
			value, finding := flag.Value.Text, analysis.Finding{Span: flag.Value.Span}
			if in.Command == nil || value == "" {
				continue
			}
			if strings.ContainsAny(value, "$\"'\\`") {
				known := false
				if value, known = p.expand(in, unquoted(value)); !known || value == "" {
					continue
				}
			}
			switch flag.Name.Text {
			case "chmod":
				finding = p.checkMode(flag, value)
			case "chown":
				if at := strings.IndexAny(value, ",/"); at > 0 && value == flag.Value.Text {
					finding.Message = fmt.Sprintf("%s is not a user: a colon divides it from a group", value)
					finding.Fixes = replace(flag.Value.Span, value[:at]+":"+value[at+1:], true)
				} else if linked(in) && named(value) {
					finding.Message = fmt.Sprintf(
						"--link copies into a layer of its own, which has no user or group %s: numbers are needed",
						value,
					)
				}
			case "checksum":
				finding = p.badChecksum(in, flag, value)
			}
			if finding.Message != "" {
				p.report(nil, finding)
			}
		}
	}
	p.checkMountTargets()
}

// unquoted is a flag's value without quotes, which BuildKit takes away before it expands the value.
func unquoted(value string) string { return quotes.Replace(value) }

var quotes = strings.NewReplacer(`"`, "", "'", "")

func linked(in *dockerfile.Instruction) bool {
	switch c := in.Command.(type) {
	case *instructions.CopyCommand:
		return c.Link
	case *instructions.AddCommand:
		return c.Link
	}
	return false
}

// named reports whether an owner is given by name: chownByName in BuildKit's dockerfile2llb.
func named(owner string) bool {
	user, group, _ := strings.Cut(owner, ":")
	isName := func(s string) bool {
		_, err := strconv.Atoi(s)
		return err != nil && s != "root"
	}
	return isName(user) || group != "" && isName(group)
}

var symbolicMode = regexp.MustCompile(`^[augo]*([-+=][rwxXstugo]*)+(,[augo]*([-+=][rwxXstugo]*)+)*$`)

// badMode says what is wrong with a mode, if anything: dispatchCopy in BuildKit's dockerfile2llb.
func badMode(value string) string {
	if n, err := strconv.ParseUint(value, 8, 32); err == nil && n <= 0o7777 ||
		err != nil && symbolicMode.MatchString(value) {
		return ""
	}
	return fmt.Sprintf("invalid chmod parameter: '%s'. it should be octal string and between 0 and 07777", value)
}

// listedMode is a mode as ls shows it.
var listedMode = regexp.MustCompile(`^[-dl]?([r-][w-][x-])([r-][w-][x-])([r-][w-][x-])$`)

// checkMode looks at the value of --chmod.
func (p *pass) checkMode(flag dockerfile.Flag, value string) analysis.Finding {
	finding := analysis.Finding{Span: flag.Value.Span, Message: badMode(value)}
	meant := ""
	if m := listedMode.FindStringSubmatch(value); m != nil {
		for _, three := range m[1:] {
			digit := 0
			for i, bit := range []int{4, 2, 1} {
				if three[i] != '-' {
					digit += bit
				}
			}
			meant += strconv.Itoa(digit)
		}
		if finding.Message == "" {
			finding.Severity = analysis.Warning
			finding.Message = fmt.Sprintf("%s takes permissions away: the minus signs are read as in chmod", value)
		}
	} else if finding.Message != "" {
		if bare := strings.TrimSuffix(value, "+"); bare != value && strings.Trim(bare, "rwx") == "" {
			meant = "+" + bare
		} else if meant = strings.TrimLeft(strings.TrimPrefix(value, "0"), "xo"); badMode(meant) != "" || meant == "" {
			meant = ""
		}
	}
	if finding.Message != "" && meant != "" && value == flag.Value.Text {
		finding.Fixes = replace(flag.Value.Span, meant, true)
	}
	return finding
}

// badChecksum says what is wrong with the checksum of an ADD, if anything.
func (p *pass) badChecksum(in *dockerfile.Instruction, flag dockerfile.Flag, value string) analysis.Finding {
	finding := analysis.Finding{Span: flag.Value.Span}
	c, ok := in.Command.(*instructions.AddCommand)
	if !ok || in.Stage < 0 {
		return finding
	}
	if len(c.SourcePaths) != 1 {
		finding.Span, finding.Message = flag.Span, "checksum can't be specified for multiple sources"
		return finding
	}
	src, known := p.variables().Expand(in.Stage, in.Span.Start, c.SourcePaths[0])
	switch kind := dockerfile.KindOfSource(src); {
	case !known:
	case kind == dockerfile.PathSource:
		finding.Span, finding.Message = flag.Span, "checksum requires HTTP(S) or Git sources"
	case kind == dockerfile.URLSource:
		finding.Message = badDigest(value)
		if meant := meantDigest(value); meant != "" && value == flag.Value.Text {
			finding.Fixes = replace(flag.Value.Span, meant, true)
		}
	}
	return finding
}

// longestPath is how long a path may be on Linux, in bytes.
const longestPath = 4096

// checkMountTargets finds mounts at nothing, which BuildKit refuses to put over "/".
func (p *pass) checkMountTargets() {
	if !slices.ContainsFunc(p.of("RUN"), func(in *dockerfile.Instruction) bool { return len(in.Flags) > 0 }) {
		return
	}
	type state struct{ dir string } // the working directory, "" if the image's counts
	walk(p, state{}, func(s state, in *dockerfile.Instruction) state {
		switch c := in.Command.(type) {
		case *instructions.WorkdirCommand:
			dir, known := c.Path, true
			if strings.ContainsAny(dir, "$\"'\\`") {
				dir, known = p.variables().Expand(in.Stage, in.Span.Start, dir)
			}
			if !known || dir == "" || !path.IsAbs(dir) && s.dir == "" || len(s.dir)+len(dir) > longestPath {
				return state{"/..."} // somewhere
			}
			if path.IsAbs(dir) {
				return state{path.Clean(dir)}
			}
			return state{path.Join(s.dir, dir)}
		case *instructions.RunCommand:
			p.checkMountValues(in)
			p.checkMountKeys(in)
			for i, flag := range in.Flags {
				if i < len(in.Node.Flags) && strings.HasPrefix(in.Node.Flags[i], "--mount=") {
					p.checkMountTarget(in, flag, in.Node.Flags[i][len("--mount="):], s.dir)
				}
			}
		}
		return s
	})
}

// checkMountKeys looks for a key that a mount has twice.
func (p *pass) checkMountKeys(in *dockerfile.Instruction) {
	for _, mount := range in.Mounts() {
		seen := map[string]bool{}
		for _, field := range mount.Fields {
			if name := field.Name(); seen[name] && in.Command != nil {
				p.report(in, analysis.Finding{
					Severity: analysis.Warning, Span: field.Span,
					Message: fmt.Sprintf("the mount has %s twice: only the last one counts", name),
				})
			} else {
				seen[name] = true
			}
		}
	}
}

// checkMountTarget looks at one mount, whose value is given as it is meant; dir is the working directory, "" if it is
// not known.
func (p *pass) checkMountTarget(in *dockerfile.Instruction, flag dockerfile.Flag, value, dir string) {
	if strings.ContainsAny(value, "$\"'\\`") {
		return
	}
	kind, target, has := "bind", "", false
	for part := range strings.SplitSeq(value, ",") {
		key, v, _ := strings.Cut(part, "=")
		switch strings.ToLower(key) {
		case "type":
			kind = strings.ToLower(v)
		case "target", "dst", "destination":
			target, has = v, v != ""
		}
	}
	if kind != "bind" && kind != "cache" && kind != "tmpfs" {
		return
	}
	if has && dir == "" && !path.IsAbs(target) && path.Clean(target) == "." {
		return // the image's working directory is not known
	}
	if path.Join("/", dir, target) != "/" && !path.IsAbs(target) || path.IsAbs(target) && path.Clean(target) != "/" {
		return
	}
	finding := analysis.Finding{Span: flag.Value.Span, Message: "a mount needs a target, which cannot be /"}
	if !has {
		finding.Message = fmt.Sprintf("a %s mount needs a target", kind)
	}
	if len(in.Args) > 0 && !has && !in.JSON {
		first := in.Args[0]
		if key, v, ok := strings.Cut(first.Text, "="); ok && v != "" &&
			(key == "target" || key == "dst" || key == "destination") {
			gap := source.Between(flag.Span.End, first.Span.Start)
			if strings.Trim(p.Text.Slice(gap), " \t") == "" {
				finding.Fixes = change("Change the space to a comma", gap, ",", true)
			}
		} else if strings.HasPrefix(first.Text, "/") && len(in.Args) > 1 && p.Text.Slice(first.Span) == first.Text {
			gap := source.Between(flag.Span.End, first.Span.Start)
			finding.Fixes = change("Make it the target", gap, ",target=", true)
		}
	}
	p.report(nil, finding)
}

// checkMountValues looks at mounts with variables whose values are known, as far as the file and the image set them.
func (p *pass) checkMountValues(in *dockerfile.Instruction) {
	flags := p.Text.Slice(source.Between(in.Span.Start, in.ArgsSpan.Start))
	if in.Stage < 0 || !strings.Contains(flags, "$") || hasErrors(in) {
		return
	}
	value, err := dockerfile.Typed(in.Node) // of our own, since Expand changes it
	run, ok := value.(*instructions.RunCommand)
	if err != nil || !ok {
		return
	}
	typed, expanded, known := "", "", true
	err = run.Expand(func(word string) (string, error) {
		text, ok := word, true
		if strings.ContainsAny(word, "$\"'\\`") {
			text, ok = p.expand(in, word)
		}
		typed, expanded, known = word, text, known && ok
		return text, nil
	})
	if err == nil || !known || !strings.Contains(typed, "$") {
		return
	}
	finding := analysis.Finding{Span: source.Between(in.Span.Start, in.ArgsSpan.Start)}
	finding.Message, _, _ = strings.Cut(err.Error(), "\n")
	if at := strings.Index(flags, typed); at >= 0 {
		finding.Span = in.Span.Part(at, at+len(typed))
	}
	meant := spell.Meant(expanded, []string{"bind", "cache", "tmpfs", "secret", "ssh", "shared", "private", "locked"})
	if meant != "" && strings.Count(typed, expanded) == 1 && p.Text.Slice(finding.Span) == typed {
		finding.Fixes = replace(finding.Span, strings.Replace(typed, expanded, meant, 1), true)
	}
	p.report(nil, finding)
}

// badDigest says what is wrong with the checksum of what is behind a URL, if anything. That of a Git repository is a
// commit's, without algorithm.
func badDigest(value string) string {
	algorithm, digits, has := strings.Cut(value, ":")
	length, ok := map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}[algorithm]
	switch {
	case !has:
		return "invalid checksum digest format: the algorithm is missing, as in sha256:"
	case !ok:
		return fmt.Sprintf("unsupported digest algorithm %s", algorithm)
	case len(digits) != length:
		return fmt.Sprintf("invalid checksum digest length: %d digits instead of %d", len(digits), length)
	case strings.Trim(digits, "0123456789abcdef") != "":
		return "invalid checksum digest format: only digits and lower case a to f"
	}
	return ""
}

// algorithms are those of checksums, by the digits that they have.
var algorithms = map[int]string{64: "sha256:", 96: "sha384:", 128: "sha512:"}

// meantDigest is the checksum that is meant by one without, or with a misspelt, algorithm, "" if that is not clear.
func meantDigest(value string) string {
	at := strings.IndexAny(value, ":=-")
	digits := strings.ToLower(value[at+1:])
	algorithm := algorithms[len(digits)]
	if strings.Trim(digits, "0123456789abcdef") != "" || algorithm == "" ||
		at > 0 && spell.Meant(value[:at], []string{"sha256", "sha384", "sha512"}) == "" && value[:at]+":" != algorithm {
		return ""
	}
	return algorithm + digits
}
