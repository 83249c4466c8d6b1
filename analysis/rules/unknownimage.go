package rules

import (
	"fmt"
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
	names = nearest(names)
	for _, ref := range p.stageReferences() {
		name := ref.word.Text
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
