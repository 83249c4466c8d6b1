package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
	"github.com/layerwise/layerwise/analysis/tools"
)

// MisspeltCommand finds misspelt subcommands of package managers and the like.
var MisspeltCommand = &Rule{
	ID:       "misspelt-command",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A command of a well-known tool is misspelt",
		What: "Finds subcommands of tools such as apt-get, apk, npm, pip and git that these tools do not have but " +
			"that are close to one they have, and misspelt names of such tools in front of a subcommand of theirs; " +
			"usual goals of build tools with two letters swapped, commands without a blank behind their name, and " +
			"addresses in the place of commands.",
		Why:     "The step fails, after all steps above it have run.",
		Example: "FROM alpine\nRUN apk ad curl\n",
		Instead: "FROM alpine\nRUN apk add curl\n",
	},
	of:   []string{"CMD", "ENTRYPOINT", "HEALTHCHECK", "RUN"},
	each: checkMisspeltCommand,
}

// checkURL looks for an address in the place of a command.
func (p *pass) checkURL(in *dockerfile.Instruction) {
	span := commandSpan(in)
	text := p.Text.Slice(span)
	rest := strings.TrimLeft(text, `[ "`)
	if !strings.HasPrefix(rest, "http://") && !strings.HasPrefix(rest, "https://") || in.JSON != (text[0] == '[') {
		return
	}
	at := span.Start + len(text) - len(rest)
	url := rest[:strings.IndexAny(rest+" ", " \t\n\",")]
	finding := analysis.Finding{
		Span:    source.Between(at, at+len(url)),
		Message: "an address is not a command: a program has to ask for it",
	}
	if in.Meant == "HEALTHCHECK" {
		finding.Fixes = insert(at, "curl -f ", false)
		if in.JSON {
			finding.Fixes[0].Edits[0].NewText = `curl", "-f", "`
		}
	}
	p.report(in, finding)
}

func checkMisspeltCommand(p *pass, in *dockerfile.Instruction) {
	p.checkURL(in)
	var before command
	for _, c := range p.commands(in) {
		if !p.checkOrder(in, before, c) {
			p.checkToolCommand(in, c)
			p.checkProgram(in, c)
		}
		p.checkToolFlags(in, c)
		p.checkLists(in, c)
		p.checkGoal(in, c)
		p.checkGluedCommand(in, c)
		before = c
	}
}

// checkOrder looks for words that are right, but stand twice, glued together, the wrong way around or without the tool
// that they belong to. It reports whether there is one.
func (p *pass) checkOrder(in *dockerfile.Instruction, before, c command) bool {
	name, more, line := c.words[0], len(c.words) > 1, tools.LineOf(c.words[0])
	first := c.span(p, in, 0, 1)
	if p.Text.Slice(first) != name {
		return false
	}
	finding := analysis.Finding{Span: first}
	glued, verb := divided(name)
	behind := tools.LineOf(before.name())
	switch {
	case more && c.words[1] == name && line != nil,
		len(c.words) > 2 && c.words[2] == c.words[1] && slices.Contains(systemPackages, name) &&
			slices.Contains(line.Commands, c.words[1]):
		at := 0
		if c.words[1] != name {
			at = 1
		}
		finding.Span = c.span(p, in, at+1, at+2)
		finding.Message = c.words[at] + " stands twice"
		finding.Fixes = p.removed(source.Between(c.span(p, in, at, at+1).End, finding.Span.End))
	case more && dashedName(c) != "":
		finding.Span = c.span(p, in, 0, 2)
		finding.Message = fmt.Sprintf("%s is written as one word", dashedName(c))
		finding.Fixes = replace(finding.Span, dashedName(c), true)
	case line != nil && slices.Contains(systemPackages, name) && c.verb() > 0 && c.words[c.verb()] == "update" &&
		len(c.words) > c.verb()+1 && slices.Contains(line.Installs, c.words[c.verb()+1]):
		finding.Span = c.span(p, in, c.verb(), c.verb()+2)
		finding.Message = fmt.Sprintf("%s takes one command at a time: && %[1]s is missing between these", name)
		finding.Fixes = insert(c.span(p, in, c.verb(), c.verb()+1).End, " && "+name, false)
	case glued != "":
		finding.Message = fmt.Sprintf("unknown command %s: a blank is missing", name)
		finding.Fixes = replace(first, glued+" "+verb, true)
	case more && slices.Contains(verbs, name) && slices.Contains(systemPackages, c.words[1]):
		finding.Span = c.span(p, in, 0, 2)
		finding.Message = fmt.Sprintf("%s stands in front of %s", name, c.words[1])
		finding.Fixes = replace(finding.Span, c.words[1]+" "+name, false)
	case more && slices.Contains(verbs, name) && behind != nil && slices.Contains(behind.Commands, name) &&
		slices.Contains(systemPackages, before.words[0]) && (name != "install" || slices.Contains(behind.Yes, c.words[1])):
		finding.Message = fmt.Sprintf("%s is a command of %s, which is missing here", name, before.words[0])
		finding.Fixes = insert(first.Start, before.words[0]+" ", true)
	default:
		return false
	}
	p.report(in, finding)
	return true
}

// dashedName is the tool whose name a blank divides in two, as in apt- get.
func dashedName(c command) string {
	name := strings.TrimSuffix(c.words[0], "-") + "-" + strings.TrimPrefix(c.words[1], "-")
	if tools.LineOf(name) == nil {
		return ""
	}
	return name
}

// verbs are the usual commands of package managers.
var verbs = strings.Fields("install update upgrade add ci clean remove purge autoremove")

// divided are the package manager and its command that were written as one word, as in npmci and apt-get-update.
func divided(word string) (tool, verb string) {
	for _, verb := range verbs {
		for _, tool := range strings.Fields("apt-get apt apk npm pip pip3 yarn") {
			if rest, ok := strings.CutPrefix(word, tool); ok && strings.TrimPrefix(rest, "-") == verb &&
				slices.Contains(tools.Commands(tool), verb) {
				return tool, verb
			}
		}
	}
	return "", ""
}

// checkToolCommand looks at the command that a tool of the table is given.
func (p *pass) checkToolCommand(in *dockerfile.Instruction, c command) {
	line := tools.LineOf(c.words[0])
	if line == nil {
		return
	}
	v := 1 // flags in front of the command may have values, whose number is not known
	for v < len(c.words) && strings.HasPrefix(c.words[v], "-") {
		v++
	}
	if v >= len(c.words) || slices.Contains(line.Commands, c.words[v]) || !packageName.MatchString(c.words[v]) ||
		v > 1 && !withoutValue.MatchString(c.words[v-1]) {
		return
	}
	word, span := c.words[v], c.span(p, in, v, v+1)
	if p.Text.Slice(span) != word {
		return
	}
	finding := analysis.Finding{Span: span, Message: fmt.Sprintf("%s has no command %s", c.words[0], word)}
	meant, known := line.Instead[word]
	switch rest, run := strings.CutPrefix(word, "run-"); {
	case known:
	case run && !line.Open && slices.Contains(line.Commands, "run"):
		meant = "run " + rest
	default:
		meant = meantCommand(word, line)
	}
	switch {
	case meant != "" && v+2 == len(c.words) && meant == c.words[v+1]+" "+word: // npm build run
		finding.Span = c.span(p, in, v, v+2)
		fallthrough
	case meant != "":
		finding.Message += fmt.Sprintf(" (did you mean %s?)", meant)
		if slices.Contains(line.Asks, meant) && !answered(line, c) {
			meant += " " + line.Yes[0]
		}
		finding.Fixes = replace(finding.Span, meant, !line.Open)
	case line.Installs == nil || !slices.Contains(systemPackages, c.words[0]) || line.Open && v == 1 ||
		slices.ContainsFunc(c.words[v:], func(w string) bool { return slices.Contains(line.Commands, w) }):
		return
	default:
		verb := line.Installs[0] + " "
		if slices.Contains(line.Asks, line.Installs[0]) && !answered(line, c) {
			verb += line.Yes[0] + " "
		}
		finding.Fixes = insert(span.Start, verb, false)
	}
	p.report(in, finding)
}

// withoutValue matches flags in front of a command that take no value.
var withoutValue = regexp.MustCompile(`^(?:-[yq]+|--(?:no|yes|assume|quiet|silent|update|upgrade)[a-z-]*)$`)

// systemPackages are package managers whose commands are all known, so that another word most likely is a package.
var systemPackages = strings.Fields("apt-get apt apk yum dnf microdnf")

// meantCommand is the command of a tool that a word is close to, "" if it may be another one.
func meantCommand(word string, line *tools.CommandLine) string {
	meant := spell.Meant(word, line.Commands)
	short := map[string]string{"ad": "add", "aad": "add", "dd": "add", "isntall": "install", "intall": "install"}[word]
	if slices.Contains(line.Commands, short) {
		meant = short
	}
	if meant == "" {
		meant = jumbled(word, line.Commands)
	}
	if len(word) < 2 || line.Open && len(word) < 4 || len(meant) < 3 ||
		line.Open && strings.HasPrefix(meant, word+"-") { // yarn generate is a script of a project's own
		return ""
	}
	return meant
}

// plainWord reports whether a word is one that a tool can have for a command.
func plainWord(word string) bool {
	return strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") == "" && word != ""
}

// gluedYes matches a -y with a package behind it.
var gluedYes = regexp.MustCompile(`^-y[a-z0-9+.-]*[aceg-ln-prtwxz0-9][a-z0-9+.-]+$`)

// dashed are commands that people write with the dash of a flag.
var dashed = strings.Fields("-install -update -upgrade -add -ci -build -run")

// checkToolFlags looks for flags that a tool does not take, and for long ones that are misspelt by one letter.
func (p *pass) checkToolFlags(in *dockerfile.Instruction, c command) {
	line := tools.LineOf(c.words[0])
	if line == nil {
		return
	}
	var known []string
	for _, flag := range line.Flags {
		known = append(known, strings.TrimSuffix(flag, "="))
	}
	for i, word := range c.words {
		name, _, _ := strings.Cut(word, "=")
		span := c.span(p, in, i, i+1)
		if i == 0 || name == "" || !strings.HasPrefix(p.Text.Slice(span), name) {
			continue
		}
		span.End = span.Start + len(name)
		finding := analysis.Finding{Span: span, Message: fmt.Sprintf("%s has no flag %s", c.words[0], name)}
		instead, wrong := line.Instead[name]
		if verb := c.verb(); name[0] != '-' {
			instead = line.Instead[c.words[i-1]+" "+name]
			wrong = instead != "" && i == verb+1
		} else if !wrong && verb > 0 {
			instead, wrong = line.Instead[c.words[verb]+" "+name]
		}
		switch {
		case wrong && instead == "":
			finding.Fixes = change("Remove "+name, source.Between(span.Start, p.behind(in, span.End)), "", true)
		case wrong:
			finding.Message = fmt.Sprintf("%s has no %s (did you mean %s?)", c.words[0], name, instead)
			finding.Fixes = replace(span, instead, true)
		case gluedYes.MatchString(word) && slices.Contains(systemPackages, c.words[0]):
			finding.Message = fmt.Sprintf("%s takes all of %s for flags: a blank is missing behind -y",
				c.words[0], word)
			finding.Fixes = insert(span.Start+2, " ", true)
		case i == 1 && slices.Contains(dashed, word) && slices.Contains(line.Commands, word[1:]):
			finding.Message += fmt.Sprintf(" (did you mean %s?)", word[1:])
			finding.Fixes = replace(span, word[1:], false)
		case len(word) > 5 && slices.Contains(known, "-"+word):
			finding.Message = fmt.Sprintf("long flags of %s begin with two dashes", c.words[0])
			finding.Fixes = replace(span, "-"+word, true)
		case strings.HasPrefix(name, "--") && len(name) > 6 && plainWord(strings.ReplaceAll(name, "_", "-")) &&
			!slices.Contains(known, name):
			meant := spell.Meant(name, known)
			if meant == "" || len(meant)-len(name) > 1 || len(name)-len(meant) > 1 {
				continue
			}
			finding.Message += fmt.Sprintf(" (did you mean %s?)", meant)
			finding.Fixes = replace(span, meant, false)
		default:
			continue
		}
		p.report(in, finding)
	}
}

// usualPrograms are programs that people call often, most of them in every image.
var usualPrograms = strings.Fields("" +
	"apk apt-get awk bash bundle cargo cat chgrp chmod chown cmake composer conda curl dnf dotnet dpkg echo " +
	"export find git gpg gradle grep groupadd gunzip gzip java ldconfig make mkdir mvn node npm npx openssl " +
	"perl php pip pip3 pnpm poetry printf python python3 sed sleep source tar tee touch unzip useradd adduser " +
	"addgroup usermod wget xargs yarn yum zypper " +
	"docker-php-ext-configure docker-php-ext-enable docker-php-ext-install update-ca-certificates corepack rustup")

// otherPrograms are programs and commands of shells whose names are close to those of usual ones.
var otherPrograms = strings.Fields("" +
	"7zip apt ash aptitude bind bmake bpython bsh bun bunx bundler cava chake chirp cnpm deluser groupdel " +
	"groupmod coda cython3 dash egrep eperl fake fgrep funzip gmake gource gradlew grap grop hash icmake " +
	"ipython3 japa javac javap jgrep jython jzip kget ktouch lava lunzip lzip mash mmake mvnd mvnw ngrep nnpm " +
	"nodejs nodm note nvm omake openssn perf perm pgrep pip2 pipx pnpx pwget rake rbash rep rgrep rrep rzip sash " +
	"sgrep sleepd sweep tdnf uget ugrep userdel usermode usleep wget2 wzip xpython xzip yara yard yash zgrep " +
	"zip")

// checkProgram looks for the misspelt name of a usual program: one edit away, or with two letters swapped in a short
// one. Nothing is said where the name stands elsewhere in the file, too, as of a file, a package or a function.
func (p *pass) checkProgram(in *dockerfile.Instruction, c command) {
	name := c.words[0]
	if meant, span := otherNames[name], c.span(p, in, 0, 1); meant != "" && p.Text.Slice(span) == name &&
		!p.namesElsewhere(name) {
		p.found(in, span, replace(span, meant, false), "unknown command %s (did you mean %s?)", name, meant)
	}
	if strings.HasPrefix(name, "docker-php-ext-") {
		p.checkExtensions(in, c)
	}
	if len(name) < 3 || !plainWord(strings.TrimRight(name, "0123456789")) || slices.Contains(usualPrograms, name) ||
		slices.Contains(otherPrograms, name) || commandWords[name] || ownEffects[name] || tools.Of(name) != nil {
		return
	}
	meant := spell.Meant(name, usualPrograms)
	if asked := shortTool(c); asked != "" {
		meant = asked
	} else if !oneEdit(name, meant) || len(meant) <= 3 && !swapped(name, meant) {
		if meant = jumbled(name, usualPrograms); meant == "" {
			return
		}
	}
	if span := c.span(p, in, 0, 1); p.Text.Slice(span) == name && !p.namesElsewhere(name) {
		p.found(in, span, replace(span, meant, false), "unknown command %s (did you mean %s?)", name, meant)
	}
}

// shortTool is the tool that is meant by a misspelt name of three letters with a command of that tool behind it, as in
// npn install.
func shortTool(c command) (meant string) {
	for _, tool := range []string{"apk", "git", "npm", "pip", "yum"} {
		if len(c.words) > 1 && oneEdit(c.words[0], tool) && slices.Contains(tools.Commands(tool), c.words[1]) {
			meant = tool
		}
	}
	return meant
}

// otherNames are programs of a project, which the shell does not look for in its directory, and names of tools that
// are not those of their programs.
var otherNames = map[string]string{
	"gradlew": "./gradlew", "mvnw": "./mvnw", "gradlew.bat": "./gradlew", "mvnw.cmd": "./mvnw", "maven": "mvn",
	"php-ext-install": "docker-php-ext-install",
}

var extension = regexp.MustCompile(`^[a-z]+(?:-[a-z]+)+$`)

// checkExtensions looks for extensions of PHP with a dash, which none has.
func (p *pass) checkExtensions(in *dockerfile.Instruction, c command) {
	for i, word := range c.words[1:] {
		if span := c.span(p, in, i+1, i+2); extension.MatchString(word) && !strings.HasPrefix(c.words[i], "-") &&
			p.Text.Slice(span) == word {
			meant := strings.ReplaceAll(word, "-", "_")
			p.found(in, span, replace(span, meant, false), "PHP has no extension %s (did you mean %s?)", word, meant)
		}
	}
}

// oneEdit reports whether a letter more, less, changed or swapped with the next one makes one word the other.
func oneEdit(a, b string) bool {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a)+len(b) > 0 && (len(a) < 2 && len(b) < 2 || len(a) == 2 && swapped(a, b))
}

// jumbled is the only word of a list that has the letters of a longer word in another order, with the same one first,
// and at most one more of them: useradd for useard. It is "" if there is none.
func jumbled(word string, list []string) (meant string) {
	for _, other := range list {
		if longer := len(other) - len(word); len(word) < 6 || other[0] != word[0] || longer < 0 || longer > 1 {
			continue
		}
		more := other
		for _, letter := range word {
			more = strings.Replace(more, string(letter), "", 1)
		}
		if len(more) != len(other)-len(word) {
			continue
		}
		if meant != "" {
			return ""
		}
		meant = other
	}
	return meant
}

// swapped reports whether two words have the same letters in another order.
func swapped(word, meant string) bool {
	letters := func(s string) string { return string(slices.Sorted(slices.Values([]byte(s)))) }
	return word != meant && letters(word) == letters(meant)
}

// namesElsewhere reports whether a word stands elsewhere in the file than where a command begins.
func (p *pass) namesElsewhere(word string) bool {
	w := p.rest()
	if w.elsewhere == nil {
		w.elsewhere = map[string]int{}
		isOther := func(r rune) bool {
			return !strings.ContainsRune("-_", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		}
		for other := range strings.FieldsFuncSeq(w.file.Text.String(), isOther) {
			w.elsewhere[other]++
		}
		for _, run := range p.runs {
			for _, c := range run.commands {
				w.elsewhere[c.words[0]]--
			}
		}
	}
	return w.elsewhere[word] > 0
}

// checkLists looks for a folder of apt's that does not exist.
func (p *pass) checkLists(in *dockerfile.Instruction, c command) {
	for i, word := range c.words {
		rest, ok := strings.CutPrefix(word, "/var/lib/apt/")
		folder, _, _ := strings.Cut(rest, "/")
		if !ok || c.words[0] != "rm" || folder == "lists" || spell.Meant(folder, []string{"lists"}) == "" {
			continue
		}
		if at := c.span(p, in, i, i+1); p.Text.Slice(at) == word {
			at.Start += len("/var/lib/apt/")
			at.End = at.Start + len(folder)
			p.found(in, at, replace(at, "lists", true), "apt keeps its lists in lists, not in %s: nothing is removed",
				folder)
		}
	}
}

// goals are what people usually ask build tools for. They may have any others: only these words with two letters
// swapped, or one left out, are taken for misspelt.
var goals = map[string][]string{
	"mvn":    strings.Fields("clean validate compile package verify install deploy dependency:go-offline"),
	"gradle": strings.Fields("build clean assemble bootJar shadowJar installDist"),
	"make":   strings.Fields("install build clean release"),
	"run":    strings.Fields("build start compile production"), // of npm and its like
	"mod":    strings.Fields("download tidy vendor verify"),    // of go
}

// checkGoal looks for a misspelt goal of a build tool, or script of a package manager.
func (p *pass) checkGoal(in *dockerfile.Instruction, c command) {
	name, from := strings.TrimSuffix(c.words[0], "w"), 1
	if len(c.words) > 2 && (c.words[1] == "run" && slices.Contains([]string{"npm", "yarn", "pnpm", "bun"}, name) ||
		c.words[1] == "mod" && name == "go") {
		name, from = c.words[1], 2
	}
	for i := from; i < len(c.words); i++ {
		word := c.words[i]
		span := c.span(p, in, i, i+1)
		for _, goal := range goals[name] {
			if !slips(word, goal) || p.Text.Slice(span) != word {
				continue
			}
			p.found(in, span, replace(span, goal, false), "%s is not the usual %s", word, goal)
		}
	}
}

// slips reports whether a word is another one with two neighbouring letters swapped, or with one letter left out.
func slips(word, meant string) bool {
	return len(meant) > 3 && oneEdit(word, meant) && (swapped(word, meant) || len(meant) > 4 && len(word) < len(meant))
}

var (
	gluedFlag = regexp.MustCompile(`^(mkdir|rm|cp|mv|chmod|chown|ln|tar|touch)([-+][a-zA-Z]{1,4})$`)
	gluedDir  = regexp.MustCompile(`^cd(/[A-Za-z0-9_./-]*)$`)
	modeFirst = regexp.MustCompile(`^([rwx]+)\+$|^([ugoa]*[-+][rwx]+)(/\S+)$`)
)

// checkGluedCommand looks for a command without a blank behind its name, and for a mode that is written the wrong way.
func (p *pass) checkGluedCommand(in *dockerfile.Instruction, c command) {
	span := c.span(p, in, 0, 1)
	raw := p.Text.Slice(span)
	fix := func(span source.Span, message, meant string) {
		p.report(in, analysis.Finding{Span: span, Message: message, Fixes: replace(span, meant, true)})
	}
	if m := gluedFlag.FindStringSubmatch(raw); m != nil {
		fix(span, fmt.Sprintf("unknown command %s: a blank is missing", raw), m[1]+" "+m[2])
	} else if m := gluedDir.FindStringSubmatch(raw); m != nil {
		fix(span, fmt.Sprintf("unknown command %s: a blank is missing", raw), "cd "+m[1])
	}
	if c.words[0] != "chmod" || len(c.words) < 2 {
		return
	}
	at := c.span(p, in, 1, 2)
	switch m := modeFirst.FindStringSubmatch(p.Text.Slice(at)); {
	case m == nil:
	case m[1] != "":
		fix(at, "chmod knows no such mode: the sign stands in front", "+"+m[1])
	case len(c.words) == 2:
		fix(at, "a blank is missing behind the mode", m[2]+" "+m[3])
	}
}
