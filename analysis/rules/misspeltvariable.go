package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/scope"
)

// MisspeltVariable finds variables in shell commands that are misspelt.
var MisspeltVariable = &Rule{
	ID:       "misspelt-variable",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A variable in a shell command is misspelt, or not declared in the stage",
		What: "Finds variables in `RUN` that nothing defines, but that are close to an `ARG` or `ENV` of the " +
			"stage, or that an `ARG` above the first `FROM` declares, which counts for `FROM` only; and those in " +
			"`CMD`, `ENTRYPOINT` and `HEALTHCHECK` that only an `ARG` sets, which ends with the build. A variable " +
			"that the command itself or the base image may set is left alone. Also finds an `ENV`, or a variable in front " +
			"of a command, with the name of a well-known one but for a slip.",
		Why:     "The shell takes a variable that is not set for an empty text, and goes on.",
		Example: "FROM alpine\nARG RELEASE=1\nRUN wget https://example.com/$RELAESE\n",
		Instead: "FROM alpine\nARG RELEASE=1\nRUN wget https://example.com/$RELEASE\n",
	},
	of:   []string{"CMD", "ENTRYPOINT", "ENV", "HEALTHCHECK", "RUN"},
	each: checkMisspeltVariable,
}

// wellKnown are variables that many programs look for, and others whose names are close to theirs.
var wellKnown = strings.Fields("" +
	"ASPNETCORE_ENVIRONMENT ASPNETCORE_HTTP_PORTS ASPNETCORE_URLS CATALINA_HOME CGO_ENABLED " +
	"COMPOSER_ALLOW_SUPERUSER DEBIAN_FRONTEND DJANGO_SETTINGS_MODULE DOTNET_CLI_TELEMETRY_OPTOUT FLASK_ENV " +
	"GO111MODULE JAVA_HOME JAVA_TOOL_OPTIONS LD_LIBRARY_PATH LD_PRELOAD MYSQL_ROOT_PASSWORD NEXT_TELEMETRY_DISABLED " +
	"NODE_ENV NODE_OPTIONS NVIDIA_DRIVER_CAPABILITIES NVIDIA_VISIBLE_DEVICES PIP_DISABLE_PIP_VERSION_CHECK " +
	"PIP_NO_CACHE_DIR POETRY_VIRTUALENVS_CREATE POSTGRES_PASSWORD PYTHONDONTWRITEBYTECODE PYTHONHASHSEED " +
	"PYTHONIOENCODING PYTHONUNBUFFERED RACK_ENV RAILS_ENV RAILS_SERVE_STATIC_FILES")

var setBefore = regexp.MustCompile(`(?:^|[\s;&|])([A-Z][A-Z0-9_]{6,})=`)

// checkWellKnown looks for a variable that is set by a name that is well known but for a slip: two letters swapped, or
// one more or less that makes no plural.
func (p *pass) checkWellKnown(in *dockerfile.Instruction) {
	text := p.Text.Slice(in.ArgsSpan)
	for _, m := range setBefore.FindAllStringSubmatchIndex(text, -1) {
		name := text[m[2]:m[3]]
		i := slices.IndexFunc(wellKnown, func(known string) bool {
			return oneEdit(name, known) && (swapped(name, known) || len(name) != len(known) && !plural(name, known) &&
				strings.ReplaceAll(name, "_", "") != strings.ReplaceAll(known, "_", ""))
		})
		if i >= 0 && p.mentions(name) == 1 {
			at := in.ArgsSpan.Part(m[2], m[3])
			p.found(in, at, replace(at, wellKnown[i], false), "no program looks for %s (did you mean %s?)", name,
				wellKnown[i])
		}
	}
}

func checkMisspeltVariable(p *pass, in *dockerfile.Instruction) {
	if in.Meant == "ENV" || in.Meant == "RUN" {
		p.checkWellKnown(in)
	}
	switch {
	case in.Stage < 0 || in.Command == nil || in.Meant == "ENV":
		return
	case in.Meant != "RUN":
		p.checkRuntime(in)
		return
	case p.outer != nil || in.JSON:
		return
	}
	v := p.names()
	text := p.Text.Slice(in.Span)
	if len(v.Stages[in.Stage]) == 0 && v.Bases[in.Stage] < 0 && len(v.Global) == 0 || p.allDefined(in, text) {
		return
	}
	setHere := map[string]bool{} // of names that were looked for
	for _, use := range dockerfile.Variables(in) {
		name := use.Name.Text
		if use.By != dockerfile.Shell || use.Modifier != "" || inEnvironment(name) {
			continue
		}
		set, known := setHere[name]
		if !known {
			set = setIn(text, name)
			setHere[name] = set
		}
		if set {
			continue
		}
		if _, ok := v.Lookup(in.Stage, use.Span.Start, name); ok {
			continue
		}
		if p.checkGlobal(in, use) {
			break // one of a command's variables is enough
		}
		if len(name) < 5 {
			continue
		}
		names := p.nearestVariables(name, in.Stage, in.Span.Start)
		if clearly(name, names) && !strings.EqualFold(name, suggest(name, names)[0]) &&
			!plural(name, suggest(name, names)[0]) {
			finding := analysis.Finding{
				Span:    use.Name.Span,
				Message: fmt.Sprintf("nothing sets the variable %s", name),
			}
			p.report(in, misspelt(finding, name, "$", names, false))
		}
	}
}

// checkRuntime looks for a variable of the container's command that only an ARG sets, which ends with the build.
func (p *pass) checkRuntime(in *dockerfile.Instruction) {
	text, reader := p.Text.Slice(in.Span), dockerfile.Shell
	if first := len(in.Args) - 3; in.JSON && first >= 0 { // "sh", "-c", "..."
		if slices.Contains(unixShells, path.Base(unquoted(in.Args[first].Text))) {
			reader = dockerfile.Nobody
		}
	}
	for _, use := range dockerfile.Variables(in) {
		name := use.Name.Text
		d, ok := p.names().Lookup(in.Stage, use.Span.Start, name)
		if use.By != reader || use.Modifier != "" || !ok || p.setByEnv(in, name) || d.In.Meant != "ARG" ||
			setIn(text, name) || inEnvironment(name) {
			continue
		}
		fixes := declare(p.file(), in, name)
		edit := &fixes[0].Edits[0]
		edit.NewText = strings.Replace(edit.NewText, matching("ARG", in.Keyword.Text)+" "+name,
			matching("ENV", in.Keyword.Text)+" "+name+"=$"+name, 1)
		fixes[0].Title = "Set it by an ENV above"
		p.found(in, use.Name.Span, fixes, "%s is not set when a container runs: its ARG ends with the build", name)
		return
	}
}

// setByEnv reports whether an ENV above sets a variable, also in the stages that this one is built on.
func (p *pass) setByEnv(in *dockerfile.Instruction, name string) bool {
	v := p.names()
	for stage := in.Stage; stage >= 0; stage = v.Bases[stage] {
		if slices.ContainsFunc(v.Stages[stage][name], func(d scope.Definition) bool { return d.In.Meant == "ENV" }) {
			return true
		}
	}
	return false
}

// checkGlobal looks for a variable that only an ARG above the first FROM declares.
func (p *pass) checkGlobal(in *dockerfile.Instruction, use dockerfile.Variable) bool {
	v, name := p.names(), use.Name.Text
	image, _ := v.Expand(-1, in.Span.Start, v.Image(in.Stage))
	if sets, _ := images.Sets(image, name); sets || len(v.Global[name]) == 0 || ofImage(name, image) {
		return false
	}
	p.found(in, use.Name.Span, declare(p.file(), in, name),
		"nothing sets %s here: the ARG of line %d counts for FROM only, until the stage declares it again", name,
		p.Text.LineAt(v.Global[name][0].From)+1)
	return true
}

// inEnvironment reports whether shells, images or builders set a variable.
func inEnvironment(name string) bool { return environmentNames[name] || dockerfile.IsProxyArg(name) }

// environmentNames are variables that shells and images set.
var environmentNames = map[string]bool{
	"HOSTNAME": true, "HOSTTYPE": true, "MACHTYPE": true, "OSTYPE": true, "OLDPWD": true, "RANDOM": true, "SHELL": true,
	"SHLVL": true, "SECONDS": true, "LOGNAME": true, "FUNCNAME": true, "LINENO": true, "OPTARG": true, "OPTIND": true,
	"REPLY": true, "BASH_VERSION": true, "BASH_SOURCE": true, "PIPESTATUS": true,
}

// setIn reports whether a command may set the variable: its name stands somewhere other than behind a "$", or the
// command reads files that may set anything.
func setIn(text, name string) bool {
	for _, word := range []string{"source ", ". /", ". ./", ". \"", ". $", "eval "} {
		if strings.Contains(text, word) {
			return true
		}
	}
	for rest := text; ; {
		i := strings.Index(rest, name)
		if i < 0 {
			return false
		}
		before := rest[:i]
		if !strings.HasSuffix(before, "$") && !strings.HasSuffix(before, "${") {
			return true
		}
		rest = rest[i+len(name):]
		if rest == "" {
			return false
		}
	}
}
