package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
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
	check: checkMisspeltCommand,
}

// toolCommands are all subcommands of tools, as their documentation of 2026 lists them, with the short forms that they
// take.
var toolCommands = func() map[string][]string {
	table := map[string][]string{}
	tool := ""
	for line := range strings.Lines(`
apt-get update upgrade install reinstall remove purge autoremove autopurge dist-upgrade dselect-upgrade build-dep
  clean autoclean check changelog download source indextargets satisfy
apt update upgrade install reinstall remove purge autoremove autopurge full-upgrade dist-upgrade build-dep clean
  autoclean distclean list search show policy depends rdepends edit-sources changelog download source satisfy help
  showsrc showpkg moo
apk add del fix update info list upgrade cache version policy search dot fetch index stats verify audit manifest mkpkg
  mkndx extract convdb convndx adbsign adbdump adbgen query
pip install download uninstall freeze inspect list show check config search cache index wheel hash completion debug
  help lock
npm access add-user adduser audit bugs cache ci completion config dedupe deprecate diff dist-tag docs doctor edit exec
  explain explore find-dupes fund get help help-search hook init install install-ci-test install-test link ll login
  logout ls org outdated owner pack ping pkg prefix profile prune publish query rebuild repo restart root run
  run-script sbom search set shrinkwrap star stars start stop team test token trust undeprecate uninstall unpublish
  unstar update version view whoami i in ins inst insta instal isnt isnta isntal isntall add un unlink remove rm r up
  upgrade udpate t tst ddp rb ln la list clean-install ic install-clean isntall-clean cit it sit se s find v info show
  author issues home create innit x c why rum urn verison dist-tags ogr unstar clean-install-test
yarn add audit autoclean bin cache check config create dedupe dlx exec explain generate-lock-entry global help import
  info init install why licenses link list login logout node npm outdated owner pack patch patch-commit plugin
  policies prune publish rebuild remove run search self-update set stage start tag team test unlink unplug up upgrade
  upgrade-interactive version versions workspace workspaces constraints
pnpm add install i update up upgrade remove rm uninstall un unlink link ln import rebuild rb prune fetch install-test
  it patch patch-commit patch-remove audit licenses list ls outdated why run exec dlx create start test t server store
  root bin setup env pack publish config c init deploy doctor approve-builds ignored-builds cat-file cat-index
  find-hash self-update dedupe completion cache restart stop la ll
cargo add bench build b check c clean doc d fetch fix fmt generate-lockfile help init install locate-project login
  logout metadata miri new owner package pkgid publish read-manifest remove report rm run r rustc rustdoc search test
  t tree uninstall update vendor verify-project version yank info
go bug build clean doc env fix fmt generate get help install list mod work run telemetry test tool version vet
git add am apply archive bisect blame branch bundle checkout cherry-pick clean clone commit config describe diff fetch
  format-patch gc grep init log ls-files ls-remote ls-tree merge mv notes pull push rebase reflog remote repack reset
  restore rev-list rev-parse revert rm show sparse-checkout stash status submodule switch symbolic-ref tag
  update-index worktree lfs cat-file hash-object credential maintenance var version help archive filter-branch replace
  fsck prune shortlog
yum install update upgrade update-minimal downgrade reinstall remove erase autoremove clean makecache list info search
  provides whatprovides check check-update config-manager groupinstall grouplist groupupdate groupremove groupinfo
  groups group localinstall localupdate repolist history deplist distro-sync distribution-synchronization versionlock
  module swap shell mark updateinfo repoquery builddep download load-transaction fs fssnapshot langinstall resolvedep
  help repo-pkgs
dnf install update upgrade upgrade-minimal downgrade reinstall remove rm erase autoremove clean makecache mc list ls
  info search se provides whatprovides check check-update check-upgrade config-manager groupinstall grouplist
  grouperase groupinfo groupremove groupupdate group grp groups localinstall repolist repoinfo history deplist
  distro-sync dsync module swap shell mark updateinfo repoquery builddep build-dep download alias copr
  debuginfo-install debug-dump needs-restarting system-upgrade offline-upgrade versionlock changelog help in
  repository-packages mark repo advisory environment leaves replay offline in
microdnf install update upgrade reinstall remove clean makecache download leaves module repolist repoquery report swap
  distro-sync
composer about archive audit browse bump check-platform-reqs clear-cache clearcache cc completion config
  create-project depends why diagnose dump-autoload dumpautoload exec fund global help home init install i licenses
  list outdated prohibits why-not reinstall remove rm uninstall repository require r run-script run search self-update
  selfupdate show info status suggests update u upgrade validate
bundle add binstubs cache package pack check clean config console doctor env exec e fund gem help info init inject
  install issue licenses list lock open outdated platform plugin pristine remove show update version viz
gem build cert check cleanup contents dependency environment exec fetch generate_index help info install list lock
  mirror open outdated owner pristine push query rdoc rebuild search server signin signout signin sources
  specification stale uninstall unpack update which yank update_system i
poetry about add build cache check config debug env export help init install list lock new publish remove run search
  self shell show source sync update version python
dotnet add build clean new nuget pack publish remove restore run sln test tool workload format list msbuild vstest
  exec dev-certs help store watch user-secrets ef
bun add install i ci remove rm update outdated link unlink pm run test build create init upgrade x exec patch publish
  info why audit repl completions discord
zypper install in remove rm update up dist-upgrade dup patch refresh ref addrepo ar removerepo rr modifyrepo mr repos lr
  search se info if clean cc addlock al removelock rl locks ll source-install si verify ve list-updates lu patches pch
  packages pa products pd services ls addservice as removeservice rs install-new-recommends inr purge-kernels download
  ps needs-rebooting shell sh licenses versioncmp targetos tos addlocale removelocale locales lifecycle
uv auth run init add remove version sync lock export tree format tool python pip venv build publish cache self help
  generate-shell-completion
`[1:]) {
		words := strings.Fields(line)
		if !strings.HasPrefix(line, " ") { // else the line above goes on
			tool, words = words[0], words[1:]
		}
		table[tool] = append(table[tool], words...)
	}
	table["pip3"] = table["pip"]
	return table
}()

// extends are tools for which any program of a certain name is a subcommand, so that an unknown one may be right.
var extends = map[string]bool{
	"git":      true,
	"cargo":    true,
	"yarn":     true,
	"pnpm":     true,
	"composer": true,
	"gem":      true,
	"bundle":   true,
	"dnf":      true,
	"yum":      true,
	"poetry":   true,
	"dotnet":   true,
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
		Span:    source.Span{Start: at, End: at + len(url)},
		Message: "an address is no command: a program has to ask for it",
	}
	if in.Meant == "HEALTHCHECK" {
		finding.Fixes = []analysis.Fix{{
			Title: "Insert curl -f", Edits: []source.Edit{{Span: source.Span{Start: at, End: at}, NewText: "curl -f "}},
		}}
		if in.JSON {
			finding.Fixes[0].Edits[0].NewText = `curl", "-f", "`
		}
	}
	p.report(in, finding)
}

func checkMisspeltCommand(p *pass) {
	for in := range p.every("CMD", "ENTRYPOINT", "HEALTHCHECK", "RUN") {
		p.checkURL(in)
	}
	p.eachCommand(func(in *dockerfile.Instruction, c command) {
		p.checkToolCommand(in, c)
		p.checkToolFlags(in, c)
		p.checkUsualCommand(in, c)
		p.checkGoal(in, c)
		p.checkGluedCommand(in, c)
	})
}

func (p *pass) checkToolCommand(in *dockerfile.Instruction, c command) {
	v := 1 // flags in front of the subcommand may have values, whose number is not known
	for v < len(c.words) && strings.HasPrefix(c.words[v], "-") && !strings.HasPrefix(c.words[v], "--prefix") &&
		c.words[v] != "-C" && c.words[v] != "-c" && c.words[v] != "-o" && c.words[v] != "-t" {
		v++
	}
	if v >= len(c.words) || !plainWord(c.words[v]) {
		return
	}
	known, ok := toolCommands[c.words[0]]
	if !ok {
		p.checkToolName(in, c, c.words[v])
		return
	}
	word := c.words[v]
	if v > 1 && !strings.HasPrefix(c.words[v-1], "-y") && !strings.HasPrefix(c.words[v-1], "-q") &&
		!strings.HasPrefix(c.words[v-1], "--no") &&
		!strings.HasPrefix(c.words[v-1], "--yes") &&
		!strings.HasPrefix(c.words[v-1], "--assume") {
		return
	}
	if slices.Contains(known, word) {
		return
	}
	meant := spell.Meant(word, known)
	if short := map[string]string{"ad": "add", "aad": "add", "dd": "add", "isntall": "install",
		"intall": "install"}[word]; slices.Contains(
		known,
		short,
	) {
		meant = short
	}
	if meant == "" || len(word) < 2 || extends[c.words[0]] && len(word) < 4 || len(meant) < 3 ||
		extends[c.words[0]] && strings.HasPrefix(meant, word+"-") { // yarn generate is a script of a project's own
		return
	}
	span := c.span(p, in, v, v+1)
	if p.Text.Slice(span) != word {
		return
	}
	p.report(in, analysis.Finding{
		Span:    span,
		Message: fmt.Sprintf("%s has no command %s (did you mean %s?)", c.words[0], word, meant),
		Fixes:   []analysis.Fix{replace(span, meant, !extends[c.words[0]])},
	})
}

// plainWord reports whether a word is one that a tool can have for a command.
func plainWord(word string) bool {
	return strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") == "" && word != ""
}

// checkToolName looks for a misspelt tool before a subcommand that only such tools have.
func (p *pass) checkToolName(in *dockerfile.Instruction, c command, verb string) {
	name := c.words[0]
	if len(name) < 3 || !plainWord(name) || commandWords[name] || ownEffects[name] ||
		!slices.Contains([]string{"update", "install", "add", "upgrade", "ci"}, verb) {
		return
	}
	tools := []string{
		"apt-get",
		"apk",
		"npm",
		"pip",
		"pip3",
		"yarn",
		"pnpm",
		"yum",
		"dnf",
		"composer",
		"poetry",
		"bundle",
		"cargo",
	}
	meant := spell.Meant(name, tools)
	if meant == "" || slices.Contains(otherTools, name) || !slices.Contains(toolCommands[meant], verb) {
		return
	}
	span := c.span(p, in, 0, 1)
	if p.Text.Slice(span) != name {
		return
	}
	p.report(in, analysis.Finding{
		Span:    span,
		Message: fmt.Sprintf("unknown command %s (did you mean %s?)", name, meant),
		Fixes:   []analysis.Fix{replace(span, meant, false)},
	})
}

// otherTools are tools whose names are close to others'.
var otherTools = strings.Fields(
	"apt pipx pip2 npx apx cnpm bun bunx tdnf pnpx nvm rpm opam pdm uvx pkg opkg ipkg xbps slapt aptitude pacman " +
		"dpkg spm jpm ppm bpm gpm nnpm tnpm luarocks hpm epm kpm tpm vpm",
)

// toolFlags are long flags of tools that are written often; others are left alone.
var toolFlags = map[string][]string{
	"apt-get": strings.Fields("--no-install-recommends --no-install-suggests --yes --assume-yes --quiet " +
		"--fix-missing --fix-broken --allow-unauthenticated --allow-downgrades --only-upgrade --reinstall"),
	"apk": strings.Fields("--no-cache --virtual --update --update-cache --repository --allow-untrusted --upgrade"),
	"pip": strings.Fields("--no-cache-dir --upgrade --requirement --user --no-deps --index-url --extra-index-url " +
		"--trusted-host --target --break-system-packages --only-binary --no-binary --force-reinstall --find-links " +
		"--no-build-isolation --disable-pip-version-check --root-user-action --prefer-binary --ignore-installed"),
	"npm": strings.Fields("--production --omit --save-dev --global --no-audit --no-fund --legacy-peer-deps --silent " +
		"--ignore-scripts --prefer-offline --include --no-optional --unsafe-perm --registry --loglevel --verbose"),
	"yarn": strings.Fields("--frozen-lockfile --production --immutable --network-timeout --non-interactive --silent " +
		"--ignore-scripts --ignore-engines --ignore-platform --prefer-offline --pure-lockfile --network-concurrency"),
	"pnpm": strings.Fields("--frozen-lockfile --no-frozen-lockfile --offline --ignore-scripts --filter " +
		"--shamefully-hoist"),
	"composer": strings.Fields("--no-dev --no-interaction --optimize-autoloader --no-scripts --prefer-dist " +
		"--no-progress --no-plugins --ignore-platform-reqs --classmap-authoritative --no-autoloader"),
}

// checkToolFlags looks for long flags that are misspelt by one letter.
func (p *pass) checkToolFlags(in *dockerfile.Instruction, c command) {
	known := toolFlags[strings.TrimSuffix(c.words[0], "3")]
	if c.words[0] == "apt" {
		known = toolFlags["apt-get"]
	}
	for i, word := range c.words {
		if span := c.span(p, in, i, i+1); len(word) > 5 && slices.Contains(known, "-"+word) &&
			p.Text.Slice(span) == word {
			p.report(in, analysis.Finding{
				Span: span, Message: fmt.Sprintf("long flags of %s begin with two dashes", c.words[0]),
				Fixes: []analysis.Fix{replace(span, "-"+word, true)},
			})
		}
	}
	for i, word := range c.words {
		name, _, _ := strings.Cut(word, "=")
		if i == 0 || !strings.HasPrefix(name, "--") || len(name) < 7 || slices.Contains(known, name) ||
			!plainWord(name) {
			continue
		}
		meant := spell.Meant(name, known)
		if meant == "" || len(meant)-len(name) > 1 || len(name)-len(meant) > 1 {
			continue
		}
		span := c.span(p, in, i, i+1)
		span.End = span.Start + len(name)
		if p.Text.Slice(span) == name {
			p.report(in, analysis.Finding{
				Span:    span,
				Message: fmt.Sprintf("%s has no flag %s (did you mean %s?)", c.words[0], name, meant),
				Fixes:   []analysis.Fix{replace(span, meant, false)},
			})
		}
	}
}

// usualCommands are programs of every image, or nearly so, that people write often.
var usualCommands = strings.Fields("mkdir chmod chown echo curl wget export touch unzip groupadd useradd adduser")

// checkUsualCommand looks for a usual command with two letters swapped, which no program is called, and for a folder of
// apt's that does not exist.
func (p *pass) checkUsualCommand(in *dockerfile.Instruction, c command) {
	letters := func(s string) string { return string(slices.Sorted(slices.Values([]byte(s)))) }
	name := c.words[0]
	for _, usual := range usualCommands {
		if len(usual) <= 3 || name == usual || len(name) != len(usual) || name[0] != usual[0] ||
			letters(name) != letters(usual) {
			continue
		}
		if span := c.span(p, in, 0, 1); p.Text.Slice(span) == name {
			p.report(in, analysis.Finding{
				Span:    span,
				Message: fmt.Sprintf("unknown command %s (did you mean %s?)", name, usual),
				Fixes:   []analysis.Fix{replace(span, usual, false)},
			})
		}
	}
	for i, word := range c.words {
		rest, ok := strings.CutPrefix(word, "/var/lib/apt/")
		folder, _, _ := strings.Cut(rest, "/")
		if !ok || name != "rm" || folder == "lists" || spell.Meant(folder, []string{"lists"}) == "" {
			continue
		}
		if at := c.span(p, in, i, i+1); p.Text.Slice(at) == word {
			at.Start += len("/var/lib/apt/")
			at.End = at.Start + len(folder)
			p.report(in, analysis.Finding{
				Span: at, Message: fmt.Sprintf("apt keeps its lists in lists, not in %s: nothing is removed", folder),
				Fixes: []analysis.Fix{replace(at, "lists", true)},
			})
		}
	}
}

// goals are what people usually ask build tools for. They may have any others: only these words with two letters
// swapped, or one left out, are taken for misspelt.
var goals = map[string][]string{
	"mvn":    strings.Fields("clean validate compile package verify install deploy"),
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
			p.report(in, analysis.Finding{
				Span: span, Message: fmt.Sprintf("%s is not the usual %s", word, goal),
				Fixes: []analysis.Fix{replace(span, goal, false)},
			})
		}
	}
}

// slips reports whether a word is another one with two neighbouring letters swapped, or with one letter left out.
func slips(word, meant string) bool {
	at := 0
	for at < len(word) && at < len(meant) && word[at] == meant[at] {
		at++
	}
	switch {
	case word == meant || len(meant) < 4:
		return false
	case len(word) == len(meant):
		return at+2 <= len(word) && word[at] == meant[at+1] && word[at+1] == meant[at] && word[at+2:] == meant[at+2:]
	case len(word) == len(meant)-1:
		return len(meant) > 4 && word[at:] == meant[at+1:]
	}
	return false
}

var (
	gluedFlag = regexp.MustCompile(`^(mkdir|rm|cp|mv|chmod|chown|ln|tar|touch)(-[a-zA-Z]{1,4})$`)
	gluedDir  = regexp.MustCompile(`^cd(/[A-Za-z0-9_./-]*)$`)
	modeFirst = regexp.MustCompile(`^([rwx]+)\+$|^([ugoa]*[-+][rwx]+)(/\S+)$`)
)

// checkGluedCommand looks for a command without a blank behind its name, and for a mode that is written the wrong way.
func (p *pass) checkGluedCommand(in *dockerfile.Instruction, c command) {
	span := c.span(p, in, 0, 1)
	raw := p.Text.Slice(span)
	fix := func(span source.Span, message, meant string) {
		p.report(in, analysis.Finding{Span: span, Message: message, Fixes: []analysis.Fix{replace(span, meant, true)}})
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
