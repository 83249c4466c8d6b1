package outline

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/source"
)

// Link is a place that leads somewhere.
type Link struct {
	Span source.Span
	URL  string // "" for a file
	Path string // of a file or folder, relative to the build context, slash-separated
	Tip  string
}

// Links returns the links of a file, in order: images to the pages of their registries, URLs, and what COPY and ADD
// take from the build context, whether it exists or not.
func Links(file *dockerfile.File, names *navigate.Index) []Link {
	var links []Link
	image := func(span source.Span, reference string) {
		if page, width := imagePage(reference); page != "" {
			if file.Text.Slice(span) == reference { // else there are variables in it
				span.End = span.Start + width
			}
			links = append(links, Link{Span: span, URL: page, Tip: "Open the page of " + reference[:width]})
		}
	}
	for _, d := range file.Directives {
		if d.Name.Text == "syntax" {
			image(d.Value.Span, d.Value.Text)
		}
	}
	for _, in := range file.Instructions {
		switch in.Meant {
		case "FROM":
			if in.Stage >= 0 && names.Bases[in.Stage] < 0 {
				image(file.Stages[in.Stage].Base.Span, names.Image(in.Stage))
			}
		case "ADD", "COPY":
			links = append(links, sources(in)...)
		}
	}
	for _, ref := range file.StageReferences() {
		if ref.Use != dockerfile.ByFrom && ref.Stage < 0 && !ref.Variable {
			image(ref.Word.Span, ref.Word.Text)
		}
	}
	slices.SortStableFunc(links, func(a, b Link) int { return a.Span.Start - b.Span.Start })
	return links
}

// sources returns the links of what an ADD or COPY takes.
func sources(in *dockerfile.Instruction) []Link {
	var links []Link
	local := true
	for _, flag := range in.Flags {
		local = local && flag.Name.Text != "from"
	}
	for i, arg := range in.Args {
		name := arg.Text
		if in.JSON {
			name = strings.Trim(name, `"`)
		}
		switch kind := dockerfile.KindOfSource(name); {
		case i == len(in.Args)-1, strings.ContainsAny(name, "$<\\"):
		case kind != dockerfile.PathSource:
			u, err := url.Parse(name)
			if in.Meant == "ADD" && err == nil &&
				(strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")) {
				links = append(links, Link{Span: arg.Span, URL: u.String(), Tip: "Open " + name})
			}
		case !local || strings.ContainsAny(name, "*?[") || strings.Contains(name, "://"):
		default:
			if p := strings.TrimPrefix(path.Clean("/"+name), "/"); p != "" {
				links = append(links, Link{Span: arg.Span, Path: p, Tip: "Open " + p})
			}
		}
	}
	return links
}

// imageName is what the name of an image is made of, without tag and digest.
var imageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]*$`)

// imagePage returns the page of an image in its registry, and how much of the reference names it, without tag and
// digest; "" if none is known.
func imagePage(reference string) (page string, width int) {
	name, _, _ := strings.Cut(reference, "@")
	if tag := strings.LastIndexByte(name, ':'); tag > strings.LastIndexByte(name, '/') {
		name = name[:tag]
	}
	if name == "" || name == "scratch" || !imageName.MatchString(name) {
		return "", 0
	}
	width = len(name)
	host, repository, _ := strings.Cut(name, "/")
	if !strings.ContainsAny(host, ".:") && host != "localhost" || repository == "" {
		host, repository = "docker.io", name
	}
	switch host {
	case "docker.io", "index.docker.io", "registry-1.docker.io":
		if rest := strings.TrimPrefix(repository, "library/"); !strings.Contains(rest, "/") {
			return "https://hub.docker.com/_/" + rest + "/", width
		}
		return "https://hub.docker.com/r/" + repository + "/", width
	case "ghcr.io":
		if owner, name, ok := strings.Cut(repository, "/"); ok {
			project, _, _ := strings.Cut(name, "/")
			return "https://github.com/" + owner + "/" + project + "/pkgs/container/" + url.PathEscape(name), width
		}
	case "mcr.microsoft.com":
		return "https://mcr.microsoft.com/artifact/mar/" + repository, width
	case "quay.io":
		return "https://quay.io/repository/" + repository, width
	case "public.ecr.aws":
		return "https://gallery.ecr.aws/" + repository, width
	case "gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io":
		return "https://" + host + "/" + repository, width
	}
	return "", 0
}
