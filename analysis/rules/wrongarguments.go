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
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
	"mvdan.cc/sh/v3/syntax"
)

// WrongArguments finds well-known commands that fail because of their arguments.
var WrongArguments = &Rule{
	ID:       "wrong-arguments",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "A well-known command cannot do what is meant with these arguments",
		What: "Finds `pip install requirements.txt` without `-r`, versions that the shell takes for a redirection " +
			"(`pip install flask>=2.0`) or that have one `=`, packages divided by commas, modes that `chmod` does not " +
			"know, addresses such as `https:/example.com`, flags of Alpine's `adduser` on Debian, `tar -xfz`, " +
			"`wget -o` for `-O`, a `wget` whose output is read though it writes a file, `find -exec` without `\\;`, " +
			"a blank within a package and its version or within a path, `2>1`, " +
			"`java app.jar` without `-jar`, several words behind `bash -c`, " +
			"a `sed` script without its last `/`, and " +
			"commands such as `chmod 755`, `chown app` " +
			"or `git` that lack the file or anything else to work on.",
		Why: "The step fails, or, with `>`, installs whatever is the newest version and writes a file called " +
			"`=2.0`.",
		Example: "FROM python:3.13\nRUN pip install requirements.txt\n",
		Instead: "FROM python:3.13\nRUN pip install -r requirements.txt\n",
	},
	of: []string{"CMD", "ENTRYPOINT", "RUN"},
	each: func(p *pass, in *dockerfile.Instruction) {
		p.checkJar(in)
		p.checkForeground(in)
		p.checkDescriptor(in)
		for _, c := range p.commands(in) {
			for _, check := range argumentChecks {
				if check(p, in, c) {
					break
				}
			}
		}
		if run := p.shellRun(in); run != nil {
			for _, redirected := range run.versions {
				p.checkRedirected(in, redirected)
			}
		}
	},
}

// argumentChecks look at a command each, and report whether they found something.
var argumentChecks = []func(p *pass, in *dockerfile.Instruction, c command) bool{
	(*pass).checkNoProgram, (*pass).checkSplit, (*pass).checkUserFlags, (*pass).checkLoneDash,
	(*pass).checkPip, (*pass).checkChmod, (*pass).checkOperands, (*pass).checkCluster, (*pass).checkCommas,
	(*pass).checkAddress, (*pass).checkShellWord, (*pass).checkFunction, (*pass).checkSet,
	(*pass).checkApart, (*pass).checkFind, (*pass).checkFetched,
}

// foreground matches the directive by which nginx stays in the foreground where it is no single argument, or lacks
// its semicolon.
var foreground = regexp.MustCompile(`nginx(?:"[ \t]*,[ \t]*"|[ \t]+)-g(?:"[ \t]*,[ \t]*|[ \t]+)` +
	`(["']daemon[ \t]+off["']|"daemon"[ \t]*,[ \t]*"off;?"|daemon[ \t]+off;?)`)

// checkForeground looks for a directive that nginx cannot read, so that the container does not start.
func (p *pass) checkForeground(in *dockerfile.Instruction) {
	text := p.Text.Slice(in.ArgsSpan)
	m := foreground.FindStringSubmatchIndex(text)
	if m == nil || in.Meant == "RUN" {
		return
	}
	quote := text[m[2] : m[2]+1]
	if quote == "d" {
		if quote = `"`; strings.ContainsAny(text[:m[2]], `"'`) {
			return // within another string
		}
	}
	at := in.ArgsSpan.Part(m[2], m[3])
	p.found(in, at, replace(at, quote+"daemon off;"+quote, true),
		"nginx does not start: -g takes one argument, which ends in a semicolon")
}

var setFlags = regexp.MustCompile(`^-[eux]+$`)

// checkSet looks for the name of an option that set takes for an argument, as -o is missing.
func (p *pass) checkSet(in *dockerfile.Instruction, c command) bool {
	if len(c.words) != 3 || c.words[0] != "set" || !setFlags.MatchString(c.words[1]) || c.words[2] != "pipefail" {
		return false
	}
	at := c.span(p, in, 1, 2)
	p.found(in, c.span(p, in, 0, 3), replace(at, c.words[1]+"o", true),
		"set takes pipefail for an argument: -o is missing, so that a pipe fails only where its last command does")
	return true
}

// checkJar looks for a JAR that java takes for the name of a class.
func (p *pass) checkJar(in *dockerfile.Instruction) {
	quote, comma := "", ""
	if in.JSON {
		quote, comma = `"`, ","
	}
	for i, word := range in.Args {
		text, last := unquoted(word.Text), i == len(in.Args)-1
		switch {
		case p.Text.Slice(word.Span) != word.Text, i == 0 && path.Base(text) != "java",
			strings.HasPrefix(text, "-") && classPath.MatchString(text):
			return
		case i == 0 || strings.HasPrefix(text, "-"):
			continue
		}
		finding := analysis.Finding{Span: word.Span}
		finding.Message = "java takes " + text + " for the name of a class: -jar is missing"
		switch {
		case text == "jar" && !last && strings.HasSuffix(unquoted(in.Args[i+1].Text), ".jar"):
			finding.Fixes = replace(word.Span, quote+"-jar"+quote, true)
		case strings.HasSuffix(text, ".jar"):
			finding.Fixes = insert(word.Span.Start, quote+"-jar"+quote+comma+" ", true)
		default:
			return
		}
		p.report(in, finding)
		return
	}
}

// classPath matches flags of java that say what it runs, or take the next word.
var classPath = regexp.MustCompile(`^(?:-jar|-cp|-classpath|--class-path|-p|--module-path|-m|--module|--add-\w+)`)

// version is a package with its version in a script, between which the shell reads a redirection, as in flask>=2.0.
type version struct{ from, to int }

var versionBehind = regexp.MustCompile(`^(?:=[\w.*-]+|[0-9]+(?:\.[0-9]+)+)$`)

// versionsOf are the versions behind signs that the shell takes for redirections.
func versionsOf(file *syntax.File, text string) (list []version) {
	syntax.Walk(file, func(node syntax.Node) bool {
		stmt, ok := node.(*syntax.Stmt)
		if !ok || len(stmt.Redirs) == 0 {
			return true
		}
		call, ok := stmt.Cmd.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 || tools.LineOf(call.Args[0].Lit()) == nil {
			return true
		}
		for _, r := range stmt.Redirs {
			at := int(r.OpPos.Offset())
			if r.Op != syntax.RdrOut && r.Op != syntax.RdrIn || r.N != nil || at == 0 || at > len(text) ||
				!versionBehind.MatchString(r.Word.Lit()) {
				continue
			}
			from := strings.LastIndexAny(text[:at], " \t\n;&|()") + 1
			if from < at && packageName.MatchString(strings.TrimSuffix(strings.ToLower(text[from:at]), "=")) {
				list = append(list, version{from, int(r.Word.End().Offset())})
			}
		}
		return true
	})
	return list
}

func (p *pass) checkRedirected(in *dockerfile.Instruction, v version) {
	span := source.Between(p.shellSpan(in, v.from).Start, p.shellSpan(in, v.to-1).Start+1)
	text := p.Text.Slice(span)
	if len(text) != v.to-v.from {
		return // over two lines
	}
	finding := analysis.Finding{
		Span: span, Message: fmt.Sprintf("the shell takes %c in %s for a redirection: quotes keep it from that",
			text[strings.IndexAny(text, "<>")], text),
	}
	if !strings.Contains(text, "=>") {
		finding.Fixes = replace(span, `"`+text+`"`, true)
	}
	p.report(in, finding)
}

var (
	requirements = regexp.MustCompile(`^[\w./-]+\.txt$`)
	oneEquals    = regexp.MustCompile(`^([A-Za-z0-9_.-]+)=([0-9][\w.*]*)$`)
)

// checkPip looks for a file of requirements, or a version, that pip takes for the name of a package.
func (p *pass) checkPip(in *dockerfile.Instruction, c command) bool {
	name, v := c.words[0], c.verb()
	if strings.HasPrefix(name, "python") && len(c.words) > 2 {
		if module := strings.TrimPrefix(c.words[1], "-"); module == "pip" || module == "pip3" {
			at := c.span(p, in, 1, 2)
			p.found(in, at, replace(at, "-m "+module, true), "%s does not know %s: -m stands before a module", name,
				c.words[1])
			return true
		}
	}
	if name != "pip" && name != "pip3" || v == 0 {
		return false
	}
	if v == 2 && (c.words[1] == "-r" || c.words[1] == "--requirement") && !slices.Contains(c.words, "install") {
		at := c.span(p, in, 1, 2)
		p.found(in, at, insert(at.Start, "install ", true), "%s has no command here: install is missing", name)
		return true
	}
	for i := v + 1; i < len(c.words) && c.words[v] == "install"; i++ {
		word, span := c.words[i], c.span(p, in, i, i+1)
		if strings.HasPrefix(c.words[i-1], "-") && !tools.LineOf("pip").Plain(c.words[i-1]) ||
			p.Text.Slice(span) != word {
			continue // it is the value of a flag
		}
		if file, ok := strings.CutPrefix(word, "-r="); ok {
			p.found(in, span, replace(span, "-r "+file, true), "%s looks for a file =%s: a blank stands behind -r",
				name, file)
			return true
		}
		if requirements.MatchString(word) {
			p.found(in, span, insert(span.Start, "-r ", true), "%s takes the file for a package: -r is missing", name)
			return true
		}
		if m := oneEquals.FindStringSubmatch(word); m != nil {
			p.found(in, span, replace(span, m[1]+"=="+m[2], true),
				"%s refuses %s: two equals signs stand before a version", name, word)
			return true
		}
	}
	return false
}

var (
	chmodMode = regexp.MustCompile(`^(?:[-+=]?0*[0-7]{1,4}|[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+(?:,[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+)*,?)$`)
	octalMode = regexp.MustCompile(`^[0-7]{3,4}$`)
)

// checkChmod looks for a mode that chmod does not know, and for two modes.
func (p *pass) checkChmod(in *dockerfile.Instruction, c command) bool {
	if c.words[0] != "chmod" {
		return false
	}
	i := 1
	for i < len(c.words) && strings.HasPrefix(c.words[i], "-") && !chmodMode.MatchString(c.words[i]) {
		i++
	}
	if i >= len(c.words)-1 {
		return false
	}
	mode, span := c.words[i], c.span(p, in, i, i+1)
	if p.Text.Slice(span) != mode || strings.ContainsAny(mode, "$`*?{\"'\\") || modeFirst.MatchString(mode) {
		return false
	}
	switch next := c.words[i+1]; {
	case strings.HasPrefix(mode, "/"), strings.HasPrefix(mode, "./"), strings.HasPrefix(mode, "~"):
		return false // the mode is missing, or stands behind the file, which GNU's takes
	case !chmodMode.MatchString(mode):
		finding := analysis.Finding{Span: span, Message: fmt.Sprintf("chmod knows no mode %s", mode)}
		if strings.Trim(mode, "rwx") == "" {
			finding.Fixes = replace(span, "+"+mode, true)
		}
		p.report(in, finding)
	case !octalMode.MatchString(mode) && octalMode.MatchString(next):
		finding := analysis.Finding{Span: c.span(p, in, i+1, i+2)}
		finding.Message = fmt.Sprintf("chmod takes %s for a file: it has a mode already", next)
		if mode == "-r" {
			finding.Fixes = replace(span, "-R", false)
		}
		p.report(in, finding)
	default:
		return false
	}
	return true
}

// debianFlags are, for flags of BusyBox' adduser and addgroup, those of Debian's.
var debianFlags = map[string]map[string]string{
	"adduser": {
		"-D": "--disabled-password", "-S": "--system", "-H": "--no-create-home", "-G": "--ingroup", "-g": "--gecos",
		"-h": "--home", "-s": "--shell", "-u": "--uid",
	},
	"addgroup": {"-S": "--system", "-g": "--gid"},
}

var busyBoxFlag = regexp.MustCompile(`^-[DSHGghsuk]+$`)

// checkUserFlags looks for BusyBox' adduser and addgroup on Debian, which take their flags for others that are cut
// short: adduser fails, or shows its help and makes no user.
func (p *pass) checkUserFlags(in *dockerfile.Instruction, c command) bool {
	flags, first := debianFlags[c.words[0]], -1
	fix := analysis.Fix{Title: "Change to Debian's flags"}
	for i, word := range c.words {
		if flags == nil || !busyBoxFlag.MatchString(word) || p.Text.Slice(c.span(p, in, i, i+1)) != word {
			continue
		}
		if first < 0 && (c.words[0] == "addgroup" || strings.ContainsAny(word, "DSHGh")) {
			first = i
		}
		fix.Edits = append(fix.Edits, source.Edit{Span: c.span(p, in, i, i+1), NewText: flags[word]})
	}
	if image, known := p.imageOf(in); first < 0 || !known || images.Shell(image) != "dash" ||
		asksFirst.MatchString(p.Text.Slice(in.ArgsSpan)) {
		return false
	}
	finding := analysis.Finding{
		Span: c.span(p, in, first, first+1),
		Message: fmt.Sprintf("%s is a flag of Alpine's %s: Debian's takes it for another one",
			c.words[first], c.words[0]),
	}
	if !slices.ContainsFunc(fix.Edits, func(e source.Edit) bool { return e.NewText == "" }) {
		finding.Fixes = []analysis.Fix{fix}
	}
	p.report(in, finding)
	return true
}

var (
	tarFlags   = regexp.MustCompile(`^-([a-zA-EG-Z]*)f([a-zA-EG-Z]+)$`)
	tarMode    = regexp.MustCompile(`^-?[A-Za-z]*[Acdrtux]`)
	openScript = regexp.MustCompile(`^(['"]?)s([/|#,@])[^/|#,@\\'"$]*[/|#,@][^/|#,@\\'"$]*['"]?$`)
	copyFlag   = regexp.MustCompile(`^--(?:from|chown|chmod)=`)
)

// tarMistake adds to a finding what is wrong with a word of a tar, if anything.
func tarMistake(c command, i int, finding *analysis.Finding) bool {
	word, flags := c.words[i], tarFlags.FindStringSubmatch(c.words[i])
	meant := ""
	switch {
	case i == 1 && flags != nil && len(c.words) > 2:
		finding.Message = fmt.Sprintf("tar takes %s for the name of the archive: it stands behind f", flags[2])
		meant = "-" + flags[1] + flags[2] + "f"
	case i == 1 && strings.HasPrefix(word, "-") && strings.Trim(word, "-zvfjJpk") == "" &&
		!slices.ContainsFunc(c.words[2:], func(w string) bool { return strings.HasPrefix(w, "-") }):
		finding.Message = "tar fails: it is not said whether to extract (x) or to create (c)"
		if len(c.words) == 3 && strings.HasSuffix(word, "f") {
			meant = "-x" + word[1:]
		}
	case i > 1 && word == "-c" && i+1 < len(c.words) && tarMode.MatchString(c.words[1]):
		finding.Message = "tar takes -c for another order beside " + c.words[1] + ": -C changes the directory"
		meant = "-C"
	default:
		return false
	}
	if meant != "" {
		finding.Fixes = replace(finding.Span, meant, true)
	}
	return true
}

// otherFlag adds to a finding what is wrong with a flag that another program has, or that means another thing.
func otherFlag(c command, i int, finding *analysis.Finding) bool {
	name, word, next := c.words[0], c.words[i], ""
	if i+1 < len(c.words) {
		next = c.words[i+1]
	}
	meant := ""
	switch {
	case name == "wget" && word == "-o" && next != "" && !strings.Contains(next, "log") &&
		!strings.HasPrefix(next, "/dev/") && !slices.ContainsFunc(c.words, toFile.MatchString):
		finding.Message, meant = "wget writes its log to this file: -O writes what it fetches", "-O"
	case name == "curl" && word == "-O" && strings.HasPrefix(next, "/"):
		finding.Message, meant = "curl takes this file for another address: -o stands before a file", "-o"
	case name == "unzip" && i > 1 && next == "" && strings.HasPrefix(word, "/") &&
		strings.HasSuffix(c.words[i-1], ".zip") && !slices.Contains(c.words, "-d"):
		finding.Message, meant = "unzip looks for this in the archive: -d stands before a directory", "-d "+word
	case (name == "cp" || name == "mv") && copyFlag.MatchString(word):
		finding.Message = name + " has no such flag: COPY has"
	case name == "mkdir" && (word == "-R" || word == "-r"):
		finding.Message, meant = "mkdir has no flag "+word+" (did you mean -p?)", "-p"
	default:
		return false
	}
	if meant != "" {
		finding.Fixes = replace(finding.Span, meant, true)
	}
	return true
}

// checkCluster looks for flags that mean something else than they are meant for: those of tar behind the f, which takes
// them for the name of the archive, wget -o, and those of other programs; and for a substitution of sed without an end.
func (p *pass) checkCluster(in *dockerfile.Instruction, c command) bool {
	for i, word := range c.words[1:] {
		span := c.span(p, in, i+1, i+2)
		if p.Text.Slice(span) != word {
			continue
		}
		finding := analysis.Finding{Span: span}
		sed := openScript.FindStringSubmatch(word)
		switch {
		case c.words[0] == "tar" && tarMistake(c, i+1, &finding), otherFlag(c, i+1, &finding):
		case c.words[0] == "sed" && sed != nil && (strings.HasPrefix(c.words[i], "-") || i == 0) &&
			strings.Count(word, sed[2]) == 2:
			finding.Message = fmt.Sprintf("sed fails: %s ends the replacement", sed[2])
			finding.Fixes = replace(span, word[:len(word)-1]+sed[2]+sed[1], true)
		default:
			continue
		}
		p.report(in, finding)
		return true
	}
	return false
}

var shortFlags = regexp.MustCompile(`^[a-zA-Z]{1,3}$`)

// checkLoneDash looks for a flag with a blank behind its dash.
func (p *pass) checkLoneDash(in *dockerfile.Instruction, c command) bool {
	for i := 1; i+1 < len(c.words); i++ {
		known := tools.LineOf(c.words[0]) != nil || slices.Contains(lightCommands, c.words[0]) && i == 1
		if word := c.words[i]; word != "-" && (word != "+" || c.words[0] != "chmod") || !known ||
			strings.HasPrefix(c.words[i-1], "-") || !shortFlags.MatchString(c.words[i+1]) {
			continue
		}
		gap := source.Between(c.span(p, in, i, i+1).End, c.span(p, in, i+1, i+2).Start)
		p.found(in, c.span(p, in, i, i+2), change("Remove the blank", gap, "", true),
			"%s takes these for two arguments: a blank divides the flag", c.words[0])
		return true
	}
	return false
}

// checkShellWord looks for a command of several words that a shell is given, of which it takes the first only.
func (p *pass) checkShellWord(in *dockerfile.Instruction, c command) bool {
	at := slices.Index(c.words, "-c") + 1
	if !slices.Contains(unixShells, c.words[0]) && c.words[0] != "su" || at == 0 || at+1 >= len(c.words) ||
		!plainWord(c.words[at]) || c.words[0] == "su" && strings.HasPrefix(c.words[at+1], "-") {
		return false
	}
	rest := c.span(p, in, at, len(c.words))
	text := p.Text.Slice(rest)
	if !strings.HasPrefix(text, c.words[at]+" ") {
		return false // it is in quotes
	}
	finding := analysis.Finding{
		Span: rest,
		Message: fmt.Sprintf("%s -c runs %s only: a command of several words stands in quotes",
			c.words[0], c.words[at]),
	}
	if len(p.shellRun(in).commands) == 1 && !strings.ContainsAny(text, "\"'$`\\\n") {
		finding.Fixes = replace(rest, `"`+text+`"`, true)
	}
	p.report(in, finding)
	return true
}

var definesFunctions = regexp.MustCompile(`nvm\.sh|\.(?:bashrc|bash_profile|profile)\b|bash -`)

// checkFunction looks for nvm where nothing defines it: it is no program.
func (p *pass) checkFunction(in *dockerfile.Instruction, c command) bool {
	at := c.span(p, in, 0, 1)
	if c.words[0] != "nvm" || p.Text.Slice(at) != "nvm" || definesFunctions.MatchString(p.Text.Slice(in.Span)) ||
		p.shellAbove(in) != nil || p.says("bash_env") {
		return false
	}
	p.found(in, at, insert(at.Start, `. "${NVM_DIR:-$HOME/.nvm}/nvm.sh" && `, false),
		"nvm is not a program but a function of the shell, which nvm.sh defines in each RUN anew")
	return true
}

// checkAddress looks for an address that does not begin as one.
func (p *pass) checkAddress(in *dockerfile.Instruction, c command) bool {
	if !slices.Contains([]string{"curl", "wget", "git"}, c.words[0]) {
		return false
	}
	for i, word := range c.words[1:] {
		meant, span := meantAddress(word), c.span(p, in, i+1, i+2)
		if meant != "" && p.Text.Slice(span) == word {
			p.found(in, span, replace(span, meant, true), "%s is not an address (did you mean %s?)", word, meant)
			return true
		}
	}
	return false
}

// operands are, by program, how many arguments it needs that are no flags.
var operands = map[string]int{
	"chmod": 2, "chown": 2, "chgrp": 2, "cp": 2, "mv": 2, "ln": 1, "mkdir": 1, "touch": 1, "rmdir": 1, "unzip": 1,
	"git": 1, "curl": 1, "wget": 1, "useradd": 1, "groupadd": 1, "usermod": 1, "sed": 1, "grep": 1,
}

// checkOperands looks for a command that lacks what it is to work on.
func (p *pass) checkOperands(in *dockerfile.Instruction, c command) bool {
	needed, given := operands[c.words[0]], 0
	if c.words[0] == "chmod" && len(c.words) > 1 && modeFirst.MatchString(c.words[1]) {
		return false // MisspeltCommand says what is wrong
	}
	for _, word := range c.words[1:] {
		if strings.HasPrefix(word, "--") || strings.ContainsAny(word, "$`*?{") || word == "-t" {
			return false // it may say more than one thing
		}
		if !strings.HasPrefix(word, "-") || c.words[0] == "chmod" && chmodMode.MatchString(word) ||
			needed == 1 && c.words[0] != "usermod" {
			given++
		}
	}
	if c.words[0] == "usermod" && len(c.words) > 2 && strings.HasPrefix(c.words[1], "-") {
		given-- // the group
	}
	if given >= needed {
		return false
	}
	at := c.span(p, in, 0, 1)
	what := "what it is to work on"
	if strings.HasPrefix(c.words[0], "ch") && given == 1 {
		what = "the file"
	}
	if p.Text.Slice(at) == c.words[0] {
		p.found(in, at, nil, "%s fails: %s is missing", c.words[0], what)
	}
	return true
}

var commaPackages = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*(?:,[a-z0-9][a-z0-9+.-]*)+$`)

// checkCommas looks for packages of the system that are divided by commas.
func (p *pass) checkCommas(in *dockerfile.Instruction, c command) bool {
	line := tools.LineOf(c.words[0])
	if !slices.Contains(systemPackages, c.words[0]) || !slices.Contains(line.Installs, c.words[c.verb()]) {
		return false
	}
	for i := c.verb() + 1; i < len(c.words); i++ {
		span := c.span(p, in, i, i+1)
		if word := c.words[i]; commaPackages.MatchString(word) && p.Text.Slice(span) == word &&
			!strings.HasPrefix(c.words[i-1], "-") {
			p.found(in, span, replace(span, strings.ReplaceAll(word, ",", " "), true),
				"%s takes %s for one package: blanks divide them", c.words[0], word)
			return true
		}
	}
	return false
}

// Signs that stand at the end of a package's name, or at the beginning of its version.
var (
	signBehind = regexp.MustCompile(`^[A-Za-z@][\w./-]*(==?|@|[<>~!]=)$`)
	signBefore = regexp.MustCompile(`^(==?|@|[<>~!]=)[v^~]?[0-9][\w.-]*$`)
	packageAt  = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)(?:==|@)([0-9][\w.:+~-]*)$`)
)

// checkApart looks for a blank within a package and its version, and for the sign of another tool between them.
func (p *pass) checkApart(in *dockerfile.Instruction, c command) bool {
	line := tools.LineOf(c.words[0])
	if line == nil || c.verb() == 0 || !slices.Contains(line.Installs, c.words[c.verb()]) {
		return false
	}
	for i := c.verb() + 1; i < len(c.words); i++ {
		word, at := c.words[i], c.span(p, in, i, i+1)
		if p.Text.Slice(at) != word {
			continue
		}
		if m := packageAt.FindStringSubmatch(word); m != nil && line.Signs == "=" {
			p.found(in, at, replace(at, m[1]+"="+m[2], true), "%s knows no package %s: = stands before a version",
				c.words[0], word)
			return true
		}
		if i == len(c.words)-1 || strings.HasPrefix(word, "-") {
			continue
		}
		next := c.span(p, in, i+1, i+2)
		sign := signBehind.FindStringSubmatch(word)
		if sign == nil || !strings.ContainsAny("0123456789", c.words[i+1][:1]) {
			sign = signBefore.FindStringSubmatch(c.words[i+1])
		}
		gap := source.Between(at.End, next.Start)
		if sign == nil || !strings.ContainsAny(line.Signs, sign[1][:1]) || strings.Contains(p.Text.Slice(gap), "\n") {
			continue
		}
		p.found(in, source.Between(at.Start, next.End), change("Remove the blank", gap, "", true),
			"%s takes these for two packages: no blank stands before a version", c.words[0])
		return true
	}
	return false
}

// checkFind looks for a command of find without its end.
func (p *pass) checkFind(in *dockerfile.Instruction, c command) bool {
	at := slices.IndexFunc(c.words, func(word string) bool { return word == "-exec" || word == "-execdir" })
	ends := func(word string) bool { return strings.Trim(word, `'"\`) == ";" || word == "+" }
	if c.words[0] != "find" || at < 0 || slices.ContainsFunc(c.words[at:], ends) {
		return false
	}
	last := c.span(p, in, len(c.words)-1, len(c.words))
	finding := analysis.Finding{Span: c.span(p, in, at, len(c.words)), Message: `find fails: \; ends a command`}
	if rest := strings.TrimSpace(p.Text.Slice(source.Between(last.End, in.Span.End))); rest == ";" {
		finding.Fixes = insert(last.End+strings.IndexByte(p.Text.Slice(source.Between(last.End, in.Span.End)), ';'),
			`\`, true)
	} else {
		finding.Fixes = insert(last.End, ` \;`, true)
	}
	p.report(in, finding)
	return true
}

// toFile matches flags of wget that say where it writes what it fetches, or that it fetches nothing.
var toFile = regexp.MustCompile(`^(?:-[a-zA-Z]*[OihVP]|--output-document|--help|--version|--directory-prefix)`)

// readsOutput matches what stands behind a command of which another one or a file is to have what it fetched.
var readsOutput = regexp.MustCompile(`^(?:\|[^|&]|>[ \t]*[\w./$"-]*(?:$|[\s;&|]))`)

// quiet matches a redirection of what a command says, and not of what it fetched.
var quiet = regexp.MustCompile(`^>[ \t]*(?:/dev/|\S*log)`)

// checkFetched looks for a wget whose output is read by another command or redirected: it writes files.
func (p *pass) checkFetched(in *dockerfile.Instruction, c command) bool {
	if c.words[0] != "wget" || slices.ContainsFunc(c.words, toFile.MatchString) {
		return false
	}
	name := c.span(p, in, 0, 1)
	rest := strings.TrimLeft(p.Text.Slice(source.Between(c.span(p, in, 0, len(c.words)).End, in.Span.End)), " \t\\\r\n")
	if p.Text.Slice(name) != "wget" || !readsOutput.MatchString(rest) ||
		rest[0] == '>' && quiet.MatchString(rest) {
		return false
	}
	p.found(in, name, insert(name.End, " -O -", true), "wget writes a file and no output: -O - writes what it fetches")
	return true
}

var flagsOfRun = regexp.MustCompile(`^-(?:it|ti|i|t|d|c)$`)

// checkNoProgram looks for flags of "docker run" or of a shell, which the shell takes for the name of a program.
func (p *pass) checkNoProgram(in *dockerfile.Instruction, c command) bool {
	first := c.span(p, in, 0, 1)
	if len(c.words) < 2 || !flagsOfRun.MatchString(c.words[0]) || first.Start != in.ArgsSpan.Start ||
		p.Text.Slice(first) != c.words[0] {
		return false
	}
	p.found(in, first, p.removed(source.Between(first.Start, c.span(p, in, 1, 2).Start)),
		"the shell takes %s for the name of a program", c.words[0])
	return true
}

var relativePath = regexp.MustCompile(`^[a-z][\w./-]*$`)

// checkSplit looks for a blank within a path that is removed, or within a user and its group.
func (p *pass) checkSplit(in *dockerfile.Instruction, c command) bool {
	for i := 1; i < len(c.words)-1; i++ {
		word, next := c.words[i], c.words[i+1]
		removes := c.words[0] == "rm" && word == "/"
		owns := c.words[0] == "chown" && word == next+":" && i+2 < len(c.words)
		at, behind := c.span(p, in, i, i+1), c.span(p, in, i+1, i+2)
		if !removes && !owns || !relativePath.MatchString(next) || p.Text.Slice(at) != word ||
			p.Text.Slice(behind) != next {
			continue
		}
		message := "rm is to remove all that is in /"
		if owns {
			message = fmt.Sprintf("chown takes %s for a file", next)
		}
		p.found(in, source.Between(at.Start, behind.End),
			change("Remove the blank", source.Between(at.End, behind.Start), "", true), "%s: no blank stands behind %s",
			message, word)
		return true
	}
	return false
}

var descriptor = regexp.MustCompile(`[ \t][12]>()[12](?:[\s;&|)]|$)`)

// checkDescriptor looks for a redirection to a file called 1, which is to be the standard output.
func (p *pass) checkDescriptor(in *dockerfile.Instruction) {
	m := descriptor.FindStringSubmatchIndex(p.Text.Slice(in.ArgsSpan))
	if m == nil || p.shellRun(in) == nil || len(in.Heredocs) > 0 {
		return
	}
	p.found(in, in.ArgsSpan.Part(m[2]-2, m[2]+1), insert(in.ArgsSpan.Start+m[2], "&", true),
		"this writes to a file of that name: & stands before a descriptor")
}
