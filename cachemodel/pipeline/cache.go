package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/tonistiigi/go-csvvalue"
)

// Cache is one cache that a build imports or exports.
type Cache struct {
	Text string            // as it is written: "type=gha,mode=max"
	Type string            // "gha", "registry", ...; "" if that is not known
	Attr map[string]string // the rest of its attributes
}

// Caches reads lists of --cache-from or --cache-to.
func Caches(list []string) (out []Cache) {
	for _, text := range list {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		c := Cache{Text: text, Attr: map[string]string{}}
		fields, err := csvvalue.Fields(text, nil)
		switch {
		case err != nil || text == unknownIn(text) && !strings.HasPrefix(text, "${{env.CI_"):
		case !strings.Contains(text, "="): // an image
			c.Type, c.Attr["ref"] = "registry", text
		default:
			for _, field := range fields {
				key, value, _ := strings.Cut(field, "=")
				if key = strings.ToLower(strings.TrimSpace(key)); key == "type" {
					c.Type = value
				} else {
					c.Attr[key] = value
				}
			}
		}
		if unknownIn(c.Type) != "" {
			c.Type = ""
		}
		out = append(out, c)
	}
	return out
}

// Known reports whether it does not hang on what only a run of the CI can tell.
func (c *Cache) Known() bool { return c.Type != "" && unknownIn(c.Text) == "" }

// where identifies what a cache is written to and read from, "" if that is not known or is another place each time.
func (c *Cache) where() string {
	name := ""
	switch c.Type {
	case "gha":
		name = cmp.Or(c.Attr["scope"], "buildkit")
	case "registry":
		name = image(c.Attr["ref"])
	case "local":
		name = strings.TrimSuffix(filepath.Clean(cmp.Or(c.Attr["src"], c.Attr["dest"])), "-new")
	case "s3", "azblob":
		name = strings.Join([]string{
			c.Attr["bucket"], c.Attr["account_url"], c.Attr["container"], c.Attr["prefix"], c.Attr["name"],
		}, " ")
	default:
		return ""
	}
	changes := false
	replaced(name, func(e string) string { changes = changes || varies(e); return "" })
	if changes {
		return ""
	}
	return c.Type + " " + name
}

// image is the full name of an image.
func image(ref string) string {
	if named, err := reference.ParseNormalizedNamed(ref); err == nil {
		return reference.TagNameOnly(named).String()
	}
	return ref
}

// Exports are the places that a build's cache goes to, each with its mode: "min", "max" or "inline".
func (b *Build) Exports() map[string]string {
	out := map[string]string{}
	inline := false
	for _, c := range b.To {
		if c.Type == "inline" {
			inline = true
			continue
		}
		if c.Type == "local" && b.keeps(c.Attr["dest"]) == nil {
			continue
		}
		if at := c.where(); at != "" && out[at] != "max" {
			out[at] = cmp.Or(strings.ToLower(c.Attr["mode"]), "min")
		}
	}
	if on := b.Options.Args["BUILDKIT_INLINE_CACHE"]; on == "1" || on == "true" {
		inline = true
	}
	for _, tag := range b.Tags {
		c := Cache{Type: "registry", Attr: map[string]string{"ref": tag}}
		if at := c.where(); inline && b.Pushes && at != "" && out[at] == "" {
			out[at] = "inline"
		}
	}
	return out
}

// keeps finds how the job takes a directory over from an earlier run, nil if it does not.
func (b *Build) keeps(dir string) *kept {
	clean := func(path string) string { return strings.TrimSuffix(filepath.Clean(path), "-new") }
	for i := range b.kept {
		at := clean(b.kept[i].dir)
		if at == clean(dir) || strings.HasSuffix(at, string(filepath.Separator)+clean(dir)) {
			return &b.kept[i]
		}
	}
	return nil
}

// Imported is what a build has of an earlier one by the caches that it imports.
type Imported struct {
	Mode   string // "none", "min", "max", "inline"; "" if it is not known
	Reason string // for people: where it is configured, or why there is nothing
	From   *Build // the build that has exported it; nil if there is none, or it is not known
}

// Earlier are the builds that have exported before: those of the main branch's commit, and those of pull requests at
// that time.
type Earlier struct {
	Push, Pull []Build
	Root       string // of the repository
	Branch     string // the main one, for people
}

// Imports finds what b has of what the main branch's builds have exported.
func (b *Build) Imports(before Earlier) Imported {
	if b.Options.NoCache {
		return Imported{Mode: "none", Reason: "it is built with no-cache"}
	}
	if b.Keeper != "" {
		return Imported{Reason: fmt.Sprintf("its builder may have what it built before (%s)", b.Keeper)}
	}
	if len(b.From) == 0 {
		return Imported{Mode: "none", Reason: "it has no cache-from, so that its builder begins with nothing"}
	}
	best := Imported{Mode: "none"}
	for _, c := range b.From {
		if c.Type == "" {
			return Imported{Reason: fmt.Sprintf("which cache %s is, is not known", c.Text)}
		}
		at := c.where()
		if at == "" {
			best.Reason = fmt.Sprintf("%s is a place of its own for each commit or run, or of an unknown kind", c.Text)
			continue
		}
		var dir *kept
		if c.Type == "local" {
			dir = b.keeps(c.Attr["src"])
		}
		switch {
		case c.Type == "local" && dir == nil:
			best.Reason = fmt.Sprintf("%s is a directory that the job does not take over from an earlier run", c.Text)
			continue
		case dir != nil && dir.unsure != "":
			return Imported{Reason: c.Text + ": " + dir.unsure}
		case dir != nil && dir.lacking != "":
			best.Reason = c.Text + ": " + dir.lacking
			continue
		}
		pulls := slices.ContainsFunc(before.Pull, func(o Build) bool { return o.Exports()[at] != "" })
		if pulls && c.Type != "gha" && (dir == nil || !dir.apart) { // GitHub keeps the caches of branches apart
			return Imported{Reason: fmt.Sprintf("%s: pull requests export to it too, and the last export counts", c.Text)}
		}
		found, problem := exporter(b, before.Push, at)
		if problem != "" {
			return Imported{Reason: fmt.Sprintf("%s: %s", c.Text, problem)}
		}
		own := ""
		if pulls && b.pull {
			own = "; a later run for the same pull request has what the one before it has exported"
		}
		if found == nil {
			best.Reason = fmt.Sprintf("nothing that runs for pushes to %s exports %s%s", before.Branch, c.Text, own)
			continue
		}
		if from := found.keeps(c.Attr["src"]); dir != nil && from != nil && from.unsure != "" {
			return Imported{Reason: c.Text + ": " + from.unsure}
		}
		mode := found.Exports()[at]
		if rank(mode) > rank(best.Mode) {
			reason := fmt.Sprintf("%s, exported by %s with mode=%s", c.Text, found.Place(before.Root), mode)
			if mode == "inline" {
				reason = fmt.Sprintf("%s, with the inline cache of %s", c.Text, found.Place(before.Root))
			}
			if found.If != "" {
				reason += ", which runs if " + found.If
			}
			best = Imported{Mode: mode, Reason: reason + own, From: found}
		}
	}
	return best
}

// savedOnce is why it is not known what actions/cache has under a key that is the same for all commits.
func savedOnce(key string) string {
	if key == "" {
		return ""
	}
	return fmt.Sprintf("what is saved under the key %s stays as the first build left it", key)
}

func rank(mode string) int { return slices.Index([]string{"none", "inline", "min", "max"}, mode) }

// exporter finds the build that has made what is at a place. The problem says why what is there is not known: the last
// export replaces what was there before, and which job is the last is not known.
func exporter(b *Build, before []Build, at string) (found *Build, problem string) {
	for i := range before {
		other := &before[i]
		if slices.ContainsFunc(other.To, func(c Cache) bool { return c.Type == "" }) {
			problem = fmt.Sprintf("whether job %s exports to it too is not known", other.Job)
		}
		replaced := func(later Build) bool {
			return later.File == other.File && later.Job == other.Job && later.Line > other.Line && later.If == "" &&
				later.Exports()[at] != ""
		}
		switch {
		case other.Exports()[at] == "", slices.ContainsFunc(before, replaced):
		case other.Problem != "":
			problem = fmt.Sprintf("job %s exports to it, and %s", other.Job, other.Problem)
		case !other.Like(b):
			problem = fmt.Sprintf("job %s exports another image to it, which replaces this one's", other.Job)
		case found != nil && !maps.Equal(found.Options.Args, other.Options.Args):
			problem = fmt.Sprintf("it is exported with different build arguments (job %s), and the last counts", other.Job)
		default:
			found = other
		}
	}
	if problem != "" {
		return nil, problem
	}
	return found, ""
}

// Like reports whether two builds make the same image, but for their arguments.
func (b *Build) Like(other *Build) bool {
	return b.Dockerfile == other.Dockerfile && b.Options.ContextDir == other.Options.ContextDir &&
		b.Options.Target == other.Options.Target && b.Name == other.Name &&
		reflect.DeepEqual(b.Options.Run, other.Options.Run) &&
		maps.Equal(b.Options.Contexts, other.Options.Contexts) && maps.Equal(b.Options.Images, other.Options.Images) &&
		(b.Options.Platform == other.Options.Platform || contains(b.Options.Platform, other.Options.Platform))
}

// contains reports whether all platforms of a list are in another list.
func contains(all, some string) bool {
	list := strings.Split(all, ",")
	for one := range strings.SplitSeq(some, ",") {
		if !slices.Contains(list, one) {
			return false
		}
	}
	return true
}
