package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/images"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
)

// UnknownImage finds images of one word that are misspelt.
var UnknownImage = &Rule{
	ID:       "unknown-image",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "An image's name or tag is misspelt",
		What: "Finds `FROM`, `COPY --from=` and `RUN --mount=from=` with a name of one word that is not a stage and " +
			"no official image of Docker Hub, but close to one that many use, and misspelt words in the tags of " +
			"official images.",
		Why: "An image without a registry or user in its name is one of Docker's official images. Another one " +
			"cannot be pulled.",
		Example: "FROM apline:3.20\n",
		Instead: "FROM alpine:3.20\n",
	},
	check: checkUnknownImage,
}

// usualImages are official images that are used much; only they are suggested.
var usualImages = []string{
	"alpine", "debian", "ubuntu", "golang", "python", "nginx", "postgres", "redis", "openjdk", "eclipse-temurin",
	"maven", "gradle", "busybox", "httpd", "mysql", "mariadb", "mongo", "centos", "fedora", "tomcat", "amazoncorretto",
	"amazonlinux", "rockylinux", "almalinux", "archlinux", "caddy", "traefik", "composer", "elixir", "wordpress",
	"memcached", "rabbitmq", "elasticsearch", "haproxy", "scratch", "buildpack-deps",
}

func checkUnknownImage(p *pass) {
	stages := map[string]bool{}
	var names []string
	for _, stage := range p.file().Stages {
		if stage.Name != "" && !stages[stage.Name] {
			stages[stage.Name] = true
			names = append(names, stage.Name)
		}
	}
	names = names[max(0, len(names)-maxNames):]
	for _, ref := range p.stageReferences() {
		name := ref.word.Text
		if stages[strings.ToLower(name)] {
			continue
		}
		if !strings.Contains(name, "$") && p.invalidName(name) != nil {
			continue // InvalidImage says what is wrong
		}
		if p.otherImage(ref, name) || p.checkTag(ref, name) || p.checkHost(ref, name) {
			continue
		}
		if i := strings.IndexAny(name, ":@"); i >= 0 {
			name = name[:i]
		}
		if len(name) < 5 || strings.ContainsAny(name, "$/.") || images.Official(name) || stages[name] ||
			!clearly(name, usualImages) || name != strings.ToLower(name) || clearly(name, names) || len(suggest(name,
			usualImages)[0])-len(name) > 1 {
			continue
		}
		span := ref.word.Span.Part(0, len(name))
		p.report(
			ref.in,
			misspelt(
				analysis.Finding{Span: span, Message: fmt.Sprintf("there is no official image %s", name)},
				name,
				"",
				usualImages,
				false,
			),
		)
	}
}

// otherImages are names that people take for those of official images, and the images that are meant.
var otherImages = map[string]string{
	"go": "golang", "nodejs": "node", "python3": "python:3", "python2": "python:2", "postgresql": "postgres",
	"mongodb": "mongo", "rabbit": "rabbitmq", "rustlang": "rust", "jdk": "eclipse-temurin", "php-fpm": "php:fpm",
	"node-alpine": "node:alpine", "python-slim": "python:slim", "nginx-alpine": "nginx:alpine",
}

var (
	slashTag  = regexp.MustCompile(`^(?:docker\.io/)?([a-z]+(?:-[a-z]+)?)/([0-9]+(?:\.[0-9]+)*(?:-[a-z]+)?|latest)$`)
	microsoft = regexp.MustCompile(`^dotnet/(?:sdk|aspnet|runtime|runtime-deps)(?::|$)`)
	oldV      = regexp.MustCompile(`^v([0-9][0-9a-z.-]*)$`)
	twoDigits = regexp.MustCompile(`^[1-9][0-9]$`)
	shortDate = regexp.MustCompile(`^(\d\d)(?:\.|-0?)(4)$`)
)

// plainVersions are official images whose tags never have a v before the version.
var plainVersions = map[string]bool{
	"alpine": true, "debian": true, "ubuntu": true, "node": true, "python": true, "golang": true, "nginx": true,
	"redis": true, "postgres": true, "php": true, "ruby": true, "rust": true, "mysql": true, "mariadb": true,
}

// checkHost reports an image whose tag stands behind a slash, or whose registry is the address of a web site.
func (p *pass) checkHost(ref stageReference, name string) bool {
	meant := ""
	if m := slashTag.FindStringSubmatch(name); m != nil && images.Official(m[1]) {
		meant = m[1] + ":" + m[2]
	} else if rest, ok := strings.CutPrefix(name, "hub.docker.com/"); ok {
		meant = strings.TrimPrefix(strings.TrimPrefix(rest, "_/"), "r/")
	} else if microsoft.MatchString(name) {
		meant = "mcr.microsoft.com/" + name
	}
	if meant == "" {
		return false
	}
	p.found(ref.in, ref.word.Span, replace(ref.word.Span, meant, false), "there is no image %s (did you mean %s?)",
		name, meant)
	return true
}

// tagWords are words of the tags of official images.
var tagWords = []string{
	"latest", "alpine", "slim", "stable", "bullseye", "bookworm", "buster", "trixie", "stretch", "jessie", "jammy",
	"focal", "noble", "bionic", "xenial", "apache", "mainline", "windowsservercore", "nanoserver", "perl", "otel",
}

// checkTag reports a misspelt word in the tag of an official image.
func (p *pass) checkTag(ref stageReference, name string) bool {
	image, tag, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/"), ":")
	if !ok || !images.Official(image) || strings.ContainsAny(tag, "$@") {
		return false
	}
	at := ref.word.Span.End - len(tag)
	report := func(from, to int, meant string) bool {
		span := source.Between(at+from, at+to)
		p.found(ref.in, span, replace(span, meant, false), "%s has no tag %s (did you mean %s?)", image, tag, meant)
		return true
	}
	if !plainVersions[tag] && len(p.variables().Global[tag]) > 0 && tag == strings.ToUpper(tag) {
		return report(0, len(tag), "${"+tag+"}")
	}
	if m := oldV.FindStringSubmatch(tag); m != nil && plainVersions[image] {
		return report(0, len(tag), m[1])
	}
	if image == "ubuntu" && twoDigits.MatchString(tag) {
		return report(0, len(tag), tag+".04")
	}
	if m := shortDate.FindStringSubmatch(tag); m != nil && image == "ubuntu" {
		return report(0, len(tag), m[1]+".0"+m[2])
	}
	from := 0
	for word := range strings.SplitSeq(tag, "-") {
		letters := strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") == ""
		if letters && len(word) > 2 && !slices.Contains(tagWords, word) && !otherTagWords[word] {
			if meant := spell.Meant(word, tagWords); meant != "" && word[0] == meant[0] {
				return report(from, from+len(word), meant)
			}
		}
		from += len(word) + 1
	}
	return false
}

// otherTagWords are words of tags that are close to another one.
var otherTagWords = map[string]bool{"sid": true, "rc": true, "beta": true, "alpha": true, "static": true, "table": true}

var gluedTag = regexp.MustCompile(`^([a-z]+(?:-[a-z]+)?)(-[0-9]+(?:\.[0-9]+)*|[0-9]+(?:\.[0-9]+)+)(?:-[a-z]+)?$`)

// otherImage reports an image that is known by another name, or whose version is part of its name.
func (p *pass) otherImage(ref stageReference, whole string) bool {
	name, tag, tagged := strings.Cut(whole, ":")
	if strings.ContainsAny(whole, "$/@") || images.Official(name) && whole != "scratch:"+tag {
		return false
	}
	meant := otherImages[name]
	if m := gluedTag.FindStringSubmatch(name); meant == "" && m != nil && images.Official(m[1]) && !tagged {
		meant = m[1] + ":" + strings.TrimPrefix(name[len(m[1]):], "-")
	}
	if tagged && name == "scratch" {
		meant, tagged = "scratch", false
	}
	if meant == "" {
		return false
	}
	if tagged {
		meant, _, _ = strings.Cut(meant, ":")
		meant += ":" + tag
	}
	p.found(ref.in, ref.word.Span, replace(ref.word.Span, meant, false),
		"there is no official image %s (did you mean %s?)", whole, meant)
	return true
}
