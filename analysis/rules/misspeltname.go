package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/tools"
)

// MisspeltName finds misspelt users and packages.
var MisspeltName = &Rule{
	ID:       "misspelt-name",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "The name of a user or of a package is misspelt",
		What: "Finds users in `USER` and `--chown` that stand nowhere else in the file and are one letter away from " +
			"one that a `useradd` adds or the official base image has, and packages for apt or apk that are very " +
			"common ones with two letters swapped, one left out or one too many.",
		Why:     "The step fails; a wrong `USER` fails at the next `RUN`, or when the container starts.",
		Example: "FROM node:22\nRUN apt-get update && apt-get install -y ca-certificate\nUSER noed\n",
		Instead: "FROM node:22\nRUN apt-get update && apt-get install -y ca-certificates\nUSER node\n",
	},
	of: []string{"ADD", "COPY", "RUN", "USER"},
	each: func(p *pass, in *dockerfile.Instruction) {
		if in.Meant == "USER" && len(in.Args) == 1 {
			p.checkUserName(in, in.Args[0])
		}
		for _, flag := range in.Flags {
			if flag.Name.Text == "chown" {
				p.checkUserName(in, flag.Value)
			}
		}
		for _, c := range p.commands(in) {
			p.checkPackageNames(in, c)
		}
	},
}

// checkUserName looks at a user, before a colon.
func (p *pass) checkUserName(in *dockerfile.Instruction, word dockerfile.Word) {
	name, _, _ := strings.Cut(word.Text, ":")
	if len(name) < 3 || !plainWord(name) || !strings.HasPrefix(p.Text.Slice(word.Span), name) {
		return
	}
	base, known := p.imageOf(in)
	image := images.Known(base)
	if !known || image == nil || p.tired() {
		return // it may have any users
	}
	users := append(strings.Fields(image.Users), "root")
	for _, run := range p.of("RUN") {
		for _, c := range p.commands(run) {
			if c.words[0] == "useradd" || c.words[0] == "adduser" {
				users = append(users, c.words[1:]...)
			}
		}
	}
	i := slices.IndexFunc(users, func(user string) bool { return plainWord(user) && oneEdit(name, user) })
	if i < 0 || slices.Contains(users, name) || p.mentions(name) > 1 {
		return
	}
	span := word.Span.Part(0, len(name))
	p.found(in, span, replace(span, users[i], false), "nothing adds a user %s (did you mean %s?)", name, users[i])
}

// commonPackages are packages that Dockerfiles install often, of which Debian has none whose name is theirs with two
// letters swapped, one less or one more.
var commonPackages = strings.Fields("" +
	"curl wget git unzip gnupg nginx ffmpeg gettext nodejs procps tzdata locales openssl supervisor imagemagick " +
	"ca-certificates build-base build-essential software-properties-common apt-transport-https lsb-release " +
	"python3-dev python3-pip python3-venv libffi-dev libjpeg-dev libsqlite3-dev libcurl4-openssl-dev musl-dev " +
	"zlib1g-dev linux-headers mariadb-client default-mysql-client postgresql-client postgresql-dev " +
	"openssh-client openssh-server iputils-ping net-tools netcat-openbsd")

// checkPackageNames looks at the packages that a command installs.
func (p *pass) checkPackageNames(in *dockerfile.Instruction, c command) {
	v := c.verb()
	if !slices.Contains([]string{"apt-get", "apt", "apk"}, c.words[0]) ||
		!slices.Contains(tools.LineOf(c.words[0]).Installs, c.words[v]) {
		return
	}
	for i, word := range c.words[v+1:] {
		meant := slices.IndexFunc(commonPackages, func(name string) bool {
			return oneEdit(word, name) && (swapped(word, name) || len(word) != len(name) && len(name) > 4)
		})
		span := c.span(p, in, v+1+i, v+2+i)
		if meant < 0 || slices.Contains(commonPackages, word) || p.Text.Slice(span) != word || p.mentions(word) > 1 ||
			!sameDigits(word, commonPackages[meant]) {
			continue
		}
		name := commonPackages[meant]
		p.found(in, span, replace(span, name, false), "the package %s is not known (did you mean %s?)", word, name)
	}
}
