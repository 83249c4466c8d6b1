package rules

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/source"
)

// UnknownImage finds images of one word that are misspelt.
var UnknownImage = &Rule{
	ID:       "unknown-image",
	Severity: analysis.Warning,
	Doc: Doc{
		Summary: "An image's name is misspelt",
		What: "Finds `FROM`, `COPY --from=` and `RUN --mount=from=` with a name of one word that is no stage and " +
			"no official image of Docker Hub, but close to one that many use.",
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
	"maven", "gradle", "busybox",
	"httpd", "mysql", "mariadb", "mongo", "centos", "fedora", "tomcat", "amazoncorretto", "amazonlinux", "rockylinux",
	"almalinux", "archlinux",
	"caddy", "traefik", "composer", "elixir", "wordpress", "memcached", "rabbitmq", "elasticsearch", "haproxy",
	"scratch", "buildpack-deps",
}

func checkUnknownImage(p *pass) {
	stages := map[string]bool{}
	var names []string
	for _, stage := range p.Stages {
		if stage.Name != "" && !stages[stage.Name] {
			stages[stage.Name] = true
			names = append(names, stage.Name)
		}
	}
	names = p.nearest(names)
	for _, ref := range p.stageReferences() {
		name := ref.word.Text
		if p.otherImage(ref, name, stages) {
			continue
		}
		if i := strings.IndexAny(name, ":@"); i >= 0 {
			name = name[:i]
		}
		if len(name) < 5 || strings.ContainsAny(name, "$/.") || officialImages[name] || stages[strings.ToLower(name)] ||
			!clearly(
				name,
				usualImages,
			) || name != strings.ToLower(name) || clearly(name, names) || len(suggest(name,
			usualImages)[0])-len(name) > 1 {
			continue
		}
		span := source.Span{Start: ref.word.Span.Start, End: ref.word.Span.Start + len(name)}
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

var gluedTag = regexp.MustCompile(`^([a-z]+(?:-[a-z]+)?)(-[0-9]+(?:\.[0-9]+)*|[0-9]+(?:\.[0-9]+)+)(?:-[a-z]+)?$`)

// otherImage reports an image that is known by another name, or whose version is part of its name.
func (p *pass) otherImage(ref stageReference, whole string, stages map[string]bool) bool {
	name, tag, tagged := strings.Cut(whole, ":")
	if stages[strings.ToLower(whole)] || strings.ContainsAny(whole, "$/@") ||
		officialImages[name] && whole != "scratch:"+tag {
		return false
	}
	meant := otherImages[name]
	if m := gluedTag.FindStringSubmatch(name); meant == "" && m != nil && officialImages[m[1]] && !tagged {
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
	p.report(ref.in, analysis.Finding{
		Span: ref.word.Span, Message: fmt.Sprintf("there is no official image %s (did you mean %s?)", whole, meant),
		Fixes: []analysis.Fix{replace(ref.word.Span, meant, false)},
	})
	return true
}
